"""Orrery measured by its own `orrery bench`."""
import dataclasses
import json
import pathlib
import subprocess

from shapes import Shape
from workload import BATCH, BATCH_PROMPT, BATCH_TOKENS, DEPTH, PROMPT


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the machine can do at this moment; None: the program does not measure it."""
    read_bytes_per_s: float
    flops_f32: float
    flops_bf16: float | None = None
    ops_int8: float | None = None


class Orrery:
    def __init__(self, program: pathlib.Path, threads: int):
        self.program, self.threads = program, threads

    def json_of(self, *args: object) -> dict:
        command = [str(self.program), *map(str, args), "--json"]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{run.stderr[-2000:]}")
        return json.loads(run.stdout)

    def bench(self, kind: str, *args: object) -> dict:
        return self.json_of("bench", kind, *args, "--threads", self.threads)

    def probe(self) -> Limits:
        found = self.bench("latency", "demo", "--prompt-tokens", 1, "--decode-tokens", 1,
                           "--rounds", 1)["limits"]
        return Limits(**{field.name: found.get(field.name) for field in dataclasses.fields(Limits)})

    def measure(self, shape: Shape, model: pathlib.Path) -> dict[str, float]:
        """Tokens per second of each measure."""
        alone = self.bench("latency", model, "--prompt-tokens", PROMPT, "--depth", 0, "--depth", DEPTH,
                           "--decode-tokens", shape.decode_tokens, "--rounds", shape.rounds)
        # The first token of each answer comes with its prompt.
        together = self.bench("throughput", model, "--batch", BATCH, "--prompt-tokens", BATCH_PROMPT,
                              "--output-tokens", BATCH_TOKENS + 1, "--rounds", shape.rounds)
        return {"decode": alone["decode"][0]["decode_tokens_per_s"],
                "deep": alone["decode"][1]["decode_tokens_per_s"],
                "prefill": alone["prefill_tokens_per_s"],
                "batch": together["throughput"][0]["decode_tokens_per_s"]}

    def describe(self) -> str:
        return f"orrery ({self.bench('latency', 'demo', '--rounds', 1)['isa']})"
