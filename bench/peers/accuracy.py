"""Perplexity of the same file on the same tokens by both programs.

Ours tokenizes: llama.cpp ends the process at a character that a small vocabulary has no piece for.
"""
import math
import pathlib

import numpy as np

from orrery import Orrery

PIECE = 600  # characters: a few hundred tokens, which fit the context of a small model
PIECES = 8  # of each text


def pieces(text: str) -> list[str]:
    found = [text[i:i + PIECE].strip() for i in range(0, len(text), PIECE)]
    return [piece for piece in found if len(piece) > PIECE // 2][:PIECES]


class Theirs:
    """Log-probabilities of prompts, by llama-cpp-python with its defaults."""

    def __init__(self, path: pathlib.Path, threads: int):
        import llama_cpp
        self.llama = llama_cpp.Llama(str(path), n_ctx=512, n_batch=512, n_threads=threads,
                                     n_threads_batch=threads, logits_all=True, verbose=False)

    def logprobs(self, ids: list[int]) -> list[float]:
        self.llama.reset()
        self.llama.eval(ids)
        logits = np.array(self.llama.scores[:len(ids) - 1], np.float64)
        logits -= logits.max(-1, keepdims=True)
        chosen = logits[np.arange(len(ids) - 1), ids[1:]]
        return list(chosen - np.log(np.exp(logits).sum(-1)))


def our_logprobs(orrery: Orrery, model: pathlib.Path, text: str) -> tuple[list[int], list[float]]:
    found = orrery.json_of("run", model, "-p", text, "--prompt-logprobs", 0, "--max-tokens", 1, *orrery.flags)
    return found["prompt_token_ids"], [one["logprob"] for one in found["prompt_logprobs"][1:]]


def perplexity(logprobs: list[float]) -> float:
    return math.exp(-sum(logprobs) / len(logprobs))


def compare(orrery: Orrery, model: pathlib.Path, texts: list[pathlib.Path]) -> dict:
    theirs = Theirs(model, orrery.threads)
    ours_all: list[float] = []
    theirs_all: list[float] = []
    for text in texts:
        for piece in pieces(text.read_text()):
            ids, ours = our_logprobs(orrery, model, piece)
            ours_all += ours
            theirs_all += theirs.logprobs(ids)
    return {"model": model.name, "tokens": len(ours_all), "ours": perplexity(ours_all),
            "theirs": perplexity(theirs_all)}
