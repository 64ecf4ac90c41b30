// tokenizer.json of Hugging Face's tokenizers, with tokenizer_config.json.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <unordered_map>

#include "base/huge_pages.h"
#include "base/json.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

// The score as Hugging Face's JSON parser reads it: the digits as an integer, divided by a power of
// ten. That rounds twice, and which of several equal segmentations wins depends on the last bit.
double score_of(double exact) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.begin(), text.end(), exact, std::chars_format::scientific);
  uint64_t digits = 0;
  int exponent = 0;
  const char* at = text.begin();
  for (; at != end.ptr && *at != 'e'; ++at) {
    if (*at >= '0' && *at <= '9') digits = digits * 10 + static_cast<uint64_t>(*at - '0');
  }
  const bool negative_exponent = at != end.ptr && at[1] == '-';
  if (at != end.ptr) std::from_chars(at + 2, end.ptr, exponent);
  if (negative_exponent) exponent = -exponent;
  const char* dot = std::find(text.begin(), const_cast<char*>(at), '.');
  if (dot != at) exponent -= static_cast<int>(at - dot) - 1;
  if (exponent < -22 || exponent > 22) return exact;  // powers of ten beyond are not exact
  double power = 1;
  for (int i = 0; i < std::abs(exponent); ++i) power *= 10;
  const auto value = static_cast<double>(digits);
  return std::copysign(exponent < 0 ? value / power : value * power, exact);
}

class JsonLoader {
 public:
  explicit JsonLoader(std::string_view where) : where_(where) {}

  LoadResult run(JsonElement root, const std::optional<JsonElement>& config, size_t json_bytes) {
    config_ = config;
    const auto model = json_member(root, "model");
    if (!model.has_value() || !model->is_object()) return fail("model", "an object");
    type_ = type_of(*model);
    if (type_ == "BPE") merges_ = begin_merge_table(count_json_merges(*model));
    RETURN_IF_ERROR(read_vocab(root, *model, json_bytes));
    RETURN_IF_ERROR(read_pre_tokenizer(root, *model));
    RETURN_IF_ERROR(read_model(*model));
    RETURN_IF_ERROR(read_added_tokens(root));
    if (const auto json = json_member(root, "normalizer"); !json_is_null(json)) {
      RETURN_IF_ERROR(add_json_normalizer(*json, where_, pipeline_->normalizers));
    }
    RETURN_IF_ERROR(read_decoder(root));
    if (const auto json = json_member(root, "post_processor"); !json_is_null(json)) {
      RETURN_IF_ERROR(read_json_post_processor(*json, where_, *pipeline_));
    }
    RETURN_IF_ERROR(read_config());
    RETURN_IF_ERROR(pipeline_->finish(std::move(added_), where_));
    return std::make_unique<Tokenizer>(std::move(pipeline_));
  }

 private:
  Status fail(std::string_view what, std::string_view expected) const {
    return malformed("{}: {}: expected {}", where_, what, expected);
  }

  // Files made before the models were named are told apart by what they hold.
  static std::string type_of(JsonElement model) {
    if (const auto type = json_string(model, "type")) return std::string(*type);
    const auto vocab = json_member(model, "vocab");
    if (vocab.has_value() && vocab->is_array()) return "Unigram";
    if (json_member(model, "merges").has_value()) return "BPE";
    if (json_member(model, "continuing_subword_prefix").has_value()) return "WordPiece";
    return "WordLevel";
  }

  Status read_vocab(JsonElement root, JsonElement model, size_t json_bytes) {
    const auto vocab = json_member(model, "vocab");
    if (!vocab.has_value()) return fail("model.vocab", "an object or an array");
    size_t added = 0;
    simdjson::dom::array array;
    simdjson::dom::object object;
    const auto list = json_member(root, "added_tokens");
    if (list.has_value() && list->get_array().get(array) == simdjson::SUCCESS) added = array.size();
    // More added tokens than any tokenizer_config.json names.
    const size_t config_tokens = config_.has_value() ? 4096 : 0;
    // A token in JSON is never shorter than its string.
    const size_t capacity = json_bytes;
    if (type_ == "Unigram") {
      if (vocab->get_array().get(array) != simdjson::SUCCESS)
        return fail("model.vocab", "an array");
      std::vector<TokenText> tokens;
      RETURN_IF_ERROR(read_scores(array, tokens));
      pipeline_->vocab.reserve(tokens.size() + added + config_tokens, capacity);
      return pipeline_->vocab.add(tokens, where_);
    }
    if (vocab->get_object().get(object) != simdjson::SUCCESS) {
      return fail("model.vocab", "an object");
    }
    pipeline_->vocab.reserve(object.size() + added + config_tokens, capacity);
    std::vector<TokenText> some;
    for (const auto field : object) {
      int64_t id = -1;
      if (field.value.get_int64().get(id) != simdjson::SUCCESS) {
        return malformed("{}: model.vocab: token \"{}\": expected a 64-bit integer", where_,
                         field.key);
      }
      some.push_back({field.key, id});
      if (some.size() < kLookups) continue;
      RETURN_IF_ERROR(pipeline_->vocab.add(some, where_));
      some.clear();
    }
    return pipeline_->vocab.add(some, where_);
  }

