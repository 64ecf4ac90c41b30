"""Train the demo model on the arrays of prepare.py; stop and go on at any time.

    nice python tools/demo_model/train.py --work build/demo_model --steps 4000 [--resume]

The learning rate warms up, stays, and over the last 40 % of the steps falls linearly to zero, while the
mixture leans to dialogues and short tales. So a run may be stopped at any step S and resumed with
--steps S / 0.6 to end well. WORK/last.pt is written every few minutes with a running mean of the
weights, which is usable before the end.
"""
from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from model import Config, Llama
from muon import Muon

# Share of rows by stream: while the rate stays, and when it has fallen to zero.
MIXTURE = {"fairy": (0.18, 0.16), "novels": (0.02, 0.00), "tales": (0.02, 0.02),
           "stories": (0.36, 0.37), "persona": (0.13, 0.13), "roleplay": (0.01, 0.01),
           "chatterbot": (0.02, 0.02), "handwritten": (0.26, 0.29)}
ROWS, CONTEXT = 8, 512
MUON_LR, ADAM_LR = 0.018, 0.003
WARMUP_STEPS, STABLE_PART = 40, 0.6
AVERAGE_BETA = 0.99


class Stream:
    """Documents of one source in a new random order each epoch; rows begin at a document."""

    def __init__(self, path: Path, seed: int) -> None:
        arrays = np.load(path)
        self.tokens, self.starts = arrays["tokens"], arrays["starts"]
        self.rng = np.random.default_rng(seed)
        self.order: list[int] = []

    def row(self, length: int) -> np.ndarray:
        parts: list[np.ndarray] = []
        while sum(map(len, parts)) < length:
            if not self.order:
                self.order = self.rng.permutation(len(self.starts) - 1).tolist()
            i = self.order.pop()
            parts.append(self.tokens[self.starts[i]:self.starts[i + 1]])
        return np.concatenate(parts)[:length]


class Mixture:
    def __init__(self, work: Path, seed: int) -> None:
        self.streams = [Stream(work / f"{n}.train.npz", seed + i) for i, n in enumerate(MIXTURE)]
        self.rng = np.random.default_rng(seed)

    def batch(self, decay: float) -> tuple[Tensor, Tensor]:
        """ids and next ids [ROWS, CONTEXT]; `decay` is 0 while the rate stays and 1 at the end."""
        share = np.array([a + (b - a) * decay for a, b in MIXTURE.values()])
        picks = self.rng.choice(len(share), size=ROWS, p=share / share.sum())
        rows = np.stack([self.streams[i].row(CONTEXT + 1) for i in picks]).astype(np.int64)
        ids = torch.from_numpy(rows)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


@torch.no_grad()
def held_out_loss(model: Llama, work: Path, max_rows: int = 16) -> dict[str, float]:
    """Mean loss per token and stream over up to `max_rows` packed held-out rows."""
    losses = {}
    for name in MIXTURE:
        stream = Stream(work / f"{name}.heldout.npz", seed=0)
        count = min(max_rows, max(1, len(stream.tokens) // CONTEXT))
        rows = np.stack([stream.row(CONTEXT + 1) for _ in range(count)]).astype(np.int64)
        parts = torch.from_numpy(rows).split(8)
        losses[name] = float(sum(model(p[:, :-1], p[:, 1:].contiguous()) * len(p)
                                 for p in parts) / count)
    return losses


class Trainer:
    def __init__(self, work: Path, num_steps: int, minutes: float = float("inf")) -> None:
        torch.manual_seed(0)
        self.work, self.num_steps, self.minutes = work, num_steps, minutes
        self.model = Llama(Config())
        matrices = [p for n, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in n]
        rest = [p for n, p in self.model.named_parameters() if p.ndim == 1 or "embed" in n]
        self.optimizers = [Muon(matrices, lr=MUON_LR),
                           torch.optim.AdamW(rest, lr=ADAM_LR, betas=(0.9, 0.95), weight_decay=0.0)]
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.step, self.tokens, self.elapsed_s = 0, 0, 0.0

    def progress(self) -> float:
        return max(self.step / self.num_steps, self.elapsed_s / 60 / self.minutes)

    def decay(self) -> float:
        return min(1.0, max(0.0, (self.progress() - STABLE_PART) / (1 - STABLE_PART)))

    def train_step(self, data: Mixture) -> float:
        decay = self.decay()
        rate = min(1.0, (self.step + 1) / WARMUP_STEPS) * (1 - decay)
        with torch.autocast("cpu", dtype=torch.bfloat16):  # products only; weights and loss stay float32
            loss = self.model(*data.batch(decay))
        loss.backward()
        for optimizer, lr in zip(self.optimizers, (MUON_LR, ADAM_LR)):
            for group in optimizer.param_groups:
                group["lr"] = lr * rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)
        self.step, self.tokens = self.step + 1, self.tokens + ROWS * CONTEXT
        weight = 1 - min(AVERAGE_BETA, self.step / (self.step + 10))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, weight)
        return float(loss.detach())

    def save(self) -> None:
        state = {"model": self.model.state_dict(), "average": self.average, "step": self.step,
                 "tokens": self.tokens, "elapsed_s": self.elapsed_s,
                 "optimizers": [o.state_dict() for o in self.optimizers]}
        torch.save(state, self.work / "last.pt.tmp")
        (self.work / "last.pt.tmp").replace(self.work / "last.pt")

    def start_from(self, folder: Path) -> None:
        """The weights of a checkpoint folder, with fresh optimiser states."""
        weights = {k: v.float() for k, v in load_file(folder / "model.safetensors").items()}
        self.model.load_state_dict(weights)
        self.average = {k: v.clone() for k, v in weights.items()}

    def load(self) -> None:
        state = torch.load(self.work / "last.pt")
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.step, self.tokens = state["step"], state["tokens"]
        self.elapsed_s = state["elapsed_s"]

    def run(self, save_every_s: float) -> None:
        data, last = Mixture(self.work, seed=self.step), time.monotonic()
        saved_s, losses = self.elapsed_s, []
        while self.progress() < 1:
            losses.append(self.train_step(data))
            now = time.monotonic()
            self.elapsed_s, last = self.elapsed_s + now - last, now
            if self.step % 10 == 0:
                print(json.dumps({"step": self.step, "loss": round(float(np.mean(losses[-10:])), 4),
                                  "minutes": round(self.elapsed_s / 60, 1), "tokens": self.tokens,
                                  "decay": round(self.decay(), 3)}), flush=True)
            if self.elapsed_s - saved_s > save_every_s:
                saved_s = self.elapsed_s
                self.save()
        self.save()
        print(json.dumps({"held_out": held_out_loss(self.model, self.work)}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/demo_model"))
    parser.add_argument("--steps", type=int, default=4000, help="in all, resumes included")
    parser.add_argument("--minutes", type=float, default=float("inf"),
                        help="end by this wall-clock time, pauses of the machine's other work included")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save-every", type=float, default=180, help="seconds")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start-from", type=Path, help="folder of a checkpoint of this shape")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    trainer = Trainer(args.work, args.steps, args.minutes)
    if args.resume:
        trainer.load()
    elif args.start_from:
        trainer.start_from(args.start_from)
    trainer.run(args.save_every)


if __name__ == "__main__":
    main()
