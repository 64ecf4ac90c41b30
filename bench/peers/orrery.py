"""Orrery measured by its own `orrery bench`."""
import dataclasses
import json
import pathlib
import subprocess

from shapes import Shape
from workload import BATCH, BATCH_PROMPT, BATCH_TOKENS, Workload


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the machine can do at this moment; None: the program does not measure it."""
    read_bytes_per_s: float
    flops_f32: float
    flops_bf16: float | None = None
    ops_int8: float | None = None


class Orrery:
    def __init__(self, program: pathlib.Path, threads: int, activation_bits: int = 16):
        self.program, self.threads = program, threads
        self.flags = ["--activation-bits", str(activation_bits)]  # of whatever loads a model

    def json_of(self, *args: object) -> dict:
        command = [str(self.program), *map(str, args), "--json"]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr[-2000:]}")
        return json.loads(run.stdout)

    def bench(self, kind: str, *args: object) -> dict:
        return self.json_of("bench", kind, *args, "--threads", self.threads, *self.flags)

    def probe(self) -> Limits:
        found = self.bench("latency", "demo", "--prompt-tokens", 1, "--decode-tokens", 1,
                           "--rounds", 1)["limits"]
        return Limits(**{field.name: found.get(field.name) for field in dataclasses.fields(Limits)})

    def measure(self, shape: Shape, model: pathlib.Path, work: Workload) -> dict[str, float]:
        """Tokens per second of each measure."""
        depths = [depth for measure, depth in (("decode", 0), ("deep", work.depth)) if measure in work.measures]
        alone = self.bench("latency", model, "--prompt-tokens", work.prompt, *(f"--depth={depth}" for depth in depths),
                           "--decode-tokens", shape.decode_tokens, "--rounds", shape.rounds)
        found = {"prefill": alone["prefill_tokens_per_s"], "deep": alone["decode"][-1]["decode_tokens_per_s"],
                 "decode": alone["decode"][0]["decode_tokens_per_s"]}
        if "batch" in work.measures:
            # The first token of each answer comes with its prompt.
            together = self.bench("throughput", model, "--batch", BATCH, "--prompt-tokens", BATCH_PROMPT,
                                  "--output-tokens", BATCH_TOKENS + 1, "--rounds", shape.rounds)
            found["batch"] = together["throughput"][0]["decode_tokens_per_s"]
        return {measure: found[measure] for measure in work.measures}

    def describe(self) -> str:
        found = self.bench("latency", "demo", "--rounds", 1)
        return f"orrery ({found['isa']}, activations of {found['activation_bits']} bits)"