  Status read_scores(simdjson::dom::array array, std::vector<TokenText>& tokens) {
    int64_t id = 0;
    for (const JsonElement entry : array) {
      std::string_view token;
      double score = 0;
      if (entry.at(0).get_string().get(token) != simdjson::SUCCESS ||
          entry.at(1).get_double().get(score) != simdjson::SUCCESS) {
        return fail(fmt::format("model.vocab[{}]", id), "[token, score]");
      }
      tokens.push_back({token, id++});
      scores_.push_back(score_of(score));
    }
    return {};
  }

  Status read_pre_tokenizer(JsonElement root, JsonElement model) {
    const auto json = json_member(root, "pre_tokenizer");
    if (json_is_null(json)) return {};
    const bool affixes = !json_string(model, "continuing_subword_prefix").value_or("").empty() ||
                         !json_string(model, "end_of_word_suffix").value_or("").empty();
    const bool can_fuse =
        type_ == "BPE" && !affixes && !json_bool(model, "byte_fallback").value_or(false);
    bool byte_level_last = false;
    RETURN_IF_ERROR(add_json_pre_tokenizer(*json, where_, can_fuse, pipeline_->pre_tokenizers,
                                           byte_level_last));
    on_bytes_ = byte_level_last && can_fuse;
    return {};
  }

  Status read_model(JsonElement model) {
    const auto unk = json_string(model, "unk_token");
    if (unk.has_value()) pipeline_->unk = pipeline_->vocab.find(*unk);
    if (type_ == "BPE") return read_bpe(model);
    if (type_ == "Unigram") return read_unigram(model);
    if (type_ == "WordLevel") {
      pipeline_->model = make_word_level(pipeline_->unk, spelling_table(pipeline_->vocab));
      return {};
    }
    if (type_ != "WordPiece") return unsupported("{}: model {} is not supported", where_, type_);
    if (!pipeline_->unk.has_value()) return fail("model.unk_token", "a token of the vocabulary");
    WordPieceConfig config;
    config.unk = *pipeline_->unk;
    config.continuing_prefix = json_string(model, "continuing_subword_prefix").value_or("##");
    const int64_t max_chars = json_int(model, "max_input_chars_per_word").value_or(100);
    // Time is quadratic in a word up to this length.
    if (max_chars < 0 || max_chars > 1000) return fail("max_input_chars_per_word", "at most 1000");
    config.max_chars = static_cast<size_t>(max_chars);
    pipeline_->model = make_word_piece(std::move(config), spelling_table(pipeline_->vocab));
    return {};
  }

  Status read_bpe(JsonElement model) {
    double dropout = 0;
    const auto given = json_member(model, "dropout");
    if (given.has_value() && given->get_double().get(dropout) == simdjson::SUCCESS &&
        dropout != 0) {
      return unsupported("{}: model.dropout makes encoding random", where_);
    }
    BpeConfig config;
    config.continuing_prefix = json_string(model, "continuing_subword_prefix").value_or("");
    config.end_of_word_suffix = json_string(model, "end_of_word_suffix").value_or("");
    config.ignore_merges = json_bool(model, "ignore_merges").value_or(false);
    config.fuse_unk = json_bool(model, "fuse_unk").value_or(false);
    config.unk = pipeline_->unk;
    config.bytes = on_bytes_;
    if (json_bool(model, "byte_fallback").value_or(false)) {
      config.byte_tokens = find_byte_tokens(pipeline_->vocab);
    }
    if (!on_bytes_ && config.continuing_prefix.empty() && config.end_of_word_suffix.empty()) {
      config.cut_before = cut_before_of(pipeline_->vocab);
    }
    StringTable table;
    MergeTable merges = merges_.get();
    const MergeReader reader(pipeline_->vocab, config.continuing_prefix.size());
    RETURN_IF_ERROR(read_json_merges(model, where_, reader, merges,
                                     [&] { table = bpe_table(*pipeline_, on_bytes_); }));
    pipeline_->model = make_bpe(std::move(config), std::move(table), std::move(merges));
    return {};
  }

