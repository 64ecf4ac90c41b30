"""Writes components.json: small tokenizers of every kind with the ids and texts that Hugging Face's
`tokenizers` gives for them. Needs the Python package tokenizers; run from this folder."""
import json
import random

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)

random.seed(7)
CORPUS = [
    "Hello world, this is a test of tokenizers. It isn't the 1st one!",
    "The quick brown fox jumps over the lazy dog 1234567890 times; naïve café déjà vu.",
    "日本語のテキスト 中文文本 한국어 텍스트 \u0e44\u0e17\u0e22 \u0939\u093f\u0928\u094d\u0926\u0940",
    "\U0001f680 (normal) \U0001f636\u200d\U0001f32b\ufe0f (emoji) ✅  e\u0301 \u00e9 ﬁ Ａ ½ ² İ ß ſ",
    "def f(x):\n    return x + 1\n\n\n\tprint('a  b   c')\r\n",
    "user@example.com https://example.com/a?b=c&d=e <tag> [INST] </s> <s>",
] * 3
TEXTS = CORPUS[:6] + [
    "", " ", "  ", "\n", "a", " a", "a ", "  a  b  ", "Hello", "HELLO", "I'll we've you're IT'S",
    "<s>", "a<s>b", " <s> </s> <mask> x", "x<mask>y <mask>", "<mask>\n\n<mask>", "word<word>word <word> .<word>.",
    "a\u0300\u0301 q\u0307\u0323 \u1100\u1161\u11a8 \uac01", "\u2581x \u2581\u2581 y\u2581", "ABC123def456",
    "unknown \u2603 \ud7ff \U0001f999", "!!!???...", "''''", "12 345 6789", "x" * 120, "the the the",
    "tab\tnew\nline\u00a0nbsp\u3000wide\u200bzero\ufeffbom\u0085nel", "don't do not ' s", "<0x41> <0x0A>",
    "한국어 텍스트 각", "\u0130stanbul \u1e9e \u03a3\u03c2", "\x01\x02ab\x7f\u00adc\ufffd",
]
ALPHABET = list("abcdefgh THE the 0123 .,!?'\n\t<>s/|") + ["é", "e\u0301", "中", "文", "の", "\U0001f680", "ﬁ", "\u2581", "İ", "ｱ\uff9e",
                                                           "\u00a0", "\u0301", "<s>", "</s>", "<mask>", " <mask> ", "한", "\u1100\u1161"]
for _ in range(30):
    TEXTS.append("".join(random.choice(ALPHABET) for _ in range(random.randint(1, 40))))

SPECIAL = [AddedToken("<unk>", special=True, normalized=False), AddedToken("<s>", special=True, normalized=False),
           AddedToken("</s>", special=True, normalized=False), AddedToken("<mask>", special=True, lstrip=True, rstrip=True, normalized=False),
           AddedToken("<word>", single_word=True, normalized=False), AddedToken("Lazy", normalized=True)]


def finish(tok, specials=SPECIAL):
    tok.add_special_tokens([t for t in specials if t.special])
    tok.add_tokens([t for t in specials if not t.special])
    return tok


