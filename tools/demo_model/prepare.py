"""Clean the sources, split off the held-out documents, train the tokenizer, write the token arrays.

    python tools/demo_model/prepare.py --data ../shared/data --out build/demo_model

Writes OUT/tokenizer.json and, for each stream and split, OUT/<stream>.<split>.npz holding `tokens`
(uint16) and `starts` (int64, first token of each document). A stream is a source, but the books give
three: `fairy`, `novels`, and `tales`, which holds whole short tales as chat turns.
"""
from __future__ import annotations

import argparse
import hashlib
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from sources import Document, Turns, read_all

SPECIALS = ["<|bos|>", "<|eos|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
BOS, EOS, SYSTEM, USER, ASSISTANT, END = range(len(SPECIALS))
ROLE = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}
VOCAB_SIZE = 4096
# The Llama 3 pattern, so that an engine's pre-tokenizer for that family serves here too.
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
           r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
PASSAGE_CHARS = 1500  # about 390 tokens: one passage fits the 512-token context
TALE_PROMPTS = ["Tell me a story.", "Tell me a short story.", "Can you tell me a story?",
                "Please tell me a tale.", "Tell me the story of {title}.",
                "Tell me a story: {title}.", "Do you know the tale of {title}?"]


def held_out(document: Document) -> bool:
    """3 % of the documents, by a hash of the key, so the split does not depend on order or seed."""
    digest = hashlib.sha256(f"{document.source}:{document.key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < 3


def train_tokenizer(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", BOS)])
    return tokenizer


def passages(text: str) -> list[str]:
    """Cut at paragraph ends into pieces of about PASSAGE_CHARS."""
    pieces, piece = [], ""
    for paragraph in text.split("\n\n"):
        if piece and len(piece) + len(paragraph) > PASSAGE_CHARS:
            pieces.append(piece)
            piece = ""
        piece = f"{piece}\n\n{paragraph}" if piece else paragraph
    return pieces + [piece]


def encode_prose(tokenizer: Tokenizer, text: str) -> list[list[int]]:
    """One row per passage; only the last, where the chapter ends, closes with eos."""
    rows = [e.ids for e in tokenizer.encode_batch(passages(text))]
    rows[-1].append(EOS)
    return rows


def encode_turns(tokenizer: Tokenizer, turns: Turns) -> list[int]:
    """The same ids as the chat template of export.py gives."""
    ids = [BOS]
    for role, text in turns:
        ids += [ROLE[role], *tokenizer.encode(text.strip(), add_special_tokens=False).ids, END]
    return ids


def tale_turns(document: Document, rng: random.Random) -> Turns:
    title = document.title
    for article in ("The ", "A ", "An "):
        if title.startswith(article):
            title = article.lower() + title[len(article):]
    return [("user", rng.choice(TALE_PROMPTS).format(title=title)),
            ("assistant", passages(document.text)[0])]


def encode_streams(tokenizer: Tokenizer, documents: list[Document]) -> dict[str, list[list[int]]]:
    rng = random.Random(11)
    streams: dict[str, list[list[int]]] = defaultdict(list)
    for document in documents:
        if document.turns:
            streams[document.source].append(encode_turns(tokenizer, document.turns))
            continue
        streams[document.stream] += encode_prose(tokenizer, document.text)
        if document.title and len(passages(document.text)) == 1:
            streams["tales"].append(encode_turns(tokenizer, tale_turns(document, rng)))
    return streams


def save(path: Path, rows: list[list[int]]) -> None:
    lengths = [len(row) for row in rows]
    tokens = np.fromiter((t for row in rows for t in row), dtype=np.uint16, count=sum(lengths))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    np.savez(path, tokens=tokens, starts=starts)
    print(f"{path.name}: {len(rows)} documents, {len(tokens)} tokens")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/demo_model"))
    parser.add_argument("--tokenizer", type=Path, help="keep this tokenizer.json, to go on training "
                        "weights that were trained with it")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    split: dict[bool, list[Document]] = {False: [], True: []}
    for document in read_all(args.data):
        split[held_out(document)].append(document)
    texts = [d.text or "\n".join(t for _, t in d.turns or []) for d in split[False]
             if d.source != "handwritten"]
    tokenizer = (Tokenizer.from_file(str(args.tokenizer)) if args.tokenizer
                 else train_tokenizer(texts))
    tokenizer.save(str(args.out / "tokenizer.json"))
    for is_held_out, documents in split.items():
        for name, rows in encode_streams(tokenizer, documents).items():
            save(args.out / f"{name}.{'heldout' if is_held_out else 'train'}.npz", rows)


if __name__ == "__main__":
    main()
