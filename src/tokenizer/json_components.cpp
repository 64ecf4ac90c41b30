// Normalizers, pre-tokenizers and decoders of tokenizer.json.
#include <array>

#include "base/utf8.h"
#include "tokenizer/base64.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581
constexpr int kMaxDepth = 16;

// Calls each(element) for a Sequence's members.
template <typename Each>
Status for_each_member(JsonElement json, std::string_view key, std::string_view where,
                       const Each& each) {
  const auto list = json_member(json, key);
  if (!list.has_value() || !list->is_array()) {
    return malformed("{}: Sequence: expected an array \"{}\"", where, key);
  }
  simdjson::dom::array array;
  if (list->get_array().get(array) != simdjson::SUCCESS) return malformed("{}: {}", where, key);
  for (const JsonElement element : array) RETURN_IF_ERROR(each(element));
  return {};
}

// {"String": ...} or {"Regex": ...}
Result<Pattern> json_pattern(JsonElement json, std::string_view where) {
  const auto pattern = json_member(json, "pattern");
  if (pattern.has_value()) {
    if (const auto text = json_string(*pattern, "String")) {
      return Pattern::literal(std::string(*text));
    }
    if (const auto regex = json_string(*pattern, "Regex")) return Pattern::regex(*regex, where);
  }
  return malformed("{}: expected a \"pattern\" of String or Regex", where);
}

Status unknown_type(std::string_view kind, std::optional<std::string_view> type,
                    std::string_view where) {
  if (!type.has_value()) return malformed("{}: {}: expected a \"type\"", where, kind);
  return unsupported("{}: {} {} is not supported", where, kind, *type);
}

std::string replacement_of(JsonElement json) {
  return std::string(json_string(json, "replacement").value_or(kSpaceSymbol));
}

PrependScheme scheme_of(JsonElement json) {
  const auto scheme = json_string(json, "prepend_scheme");
  if (scheme == "first") return PrependScheme::kFirst;
  if (scheme == "never") return PrependScheme::kNever;
  if (scheme == "always") return PrependScheme::kAlways;
  return json_bool(json, "add_prefix_space").value_or(true) ? PrependScheme::kAlways
                                                            : PrependScheme::kNever;
}

Status normalizer(JsonElement json, std::string_view where, int depth, NormalizerOps& out) {
  if (depth > kMaxDepth) return malformed("{}: normalizers nested too deep", where);
  const auto type = json_string(json, "type");
  if (type == "Sequence") {
    return for_each_member(json, "normalizers", where, [&](JsonElement member) {
      return normalizer(member, where, depth + 1, out);
    });
  }
  if (type == "NFC") {
    out.push_back(make_unicode_form(NormalForm::kNfc));
  } else if (type == "NFD") {
    out.push_back(make_unicode_form(NormalForm::kNfd));
  } else if (type == "NFKC") {
    out.push_back(make_unicode_form(NormalForm::kNfkc));
  } else if (type == "NFKD") {
    out.push_back(make_unicode_form(NormalForm::kNfkd));
  } else if (type == "Lowercase") {
    out.push_back(make_lowercase());
  } else if (type == "StripAccents") {
    out.push_back(make_strip_accents());
  } else if (type == "Nmt") {
    out.push_back(make_nmt());
  } else if (type == "ByteLevel") {
    out.push_back(make_byte_level_normalizer());
  } else if (type == "Strip") {
    out.push_back(make_strip(json_bool(json, "strip_left").value_or(true),
                             json_bool(json, "strip_right").value_or(true)));
  } else if (type == "Prepend") {
    out.push_back(make_prepend(std::string(json_string(json, "prepend").value_or(kSpaceSymbol))));
  } else if (type == "Replace") {
    ASSIGN_OR_RETURN(Pattern pattern, json_pattern(json, where));
    out.push_back(
        make_replace(std::move(pattern), std::string(json_string(json, "content").value_or(""))));
  } else if (type == "BertNormalizer") {
    BertNormalizerConfig config;
    config.clean_text = json_bool(json, "clean_text").value_or(true);
    config.handle_chinese_chars = json_bool(json, "handle_chinese_chars").value_or(true);
    config.lowercase = json_bool(json, "lowercase").value_or(true);
    config.strip_accents = json_bool(json, "strip_accents").value_or(config.lowercase);
    out.push_back(make_bert_normalizer(config));
  } else if (type == "Precompiled") {
    std::string blob;
    if (!decode_base64(json_string(json, "precompiled_charsmap").value_or(""), blob)) {
      return malformed("{}: precompiled_charsmap: expected base64", where);
    }
    ASSIGN_OR_RETURN(CharsMap map, CharsMap::parse(blob, where));
    out.push_back(make_precompiled(std::move(map)));
  } else {
    return unknown_type("normalizer", type, where);
  }
  return {};
}