  Status read_unigram(JsonElement model) {
    const auto unk = json_int(model, "unk_id");
    const int64_t size = pipeline_->vocab.size();
    if (unk.has_value() && (*unk < 0 || *unk >= size)) {
      return malformed("{}: model.unk_id: expected an id in [0, {}), got {}", where_, size, *unk);
    }
    if (!unk.has_value()) {
      return unsupported("{}: a Unigram model without model.unk_id is not supported", where_);
    }
    UnigramConfig config;
    config.unk = static_cast<TokenId>(*unk);
    pipeline_->unk = config.unk;
    config.score = std::move(scores_);
    config.lowest_score = *std::min_element(config.score.begin(), config.score.end());
    if (json_bool(model, "byte_fallback").value_or(false)) {
      config.byte_tokens = find_byte_tokens(pipeline_->vocab);
    }
    std::vector<Trie::Entry> entries;
    for (int64_t id = 0; id < size; ++id) {
      entries.emplace_back(pipeline_->vocab.token(id), static_cast<int32_t>(id));
    }
    pipeline_->model =
        make_unigram(std::move(config), Trie(std::move(entries)), spelling_table(pipeline_->vocab));
    return {};
  }

  // Adds a token, or only its flag if it is there. `id` < 0: only if the vocabulary has it.
  Status add_token(JsonElement json, std::string_view content, int64_t id, bool force_special) {
    const bool special = force_special || json_bool(json, "special").value_or(false);
    if (const auto known = added_index_.find(std::string(content)); known != added_index_.end()) {
      AddedToken& token = added_[known->second];
      token.special = token.special || special;
      return {};
    }
    if (content.empty()) return {};
    const auto existing = pipeline_->vocab.find(content);
    if (!existing.has_value() && id < 0) return {};
    if (!existing.has_value()) RETURN_IF_ERROR(pipeline_->vocab.add(content, id, where_));
    AddedToken token = raw_token(content, *pipeline_->vocab.find(content), special);
    token.single_word = json_bool(json, "single_word").value_or(false);
    token.lstrip = json_bool(json, "lstrip").value_or(false);
    token.rstrip = json_bool(json, "rstrip").value_or(false);
    token.normalized = json_bool(json, "normalized").value_or(!special);
    added_index_.emplace(content, added_.size());
    added_.push_back(std::move(token));
    return {};
  }

  Status read_added_tokens(JsonElement root) {
    const auto list = json_member(root, "added_tokens");
    if (json_is_null(list)) return {};
    simdjson::dom::array array;
    if (list->get_array().get(array) != simdjson::SUCCESS) return fail("added_tokens", "an array");
    size_t index = 0;
    for (const JsonElement entry : array) {
      const auto content = json_string(entry, "content");
      const auto id = json_int(entry, "id");
      if (!content.has_value() || !id.has_value() || *id < 0) {
        return fail(fmt::format("added_tokens[{}]", index), "a content and an id");
      }
      RETURN_IF_ERROR(add_token(entry, *content, *id, false));
      ++index;
    }
    return {};
  }

  Status read_decoder(JsonElement root) {
    if (const auto json = json_member(root, "decoder"); !json_is_null(json)) {
      return add_json_decoder(*json, where_, pipeline_->decoder);
    }
    DecoderStep step;
    step.kind = DecoderStep::Kind::kJoinWithSpace;
    pipeline_->decoder.push_back(step);
    return {};
  }

  // "<s>" or {"content": "<s>", ...}
  std::optional<std::string_view> config_token(std::string_view key) const {
    if (const auto text = json_string(*config_, key)) return text;
    const auto object = json_member(*config_, key);
    return object.has_value() ? json_string(*object, "content") : std::nullopt;
  }

  Status read_config() {
    if (!config_.has_value()) return {};
    if (const auto decoder = json_member(*config_, "added_tokens_decoder")) {
      simdjson::dom::object object;
      if (decoder->get_object().get(object) == simdjson::SUCCESS) {
        for (const auto field : object) {
          const auto content = json_string(field.value, "content");
          int64_t id = -1;
          const std::string_view key = field.key;
          std::from_chars(key.data(), key.data() + key.size(), id);
          if (!content.has_value()) continue;
          RETURN_IF_ERROR(
              add_token(field.value, *content, pipeline_->vocab.has(id) ? -1 : id, false));
        }
      }
    }
    for (const std::string_view key : {"bos_token", "eos_token", "pad_token", "unk_token",
                                       "cls_token", "sep_token", "mask_token"}) {
      const auto content = config_token(key);
      if (!content.has_value()) continue;
      const auto object = json_member(*config_, key);
      RETURN_IF_ERROR(add_token(*object, *content, -1, true));
      const auto id = pipeline_->vocab.find(*content);
      if (key == "bos_token") pipeline_->bos = id;
      if (key == "eos_token") pipeline_->eos = id;
      if (key == "pad_token") pipeline_->pad = id;
      if (key == "unk_token") pipeline_->unk = id;
    }
    if (const auto extra = json_member(*config_, "additional_special_tokens")) {
      simdjson::dom::array array;
      if (extra->get_array().get(array) == simdjson::SUCCESS) {
        for (const JsonElement element : array) {
          std::string_view content;
          if (element.get_string().get(content) == simdjson::SUCCESS) {
            RETURN_IF_ERROR(add_token(element, content, -1, true));
          }
        }
      }
    }
    return apply_add_bos();
  }

