"""llama.cpp as the peer: through llama-cpp-python, or through the programs of its own build."""
import json
import pathlib
import subprocess
import sys

from shapes import Shape
from workload import BATCH, BATCH_PROMPT, BATCH_TOKENS, Workload

WITH_ATTENTION = ("deep", "prefill")  # measures in which attention is more than a trifle
FILE_TYPES = {"q8_0": "Q8_0", "q4_0": "Q4_0", "q4_k_m": "Q4_K_M"}


class Choosing:
    """A peer whose measures of long contexts keep flash attention on or off, whichever is faster.

    The rounds by which it chooses also warm it up.
    """

    def __init__(self, shape: Shape, work: Workload):
        self.shape, self.work = shape, work
        self.flash: dict[str, bool] = {}

    def run(self, measure: str, flash: bool, rounds: int) -> float:
        raise NotImplementedError

    def choose(self) -> None:
        if not self.work.warm:
            return
        for measure in self.work.measures:
            with_flash = self.run(measure, True, 1)
            self.flash[measure] = measure not in WITH_ATTENTION or with_flash >= self.run(measure, False, 1)

    def measure(self) -> dict[str, float]:
        if not self.work.warm:
            return self.better()
        return {measure: self.run(measure, self.flash[measure], self.shape.rounds) for measure in self.work.measures}

    def better(self) -> dict[str, float]:
        """Of one cold run with flash attention and one without."""
        on, off = ({measure: self.run(measure, flash, 1) for measure in self.work.measures} for flash in (True, False))
        self.flash = {measure: on[measure] >= off[measure] for measure in self.work.measures}
        return {measure: max(on[measure], off[measure]) for measure in self.work.measures}

    def close(self) -> None:
        pass


class BoundModel(Choosing):
    """A model in a process of llama_worker.py."""

    def __init__(self, shape: Shape, work: Workload, path: pathlib.Path, threads: int):
        super().__init__(shape, work)
        worker = pathlib.Path(__file__).with_name("llama_worker.py")
        self.process = subprocess.Popen(
            [sys.executable, str(worker), str(path), str(threads), str(work.depth)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.system = self.answer()["system"]
        tokens = shape.decode_tokens
        self.questions = {
            "decode": {"measure": "decode", "depth": 0, "tokens": tokens},
            "deep": {"measure": "decode", "depth": work.depth, "tokens": tokens},
            "prefill": {"measure": "prefill", "tokens": work.prompt},
            "batch": {"measure": "batch", "sequences": BATCH, "prompt": BATCH_PROMPT,
                      "tokens": BATCH_TOKENS},
        }

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the process of llama.cpp ended early")
        return json.loads(line)

    def run(self, measure: str, flash: bool, rounds: int) -> float:
        question = {**self.questions[measure], "flash": flash, "rounds": rounds}
        self.process.stdin.write(json.dumps(question) + "\n")
        return self.answer()["tokens_per_s"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Binding:
    """llama-cpp-python."""

    def __init__(self, threads: int):
        import llama_cpp  # is not needed where programs are given
        from llama_worker import be_quiet
        self.llama_cpp, self.threads = llama_cpp, threads
        be_quiet()
        self.name = f"llama-cpp-python {llama_cpp.__version__}"

    def open(self, shape: Shape, work: Workload, path: pathlib.Path) -> BoundModel:
        return BoundModel(shape, work, path, self.threads)

    def quantise(self, source: pathlib.Path, out: pathlib.Path, fmt: str) -> None:
        import ctypes
        params = self.llama_cpp.llama_model_quantize_default_params()
        params.ftype = getattr(self.llama_cpp, f"LLAMA_FTYPE_MOSTLY_{FILE_TYPES[fmt]}")
        code = self.llama_cpp.llama_model_quantize(str(source).encode(), str(out).encode(),
                                                   ctypes.byref(params))
        if code != 0:
            raise RuntimeError(f"quantising {source} to {fmt} failed: {code}")


class ProgramModel(Choosing):
    """A model in llama-bench and llama-batched-bench, which load it anew for each measure."""

    def __init__(self, shape: Shape, work: Workload, path: pathlib.Path, threads: int, programs: "Programs"):
        super().__init__(shape, work)
        self.common = ["-m", str(path), "-t", str(threads)]
        self.programs = programs

    def run(self, measure: str, flash: bool, rounds: int) -> float:
        common = [*self.common, "-fa", str(int(flash))]
        if measure == "batch":
            sizes = ["-npp", BATCH_PROMPT, "-ntg", BATCH_TOKENS, "-npl", BATCH]
            cells = BATCH * 256  # a sequence's context is rounded up to 256
            out = self.programs.call("llama-batched-bench", *common, *sizes, "-c", cells,
                                     "--output-format", "jsonl")
            lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
            return lines[-1]["speed_tg"]
        sizes = {"decode": ["-p", 0, "-n", self.shape.decode_tokens],
                 "deep": ["-p", 0, "-n", self.shape.decode_tokens, "-d", self.work.depth],
                 "prefill": ["-p", self.work.prompt, "-n", 0]}[measure]
        cold = [] if self.work.warm else ["--no-warmup"]
        return json.loads(self.programs.call("llama-bench", *common, *sizes, *cold, "-r", rounds,
                                             "-o", "json"))[0]["avg_ts"]


class Programs:
    """The programs of a build of llama.cpp, or of another that has kept their names and flags."""

    def __init__(self, folder: pathlib.Path, threads: int):
        self.folder, self.threads = folder, threads
        self.name = f"the programs in {folder.name}"

    def call(self, program: str, *args: object) -> str:
        command = [str(self.folder / program), *map(str, args)]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr[-2000:]}")
        return run.stdout

    def open(self, shape: Shape, work: Workload, path: pathlib.Path) -> ProgramModel:
        return ProgramModel(shape, work, path, self.threads, self)

    def quantise(self, source: pathlib.Path, out: pathlib.Path, fmt: str) -> None:
        self.call("llama-quantize", source, out, FILE_TYPES[fmt])