Result<SplitBehavior> behavior_of(JsonElement json, SplitBehavior fallback,
                                  std::string_view where) {
  const auto name = json_string(json, "behavior");
  if (!name.has_value()) return fallback;
  if (*name == "Removed") return SplitBehavior::kRemoved;
  if (*name == "Isolated") return SplitBehavior::kIsolated;
  if (*name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (*name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (*name == "Contiguous") return SplitBehavior::kContiguous;
  return unsupported("{}: split behavior {} is not supported", where, *name);
}

// `map` is set while the latest step is the byte-level map, which is held back from `out` so that
// the caller may fuse it.
Status pre_tokenizer(JsonElement json, std::string_view where, int depth, bool& map,
                     PreTokenizerOps& out) {
  if (depth > kMaxDepth) return malformed("{}: pre-tokenizers nested too deep", where);
  const auto type = json_string(json, "type");
  if (type == "Sequence") {
    return for_each_member(json, "pretokenizers", where, [&](JsonElement member) {
      return pre_tokenizer(member, where, depth + 1, map, out);
    });
  }
  if (map) out.push_back(make_byte_level_map());
  map = false;
  if (type == "ByteLevel") {
    if (json_bool(json, "add_prefix_space").value_or(true)) out.push_back(make_prepend_space());
    if (json_bool(json, "use_regex").value_or(true)) {
      out.push_back(make_split(Pattern::scanner(ScanStyle{}), SplitBehavior::kIsolated, false));
    }
    map = true;
  } else if (type == "Split") {
    ASSIGN_OR_RETURN(Pattern pattern, json_pattern(json, where));
    ASSIGN_OR_RETURN(const SplitBehavior behavior,
                     behavior_of(json, SplitBehavior::kIsolated, where));
    out.push_back(
        make_split(std::move(pattern), behavior, json_bool(json, "invert").value_or(false)));
  } else if (type == "Metaspace") {
    if (replacement_of(json).empty()) return malformed("{}: Metaspace: empty replacement", where);
    out.push_back(make_metaspace(replacement_of(json), scheme_of(json),
                                 json_bool(json, "split").value_or(true)));
  } else if (type == "Whitespace") {
    out.push_back(make_char_split(CharKind::kWordOrSigns, SplitBehavior::kRemoved));
  } else if (type == "WhitespaceSplit") {
    out.push_back(make_char_split(CharKind::kSpace, SplitBehavior::kRemoved));
  } else if (type == "Punctuation") {
    ASSIGN_OR_RETURN(const SplitBehavior behavior,
                     behavior_of(json, SplitBehavior::kIsolated, where));
    out.push_back(make_char_split(CharKind::kPunctuation, behavior));
  } else if (type == "Digits") {
    const bool each = json_bool(json, "individual_digits").value_or(false);
    out.push_back(make_char_split(CharKind::kDigit,
                                  each ? SplitBehavior::kIsolated : SplitBehavior::kContiguous));
  } else if (type == "BertPreTokenizer") {
    out.push_back(make_char_split(CharKind::kSpace, SplitBehavior::kRemoved));
    out.push_back(make_char_split(CharKind::kPunctuation, SplitBehavior::kIsolated));
  } else if (type == "CharDelimiterSplit") {
    const auto delimiter = json_string(json, "delimiter");
    if (!delimiter.has_value()) return malformed("{}: expected a \"delimiter\"", where);
    out.push_back(
        make_split(Pattern::literal(std::string(*delimiter)), SplitBehavior::kRemoved, false));
  } else {
    return unknown_type("pre-tokenizer", type, where);
  }
  return {};
}

Status decoder(JsonElement json, std::string_view where, int depth, std::vector<DecoderStep>& out) {
  using Kind = DecoderStep::Kind;
  if (depth > kMaxDepth) return malformed("{}: decoders nested too deep", where);
  const auto type = json_string(json, "type");
  if (type == "Sequence") {
    return for_each_member(json, "decoders", where, [&](JsonElement member) {
      return decoder(member, where, depth + 1, out);
    });
  }
  DecoderStep step;
  if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
  } else if (type == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = Kind::kFuse;
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    step.text = replacement_of(json);
    step.flag = scheme_of(json) == PrependScheme::kNever;
  } else if (type == "WordPiece") {
    step.kind = Kind::kWordPiece;
    step.text = json_string(json, "prefix").value_or("##");
    step.flag = json_bool(json, "cleanup").value_or(true);
  } else if (type == "BPEDecoder") {
    step.kind = Kind::kBpeSuffix;
    step.text = json_string(json, "suffix").value_or("</w>");
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    ASSIGN_OR_RETURN(Pattern pattern, json_pattern(json, where));
    step.pattern = std::make_shared<const Pattern>(std::move(pattern));
    step.text = json_string(json, "content").value_or("");
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.text = json_string(json, "content").value_or(" ");
    const int64_t start = json_int(json, "start").value_or(0);
    const int64_t stop = json_int(json, "stop").value_or(0);
    if (start < 0 || stop < 0 || start > 1 << 20 || stop > 1 << 20) {
      return malformed("{}: Strip: start {} and stop {}: expected at most 2^20", where, start,
                       stop);
    }
    step.start = static_cast<uint32_t>(start);
    step.stop = static_cast<uint32_t>(stop);
  } else {
    return unknown_type("decoder", type, where);
  }
  const bool needs_text =
      step.kind == Kind::kStrip || step.kind == Kind::kMetaspace || step.kind == Kind::kBpeSuffix;
  if (needs_text && step.text.empty()) return malformed("{}: {}: empty text", where, *type);
  out.push_back(std::move(step));
  return {};
}

}  // namespace

