"""What both programs are asked to do."""
import dataclasses

BATCH, BATCH_PROMPT, BATCH_TOKENS = 32, 16, 32  # sequences, tokens each has, and tokens each gets


@dataclasses.dataclass(frozen=True)
class Workload:
    prompt: int  # tokens of the prefill
    depth: int  # context of the decode that is not at the beginning
    measures: tuple[str, ...]  # in the order of the table
    warm: bool = True  # the peer's runs, by those that choose flash attention or none

    def name(self, measure: str) -> str:
        return {"decode": "decode", "deep": f"decode at depth {self.depth:,}", "prefill": f"prefill {self.prompt:,}",
                "batch": f"batch {BATCH} decode, total"}[measure]


SPEED = Workload(512, 2048, ("decode", "deep", "prefill", "batch"))
# Half of its prefill of the 1B shape is attention.
LONG = Workload(8192, 8192, ("prefill", "deep"), warm=False)
