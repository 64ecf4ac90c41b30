"""What Orrery is to reach: fractions of what the machine could do just before, and how many times as good as the peer."""
import dataclasses

PEER = "×"


@dataclasses.dataclass(frozen=True)
class Target:
    least: float
    of: str  # "read", "bf16" or "int8", as report.fraction names limits; or PEER

    def verdict(self, found: dict[str, float]) -> str:
        """`found`: what was measured, by the same names. A processor without the unit has no such limit."""
        name = f"{self.least:g} {self.of}" if self.of == PEER else f"{self.least:.2f} {self.of}"
        if self.of not in found:
            return f"{name}: no such limit here"
        return f"{name}: {'met' if found[self.of] >= self.least else 'missed'}"


AHEAD = Target(1, PEER)
DEEP = Target(0.85, "read")
SMALL = {"decode": (Target(1.5, PEER),), "deep": (Target(5, PEER),)}
SPEED: dict[tuple[str, str], dict[str, tuple[Target, ...]]] = {
    ("llama-3.2-1b", "bf16"): {"decode": (Target(0.90, "read"), AHEAD), "deep": (DEEP,),
                               "prefill": (Target(0.80, "bf16"),), "batch": (Target(2, PEER),)},
    ("llama-3.2-1b", "q8_0"): {"decode": (Target(0.88, "read"), AHEAD), "deep": (DEEP,),
                               "prefill": (Target(0.62, "int8"),), "batch": (Target(4, PEER),)},
    ("llama-3.2-1b", "q4_0"): {"decode": (Target(0.83, "read"), AHEAD), "deep": (DEEP,),
                               "prefill": (Target(0.60, "int8"),), "batch": (Target(3, PEER),)},
    ("llama-3.2-1b", "q4_k_m"): {"decode": (Target(0.78, "read"), AHEAD), "deep": (DEEP,),
                                 "prefill": (Target(0.50, "int8"),)},
    **{("llama-15m", fmt): SMALL for fmt in ("bf16", "q8_0", "q4_0")},
}
SERVED = {"arrivals": {"ttft_p99": Target(4, PEER), "itl_p99": Target(3, PEER)}, "prefix": {"seconds": Target(3, PEER)}}
ACCURACY_PERCENT = 0.5  # between perplexities of the same file
START_MS, START_MEMORY = 150, 1.05  # exec to first text; peak memory of that of weights and KV


def at_most(limit: float, found: float) -> str:
    return f"{limit:g}: {'met' if found <= limit else 'missed'}"