  // The Llama and Gemma classes of transformers put BOS and EOS as the config says, whatever the
  // post-processor of the file.
  Status apply_add_bos() {
    const auto name = json_string(*config_, "tokenizer_class").value_or("");
    const bool decides =
        name.starts_with("Llama") || name.starts_with("CodeLlama") || name.starts_with("Gemma");
    const auto add_bos = json_bool(*config_, "add_bos_token");
    const auto add_eos = json_bool(*config_, "add_eos_token");
    if (!decides) return {};
    if (add_bos.has_value() && pipeline_->bos.has_value()) {
      pipeline_->prefix.clear();
      if (*add_bos) pipeline_->prefix.push_back(*pipeline_->bos);
    }
    if (add_eos.has_value() && pipeline_->eos.has_value()) {
      pipeline_->suffix.clear();
      if (*add_eos) pipeline_->suffix.push_back(*pipeline_->eos);
    }
    return {};
  }

  std::string where_;
  std::string type_;
  std::optional<JsonElement> config_;
  std::unique_ptr<Pipeline> pipeline_ = std::make_unique<Pipeline>();
  std::vector<AddedToken> added_;
  std::unordered_map<std::string, size_t> added_index_;  // by content
  std::vector<double> scores_;
  std::future<MergeTable> merges_;  // empty, of a BPE
  bool on_bytes_ = false;
};

}  // namespace

AddedToken raw_token(std::string_view content, TokenId id, bool special) {
  AddedToken token;
  token.content = content;
  token.id = id;
  token.special = special;
  return token;
}

namespace {

// What the parser would allocate itself, in large pages: 17 MB of JSON touch 60 MB of it.
Status allocate(size_t json_bytes, std::string_view where, simdjson::dom::parser& parser,
                simdjson::dom::document& document) {
  if (parser.allocate(json_bytes) != simdjson::SUCCESS ||
      document.allocate(json_bytes) != simdjson::SUCCESS) {
    return resource_exhausted("{}: no memory to parse {} bytes of JSON", where, json_bytes);
  }
  wish_for_huge_pages(parser.implementation->structural_indexes.get(), json_bytes * 4);
  wish_for_huge_pages(document.tape.get(), json_bytes * 8);
  wish_for_huge_pages(document.string_buf.get(), json_bytes);
  return {};
}

// A parser of its own for each: what it needs beside the document goes when it is done.
Result<JsonElement> parse(std::string_view json, bool padded, std::string_view where,
                          simdjson::dom::document& document) {
  if (json.size() >= simdjson::SIMDJSON_MAXSIZE_BYTES) {
    return malformed("{}: {} bytes, expected less than 4 GiB", where, json.size());
  }
  simdjson::dom::parser parser;
  if (json.size() >= kHugePage) RETURN_IF_ERROR(allocate(json.size(), where, parser, document));
  JsonElement root;
  const bool copy = !padded;
  if (const auto error =
          parser.parse_into_document(document, json.data(), json.size(), copy).get(root);
      error != simdjson::SUCCESS) {
    return malformed("{}: not JSON: {}", where, simdjson::error_message(error));
  }
  return root;
}

LoadResult load(std::string_view json, bool padded, std::string_view where,
                std::string_view tokenizer_config_json) {
  simdjson::dom::document document, config_document;
  ASSIGN_OR_RETURN(const JsonElement root, parse(json, padded, where, document));
  std::optional<JsonElement> config;
  std::string config_text;
  if (!tokenizer_config_json.empty()) {
    // Through another parser: model_max_length is often 10^30, a number that simdjson refuses.
    ASSIGN_OR_RETURN(const Json parsed, parse_json(tokenizer_config_json, "tokenizer_config.json"));
    config_text = dump_json(parsed);
    ASSIGN_OR_RETURN(config, parse(config_text, false, "tokenizer_config.json", config_document));
  }
  return JsonLoader(where).run(root, config, json.size() + config_text.size());
}

}  // namespace

LoadResult load_tokenizer_json(const MappedFile& json, std::string_view tokenizer_config_json) {
  static_assert(MappedFile::kPadding >= simdjson::SIMDJSON_PADDING);
  return load(json.text(), json.padded(), json.name(), tokenizer_config_json);
}

LoadResult load_tokenizer_json(std::string_view json, std::string_view where,
                               std::string_view tokenizer_config_json) {
  return load(json, false, where, tokenizer_config_json);
}

}  // namespace orrery::tokenizer
