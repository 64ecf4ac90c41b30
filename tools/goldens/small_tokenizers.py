"""Tokenizers of about 300 entries, so that the small checkpoints are whole and GGUF files can be made."""
import io
import json
import pathlib

import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

TEXT = """the cat sat on the mat and then the hen ran to the tent
an ant ate the oat in the tin and the man set the net at ten
he and she had a tea and a date on the east seat at the sea
this is that and those are these in the rain on the train to the tree""".split("\n")
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")  # that of Qwen2


def write_sentencepiece(folder: pathlib.Path, vocab_size: int) -> None:
    """tokenizer.model: <unk> <s> </s>, 256 byte pieces, then merges and letters."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT), model_writer=model, vocab_size=vocab_size, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", num_threads=1, minloglevel=2)
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    write_json(folder / "tokenizer_config.json",
               {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>",
                "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False, "legacy": False})


def write_byte_level(folder: pathlib.Path, bos: int, eos: int) -> None:
    """tokenizer.json: 256 bytes and merges up to `bos`, then <|startoftext|> and <|endoftext|>."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=bos, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    assert (tokenizer.token_to_id("<|startoftext|>"), tokenizer.token_to_id("<|endoftext|>")) == (bos, eos)
    write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    write_json(folder / "tokenizer_config.json",
               {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|startoftext|>",
                "eos_token": "<|endoftext|>", "add_bos_token": False})


def write_json(path: pathlib.Path, value) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
