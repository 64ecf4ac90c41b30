"""llama.cpp measured through its own C functions: a process that loads a model once and answers on a pipe.

    python llama_worker.py MODEL.gguf THREADS DEPTH

Reads a JSON object a line from stdin, {"measure": NAME, "flash": BOOL, ...}, and answers {"tokens_per_s": X}
on stdout. DEPTH is the deepest context that will be asked for. What Python does (filling batches) is
done before the clock starts, except for about 2 us per call.
"""
import ctypes
import json
import statistics
import sys
import time

import llama_cpp

MICRO_BATCH = 512  # llama.cpp's own default
CELLS = 256  # by which it rounds the context of a sequence up


class Batch:
    """Tokens of sequences at positions, and after which of them logits are wanted."""

    def __init__(self, entries: list[tuple[int, int, bool]]):
        self.raw = llama_cpp.llama_batch_init(len(entries), 0, 1)
        self.raw.n_tokens = len(entries)
        for i, (sequence, position, logits) in enumerate(entries):
            self.raw.token[i] = (i * 7919 + position * 104729 + 13) % 20000
            self.raw.pos[i] = position
            self.raw.n_seq_id[i] = 1
            self.raw.seq_id[i][0] = sequence
            self.raw.logits[i] = logits

    def __del__(self):
        llama_cpp.llama_batch_free(self.raw)


def prompt_batches(sequences: int, begin: int, end: int) -> list[Batch]:
    """Every sequence's tokens [begin, end), in pieces; logits after the last."""
    entries = [(s, p, p == end - 1) for s in range(sequences) for p in range(begin, end)]
    return [Batch(entries[i:i + MICRO_BATCH]) for i in range(0, len(entries), MICRO_BATCH)]


class Context:
    """One cache of keys and values, and what is timed in it."""

    def __init__(self, model, threads: int, flash: bool, sequences: int, length: int):
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = sequences * -(-length // CELLS) * CELLS
        params.n_batch = params.n_ubatch = MICRO_BATCH
        params.n_seq_max = sequences
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = (llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash
                                  else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED)
        params.kv_unified = False  # sequences share nothing, as these do not
        self.sequences = sequences
        self.raw = llama_cpp.llama_init_from_model(model, params)
        if not self.raw:
            raise RuntimeError("llama.cpp could not make a context")
        self.memory = llama_cpp.llama_get_memory(self.raw)
        self.filled = 0  # tokens of each sequence that `fill` put there

    def run(self, batch: Batch) -> float:
        start = time.perf_counter()
        if llama_cpp.llama_decode(self.raw, batch.raw) != 0:
            raise RuntimeError("llama_decode failed")
        llama_cpp.llama_synchronize(self.raw)
        return time.perf_counter() - start

    def fill(self, begin: int, end: int) -> float:
        """Seconds to take in the tokens [begin, end) of every sequence; what lay there is forgotten."""
        for sequence in range(self.sequences):
            llama_cpp.llama_memory_seq_rm(self.memory, sequence, begin, -1)
        batches = prompt_batches(self.sequences, begin, end)
        self.filled = end
        return sum(self.run(batch) for batch in batches)

    def decode(self, begin: int, tokens: int) -> list[float]:
        """Seconds of each step that appends a token to every sequence."""
        steps = [Batch([(s, position, True) for s in range(self.sequences)])
                 for position in range(begin, begin + tokens)]
        for sequence in range(self.sequences):
            llama_cpp.llama_memory_seq_rm(self.memory, sequence, begin, -1)
        return [self.run(step) for step in steps]


class Worker:
    def __init__(self, path: str, threads: int, depth: int):
        params = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            raise RuntimeError(f"llama.cpp could not load {path}")
        self.threads, self.depth = threads, depth
        self.contexts: dict[tuple, Context] = {}

    def context(self, flash: bool, kind: str, sequences: int, length: int) -> Context:
        """Made when it is first asked for."""
        key = (flash, kind)
        if key not in self.contexts:
            self.contexts[key] = Context(self.model, self.threads, flash, sequences, length)
        return self.contexts[key]

    def deep_context(self, flash: bool, length: int) -> Context:
        """One that is filled as deep as will be asked for; that of a prompt of that length is."""
        prompt = self.contexts.get((flash, "prompt"))
        if prompt and prompt.filled == self.depth:
            return prompt
        context = self.context(flash, "deep", 1, length)
        if context.filled < self.depth:
            context.fill(0, self.depth)
        return context

    def decode(self, flash: bool, depth: int, tokens: int, rounds: int) -> float:
        context = (self.deep_context(flash, depth + tokens) if depth > 0
                   else self.context(flash, "shallow", 1, tokens))
        return 1 / statistics.median(s for _ in range(rounds) for s in context.decode(depth, tokens))

    def prefill(self, flash: bool, tokens: int, rounds: int) -> float:
        context = self.context(flash, "prompt", 1, tokens + CELLS)  # where a decode may follow
        return tokens / statistics.median(context.fill(0, tokens) for _ in range(rounds))

    def batch(self, flash: bool, sequences: int, prompt: int, tokens: int, rounds: int) -> float:
        context = self.context(flash, "batch", sequences, prompt + tokens)
        seconds = []
        for _ in range(rounds):
            context.fill(0, prompt)
            seconds.append(sum(context.decode(prompt, tokens)))
        return sequences * tokens / statistics.median(seconds)


@llama_cpp.llama_log_callback
def say_nothing(_level, _text, _data):
    pass


def be_quiet() -> None:
    llama_cpp.llama_log_set(say_nothing, ctypes.c_void_p(0))


def main() -> None:
    be_quiet()
    worker = Worker(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({"system": llama_cpp.llama_print_system_info().decode()}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        measure = getattr(worker, asked.pop("measure"))
        print(json.dumps({"tokens_per_s": measure(**asked)}), flush=True)


if __name__ == "__main__":
    main()