std::optional<JsonElement> json_member(JsonElement object, std::string_view key) {
  JsonElement value;
  if (!object.is_object() || object.at_key(key).get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return value;
}
std::optional<std::string_view> json_string(JsonElement object, std::string_view key) {
  const auto value = json_member(object, key);
  std::string_view text;
  if (!value.has_value() || value->get_string().get(text) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return text;
}
std::optional<bool> json_bool(JsonElement object, std::string_view key) {
  const auto value = json_member(object, key);
  bool flag = false;
  if (!value.has_value() || value->get_bool().get(flag) != simdjson::SUCCESS) return std::nullopt;
  return flag;
}
std::optional<int64_t> json_int(JsonElement object, std::string_view key) {
  const auto value = json_member(object, key);
  int64_t number = 0;
  if (!value.has_value() || value->get_int64().get(number) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return number;
}

Status add_json_normalizer(JsonElement json, std::string_view where, NormalizerOps& out) {
  return normalizer(json, where, 0, out);
}

Status add_json_decoder(JsonElement json, std::string_view where, std::vector<DecoderStep>& out) {
  return decoder(json, where, 0, out);
}

Status add_json_pre_tokenizer(JsonElement json, std::string_view where, bool can_fuse,
                              PreTokenizerOps& out, bool& byte_level_last) {
  bool map = false;
  RETURN_IF_ERROR(pre_tokenizer(json, where, 0, map, out));
  byte_level_last = map;
  if (map && !can_fuse) out.push_back(make_byte_level_map());
  return {};
}

}  // namespace orrery::tokenizer
