#include "tokenizer/gguf_pre.h"

#include <algorithm>
#include <array>

namespace orrery::tokenizer {
namespace {

using Family = ScanStyle::Family;

// DeepSeek LLM: cased letters of Latin, Greek, Cyrillic and other scripts.
constexpr std::string_view kDeepSeekWords =
    R"(\s?[)"
    R"(A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"
    R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-)"
    R"(\x{38A}\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-)"
    R"(\x{556}\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-)"
    R"(\x{1CBF}\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-)"
    R"(\x{1F1D}\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D})"
    R"(\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4}\x{1FC6}-)"
    R"(\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4}\x{1FF6}-)"
    R"(\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124}\x{2126})"
    R"(\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F}\x{2145}-\x{2149})"
    R"(\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4}\x{2CEB}-\x{2CEE}\x{2CF2})"
    R"(\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F}\x{A771}-\x{A787}\x{A78B}-)"
    R"(\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17}\x{FF21}-\x{FF3A}\x{FF41}-)"
    R"(\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2})"
    R"(\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943})"
    R"(]+)";
constexpr std::string_view kDeepSeekSigns =
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3000}-\x{3002}]+)";
constexpr std::string_view kDeepSeekCjk =
    R"([\x{4E00}-\x{9FA5}\x{800}-\x{4E00}\x{AC00}-\x{D7FF}]+)";
constexpr std::string_view kDeepSeekV3 =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kBloom =
    R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)";

template <size_t n>
bool among(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void add_scan(const ScanStyle& style, PreTokenizerOps& out) {
  out.push_back(make_split(Pattern::scanner(style), SplitBehavior::kIsolated, false));
}
Status add_regex(std::string_view regex, std::string_view where, PreTokenizerOps& out) {
  ASSIGN_OR_RETURN(Pattern pattern, Pattern::regex(regex, where));
  out.push_back(make_split(std::move(pattern), SplitBehavior::kIsolated, false));
  return {};
}
void add_digits(bool each, PreTokenizerOps& out) {
  out.push_back(make_char_split(CharKind::kDigit,
                                each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous));
}

Status add_deepseek(std::string_view name, std::string_view where, PreTokenizerOps& out) {
  if (name == "deepseek-v3" || name == "hunyuan-dense") {
    RETURN_IF_ERROR(add_regex(R"(\p{N}{1,3})", where, out));
    RETURN_IF_ERROR(
        add_regex(R"([\x{4E00}-\x{9FA5}\x{3040}-\x{309F}\x{30A0}-\x{30FF}]+)", where, out));
    return add_regex(kDeepSeekV3, where, out);
  }
  RETURN_IF_ERROR(add_regex(R"([\r\n])", where, out));
  if (name == "deepseek-llm") {
    RETURN_IF_ERROR(add_regex(kDeepSeekWords, where, out));
    RETURN_IF_ERROR(add_regex(kDeepSeekSigns, where, out));
    RETURN_IF_ERROR(add_regex(R"(\s+$)", where, out));
    RETURN_IF_ERROR(add_regex(kDeepSeekCjk, where, out));
    add_digits(false, out);
    return {};
  }
  RETURN_IF_ERROR(add_regex(R"(\s?\p{L}+)", where, out));
  RETURN_IF_ERROR(add_regex(R"(\s?\p{P}+)", where, out));
  RETURN_IF_ERROR(add_regex(kDeepSeekCjk, where, out));
  add_digits(true, out);
  return {};
}

// Punctuation in runs, then GPT-2's words, then digits in groups of three from the left. The
// digits are looked for among the byte-level characters, as Falcon's own tokenizer does.
Status add_falcon(std::string_view where, PreTokenizerOps& out) {
  out.push_back(make_char_split(CharKind::kPunctuation, SplitBehavior::kContiguous));
  add_scan({}, out);
  out.push_back(make_byte_level_map());
  add_digits(false, out);
  return add_regex("[0-9][0-9][0-9]", where, out);
}

}  // namespace

Result<GgufPre> gguf_pre(std::string_view name, std::string_view where) {
  constexpr std::array<std::string_view, 13> kGpt2 = {
      "gpt-2",      "gpt2", "phi-2", "jina-es", "jina-de",     "jina-v1-en", "jina-v2-es",
      "jina-v2-de", "mpt",  "olmo",  "jais",    "roberta-bpe", "gigachat"};
  constexpr std::array<std::string_view, 10> kLlama3 = {
      "llama3",    "llama-v3", "llama-bpe", "falcon3", "pixtral",
      "falcon-h1", "dbrx",     "smaug-bpe", "glm4",    "chatglm-bpe"};
  constexpr std::array<std::string_view, 5> kQwen2 = {"qwen2", "deepseek-r1-qwen", "megrez",
                                                      "stablelm2", "hunyuan"};
  constexpr std::array<std::string_view, 8> kDigitsFirst = {
      "starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "granite"};
  GgufPre pre;
  PreTokenizerOps& ops = pre.pre_tokenizers;
  if (among(name, kGpt2)) {
    add_scan({}, ops);
  } else if (among(name, kLlama3)) {
    add_scan({Family::kCl100k, 3, false, true}, ops);
    const bool llama = name.starts_with("llama");
    pre.ignore_merges = llama || name.starts_with("falcon") || name == "pixtral";
    pre.add_bos = llama;
  } else if (among(name, kQwen2)) {
    add_scan({Family::kCl100k, 1, false, true}, ops);
    if (name == "qwen2" || name == "deepseek-r1-qwen") {
      pre.normalizers.push_back(make_unicode_form(NormalForm::kNfc));
    }
  } else if (name == "gpt-4o" || name == "llama4") {
    add_scan({Family::kO200k, 3, true, true}, ops);
  } else if (name == "tekken") {
    add_scan({Family::kO200k, 1, true, false}, ops);
    pre.ignore_merges = true;
    pre.add_bos = true;
  } else if (among(name, kDigitsFirst)) {
    add_digits(true, ops);
    add_scan({}, ops);
  } else if (name.starts_with("deepseek-") || name == "hunyuan-dense") {
    if (name != "deepseek-llm" && name != "deepseek-coder" && name != "deepseek-v3" &&
        name != "hunyuan-dense") {
      return unsupported("{}: tokenizer.ggml.pre \"{}\" is not known", where, name);
    }
    RETURN_IF_ERROR(add_deepseek(name, where, ops));
  } else if (name == "falcon") {
    RETURN_IF_ERROR(add_falcon(where, ops));
    pre.map_bytes = false;
  } else if (name == "bloom" || name == "poro-chat" || name == "gpt3-finnish") {
    RETURN_IF_ERROR(add_regex(kBloom, where, ops));
  } else if (name == "default") {
    RETURN_IF_ERROR(add_regex(R"([\p{P}\$\+<=>\^~\|]+)", where, ops));
    add_scan({}, ops);
    RETURN_IF_ERROR(add_regex(R"(\p{N}+)", where, ops));
    RETURN_IF_ERROR(add_regex("[0-9][0-9][0-9]", where, ops));
  } else {
    return unsupported("{}: tokenizer.ggml.pre \"{}\" is not known", where, name);
  }
  return pre;
}

}  // namespace orrery::tokenizer