def bpe(pre, norm=None, dec=None, byte_level=True, **kwargs):
    tok = Tokenizer(models.BPE(unk_token=None if byte_level else "<unk>", **kwargs))
    if norm: tok.normalizer = norm
    if pre: tok.pre_tokenizer = pre
    if dec: tok.decoder = dec
    affixes = {k: v for k, v in kwargs.items() if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    first = [] if byte_level else ["<unk>"] + (["<0x%02X>" % b for b in range(256)] if kwargs.get("byte_fallback") else [])
    trainer = trainers.BpeTrainer(vocab_size=len(first) + 330, special_tokens=first, show_progress=False, **affixes,
                                  limit_alphabet=60 if not byte_level else 1000,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if byte_level else [])
    tok.train_from_iterator(CORPUS, trainer)
    return tok


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
ODD = r"[\p{L}&&[^\p{Han}]]+|\p{Han}|[\d[_]]{1,2}+|\h|\s+$|[^\s\w]++|\w"
byte_dec = decoders.ByteLevel()
meta_dec = lambda: decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
P, N, D = pre_tokenizers, normalizers, decoders
made = {}
made["bpe-gpt2"] = finish(bpe(P.ByteLevel(add_prefix_space=False), dec=byte_dec))
made["bpe-prefix-space"] = finish(bpe(P.ByteLevel(add_prefix_space=True), dec=byte_dec))
made["bpe-llama3"] = finish(bpe(P.Sequence([P.Split(Regex(LLAMA3), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), dec=byte_dec))
made["bpe-odd-regex"] = finish(bpe(P.Sequence([P.Split(Regex(ODD), "isolated"), P.ByteLevel(add_prefix_space=False, use_regex=False)]), dec=byte_dec))
made["bpe-nfc-digits"] = finish(bpe(P.Sequence([P.Digits(individual_digits=True), P.ByteLevel(add_prefix_space=False)]), N.NFC(), byte_dec))
made["bpe-falcon"] = finish(bpe(P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(False), P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), dec=byte_dec))
made["bpe-metaspace-fallback"] = finish(bpe(None, N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")]), meta_dec(), byte_level=False, byte_fallback=True, fuse_unk=True))
made["bpe-metaspace-first"] = finish(bpe(P.Metaspace(prepend_scheme="first", split=False), None, meta_dec(), byte_level=False, byte_fallback=True))
made["bpe-fuse-unk"] = finish(bpe(P.Metaspace(), N.NFKC(), D.Metaspace(), byte_level=False, fuse_unk=True))
made["bpe-no-fuse"] = finish(bpe(P.Metaspace(prepend_scheme="never"), N.NFKD(), D.Metaspace(prepend_scheme="never"), byte_level=False))
made["bpe-suffix"] = finish(bpe(P.Whitespace(), N.Lowercase(), D.BPEDecoder("</w>"), byte_level=False, end_of_word_suffix="</w>"))
made["bpe-split-removed"] = finish(bpe(P.Sequence([P.Split(" ", "removed"), P.Punctuation()]), None, None, byte_level=False))
for behavior in ("merged_with_previous", "merged_with_next", "contiguous", "isolated", "removed"):
    for invert in (False, True):
        made[f"bpe-split-{behavior}-{invert}"] = finish(bpe(P.Split(Regex(r"[aeiou ]|\d+"), behavior, invert), None, D.Fuse(), byte_level=False))
made["bpe-strip"] = finish(bpe(P.WhitespaceSplit(), N.Sequence([N.Strip(), N.NFD(), N.StripAccents(), N.Replace(Regex(r"\d+|l+"), "#")]), D.Strip("a", 1, 0), byte_level=False))
made["bpe-nmt"] = finish(bpe(P.CharDelimiterSplit("e"), N.Sequence([N.Nmt(), N.Strip(True, False)]), D.Fuse(), byte_level=False))
made["bpe-byte-normalizer"] = finish(bpe(None, N.ByteLevel(), byte_dec))
made["bpe-no-decoder"] = finish(bpe(P.Digits(), None, None, byte_level=False))

wp = Tokenizer(models.WordPiece(unk_token="[UNK]"))
wp.normalizer, wp.pre_tokenizer, wp.decoder = N.BertNormalizer(), P.BertPreTokenizer(), D.WordPiece()
wp.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=400, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False, limit_alphabet=60))
wp.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
made["wordpiece-bert"] = finish(wp)
wp2 = Tokenizer.from_str(wp.to_str())
wp2.normalizer = N.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
wp2.decoder = D.WordPiece(cleanup=False)
wp2.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
made["wordpiece-cased"] = wp2

for fallback in (False, True):
    first = ["<unk>"] + (["<0x%02X>" % b for b in range(256)] if fallback else [])
    uni = Tokenizer(models.Unigram())
    uni.normalizer, uni.pre_tokenizer, uni.decoder = N.NFKC(), P.Metaspace(), D.Metaspace()
    uni.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=first, unk_token="<unk>", show_progress=False))
    state = json.loads(uni.to_str())
    state["model"]["byte_fallback"] = fallback
    uni = finish(Tokenizer.from_str(json.dumps(state)))
    uni.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", uni.token_to_id("<s>")), ("</s>", uni.token_to_id("</s>"))])
    made[f"unigram-fallback-{fallback}"] = uni

wl = Tokenizer(models.WordLevel(unk_token="<unk>"))
wl.pre_tokenizer = P.Whitespace()
wl.train_from_iterator(CORPUS, trainers.WordLevelTrainer(vocab_size=60, special_tokens=["<unk>"], show_progress=False))
made["wordlevel"] = finish(wl)

out = []
for name, tok in made.items():
    cases = []
    for text in TEXTS:
        ids = tok.encode(text).ids
        plain = tok.encode(text, add_special_tokens=False).ids
        # Version 0.23 decodes added tokens that are `normalized` to their normalized content: we give their own.
        normalized = tok.token_to_id("Lazy") in ids
        cases.append({"text": text, "ids": ids, "plain": plain if plain != ids else None,
                      "decoded": None if normalized else tok.decode(ids),
                      "decoded_all": None if normalized else tok.decode(ids, skip_special_tokens=False)})
    size = tok.get_vocab_size()
    runs = []
    for _ in range(15):
        ids = [random.randrange(size) for _ in range(random.randint(1, 12))]
        ids = [i for i in ids if i != tok.token_to_id("Lazy")]
        runs.append({"ids": ids, "decoded": tok.decode(ids)})
    out.append({"name": name, "tokenizer": json.loads(tok.to_str()), "cases": cases, "runs": runs})
with open("components.json", "w") as f:
    json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
    f.write("\n")
