"""A checkpoint folder of the Llama-3.2-1B shape: random bf16 weights, and Llama 3's tokenizer as published, which is
17 MB of JSON: 128,000 tokens, 280,147 merges. Needs the tokenizer's rank file and nothing beyond Python."""
import base64
import json
import pathlib
import random
import struct
from collections.abc import Iterator

HIDDEN, FFN, LAYERS, VOCAB, HEAD, HEADS, KV_HEADS = 2048, 8192, 16, 128256, 64, 32, 8
KV_BYTES_PER_BLOCK = 16 * LAYERS * 2 * KV_HEADS * HEAD * 2  # 16 tokens, keys and values, bf16

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
           r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
           "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>",
           "<|eom_id|>", "<|eot_id|>", "<|python_tag|>", *(f"<|reserved_special_token_{i}|>" for i in range(3, 248))]
CHAT_TEMPLATE = ("{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>"
                 "\n\n{{ message['content'] | trim }}<|eot_id|>{% endfor %}")


def tensors() -> Iterator[tuple[str, list[int]]]:
    q, kv = HEADS * HEAD, KV_HEADS * HEAD
    yield "model.embed_tokens.weight", [VOCAB, HIDDEN]  # also gives the logits
    for layer in range(LAYERS):
        for part, shape in (("self_attn.q_proj", [q, HIDDEN]), ("self_attn.k_proj", [kv, HIDDEN]),
                            ("self_attn.v_proj", [kv, HIDDEN]), ("self_attn.o_proj", [HIDDEN, q]),
                            ("mlp.gate_proj", [FFN, HIDDEN]), ("mlp.up_proj", [FFN, HIDDEN]),
                            ("mlp.down_proj", [HIDDEN, FFN]), ("input_layernorm", [HIDDEN]),
                            ("post_attention_layernorm", [HIDDEN])):
            yield f"model.layers.{layer}.{part}.weight", shape
    yield "model.norm.weight", [HIDDEN]


def write_weights(path: pathlib.Path) -> None:
    header, end = {}, 0
    for name, shape in tensors():
        begin, end = end, end + 2 * shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    # The high byte of a bf16 is sign and most of the exponent: here of numbers about 0.01 to 0.03.
    high = bytes(0x3C if i < 128 else 0xBC for i in range(256))
    rng = random.Random(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in tensors():
            if len(shape) == 1:
                file.write(b"\x80\x3f" * shape[0])
                continue
            for begin in range(0, shape[0], 4096):
                values = bytearray(rng.randbytes(2 * min(4096, shape[0] - begin) * shape[1]))
                values[1::2] = values[1::2].translate(high)
                file.write(values)


def byte_letters() -> list[str]:
    """How byte-level BPE writes the 256 bytes: printable ones as themselves, others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def tokenizer_json(ranks: pathlib.Path) -> dict:
    """As Hugging Face's converter does: a merge for each pair of tokens that spells a token."""
    letters = byte_letters()
    ids = {}
    for line in ranks.read_text().splitlines():
        token, rank = line.split()
        ids[base64.b64decode(token)] = int(rank)
    spelling = {token: "".join(letters[byte] for byte in token) for token in ids}
    merges = []
    for token in ids:
        cuts = [(token[:i], token[i:]) for i in range(1, len(token))]
        pairs = [pair for pair in cuts if pair[0] in ids and pair[1] in ids]
        pairs.sort(key=lambda pair: (ids[pair[0]], ids[pair[1]]))
        merges += [[spelling[left], spelling[right]] for left, right in pairs]
    added = [{"id": 128000 + i, "content": name, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, name in enumerate(SPECIAL)]
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]}, "post_processor": None,
            "decoder": {"type": "ByteLevel"},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {spelling[token]: rank for token, rank in ids.items()}, "merges": merges}}


def tokenizer_config() -> dict:
    added = {str(128000 + i): {"content": name, "lstrip": False, "normalized": False, "rstrip": False,
                               "single_word": False, "special": True} for i, name in enumerate(SPECIAL)}
    return {"added_tokens_decoder": added, "bos_token": SPECIAL[0], "eos_token": "<|eot_id|>",
            "chat_template": CHAT_TEMPLATE, "clean_up_tokenization_spaces": True,
            "model_max_length": 131072, "tokenizer_class": "PreTrainedTokenizerFast"}


def config() -> dict:
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
            "intermediate_size": FFN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "vocab_size": VOCAB, "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
            "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                             "original_max_position_embeddings": 8192, "rope_type": "llama3"},
            "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009]}


def make(folder: pathlib.Path, ranks: pathlib.Path) -> None:
    """All files that are not there yet; the weights last, so that what is interrupted is made anew."""
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("tokenizer.json", tokenizer_json(ranks)), ("tokenizer_config.json", tokenizer_config()),
                          ("config.json", config())):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=2))
    write_weights(folder / "unfinished")
    (folder / "unfinished").rename(folder / "model.safetensors")
