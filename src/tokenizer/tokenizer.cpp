#include "tokenizer/tokenizer.h"

#include <simdjson.h>

#include "base/utf8.h"
#include "tokenizer/pipeline.h"

namespace orrery::tokenizer {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

bool valid_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

// One call of encode.
class Encoding {
 public:
  Encoding(const Pipeline& pipeline, std::vector<TokenId>& out) : pipeline_(pipeline), out_(out) {}

  Status run(std::string_view text, const Trust& trust) {
    Status status;
    pipeline_.added.split(AddedTokens::Stage::kRaw, text, trust, [&](AddedTokens::Part part) {
      if (part.id >= 0) {
        out_.push_back(part.id);
      } else if (status.ok()) {
        status = encode_raw(text.substr(part.begin, part.end - part.begin),
                            trust.slice(part.begin, part.end), part.begin == 0);
      }
    });
    return status;
  }

 private:
  Status encode_raw(std::string_view text, const Trust& trust, bool at_start) {
    if (pipeline_.normalizers.empty()) return encode_normalized(text, trust, at_start);
    TrackedText tracked{std::string(text), std::string(trust.flags), !trust.flags.empty()};
    RETURN_IF_ERROR(normalize_text(pipeline_.normalizers, at_start, tracked));
    return encode_normalized(tracked.bytes, Trust{trust.all, tracked.flags}, at_start);
  }

  Status encode_normalized(std::string_view text, const Trust& trust, bool at_start) {
    Status status;
    pipeline_.added.split(
        AddedTokens::Stage::kNormalized, text, trust, [&](AddedTokens::Part part) {
          if (part.id >= 0) {
            out_.push_back(part.id);
          } else if (status.ok()) {
            status = encode_piece(
                {text.substr(part.begin, part.end - part.begin), at_start && part.begin == 0});
          }
        });
    return status;
  }

  Status encode_piece(Piece piece) {
    const Model& model = *pipeline_.model;
    if (pipeline_.scan.has_value()) {
      const ScanStyle& style = *pipeline_.scan;
      const ScanFunction scan = scan_function(style);
      for (size_t pos = 0; pos < piece.text.size();) {
        const size_t end = scan(style, piece.text, pos);
        model.encode(piece.text.substr(pos, end - pos), out_);
        pos = end;
      }
      return {};
    }
    Pieces pieces{{piece}, {}};
    for (const auto& op : pipeline_.pre_tokenizers) RETURN_IF_ERROR(op->apply(pieces));
    for (const Piece& word : pieces.list) model.encode(word.text, out_);
    return {};
  }

  const Pipeline& pipeline_;
  std::vector<TokenId>& out_;
};

Result<std::vector<TokenId>> encode_valid(const Pipeline& pipeline, std::string_view text,
                                          const Trust& trust, const EncodeOptions& options) {
  if (text.size() > INT32_MAX) {
    return invalid_argument("a text of {} bytes, expected at most {}", text.size(), INT32_MAX);
  }
  std::vector<TokenId> out;
  out.reserve(text.size() / 3 + 8);
  if (options.add_special_tokens) out = pipeline.prefix;
  out.reserve(text.size() / 3 + 8);
  RETURN_IF_ERROR(Encoding(pipeline, out).run(text, trust));
  if (options.add_special_tokens) {
    out.insert(out.end(), pipeline.suffix.begin(), pipeline.suffix.end());
  }
  return out;
}

Status outside(TokenId id, int64_t size) {
  return invalid_argument("token id {}: expected one in [0, {})", id, size);
}

}  // namespace

Status Pipeline::finish(std::vector<AddedToken> added_tokens, std::string_view where) {
  RETURN_IF_ERROR(vocab.check_gaps(where));
  special.assign(static_cast<size_t>(vocab.size()), false);
  for (const AddedToken& token : added_tokens) {
    if (token.special) special[static_cast<size_t>(token.id)] = true;
  }
  added.build(std::move(added_tokens), [&](std::string_view content) {
    TrackedText text{std::string(content), {}, false};
    const Status status = normalize_text(normalizers, true, text);
    return status.ok() ? text.bytes : std::string(content);
  });
  if (pre_tokenizers.size() == 1 && pre_tokenizers[0]->scan_style() != nullptr) {
    scan = *pre_tokenizers[0]->scan_style();
  }
  return {};
}

namespace {

// The table of what key(token) gives for each token, unless it gives nothing. Of equal tokens with
// different ids only the one that the vocabulary finds counts.
template <typename Key>
StringTable table_of(const Vocab& vocab, const Key& key) {
  StringTable table;
  table.reserve(static_cast<size_t>(vocab.count()));
  std::vector<TokenText> some;
  const bool unique = vocab.unique();
  for (int64_t id = 0; id < vocab.size(); ++id) {
    if (!vocab.has(id)) continue;
    const std::string_view token = vocab.token(id);
    if (!unique && vocab.find(token) != static_cast<TokenId>(id)) continue;
    const std::optional<std::string_view> text = key(token);
    if (!text.has_value()) continue;
    some.push_back({*text, id});
    if (some.size() < kLookups) continue;
    table.assign(some);
    some.clear();
  }
  table.assign(some);
  return table;
}

StringTable byte_level_table(Pipeline& pipeline) {
  std::string& bytes = pipeline.raw_bytes;
  size_t total = 0;
  for (int64_t id = 0; id < pipeline.vocab.size(); ++id) total += pipeline.vocab.token(id).size();
  bytes.reserve(total);  // so that it never moves: bytes are fewer than spellings
  return table_of(pipeline.vocab, [&](std::string_view token) -> std::optional<std::string_view> {
    const size_t begin = bytes.size();
    if (token.empty() || !decode_byte_level(token, bytes)) return std::nullopt;
    return std::string_view(bytes).substr(begin);
  });
}

}  // namespace

StringTable spelling_table(const Vocab& vocab) {
  return table_of(vocab, [](std::string_view token) { return std::optional(token); });
}

StringTable bpe_table(Pipeline& pipeline, bool bytes) {
  return bytes ? byte_level_table(pipeline) : spelling_table(pipeline.vocab);
}

std::string cut_before_of(const Vocab& vocab) {
  if (!vocab.find(kSpaceSymbol).has_value()) return {};
  for (int64_t id = 0; id < vocab.size(); ++id) {
    std::string_view token = vocab.token(id);
    while (token.starts_with(kSpaceSymbol)) token.remove_prefix(kSpaceSymbol.size());
    if (token.find(kSpaceSymbol) != std::string_view::npos) return {};
  }
  return std::string(kSpaceSymbol);
}

Tokenizer::Tokenizer(std::unique_ptr<const Pipeline> pipeline) : pipeline_(std::move(pipeline)) {}
Tokenizer::~Tokenizer() = default;

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text,
                                               const EncodeOptions& options) const {
  const Trust trust{options.parse_special_tokens, {}};
  if (valid_utf8(text)) return encode_valid(*pipeline_, text, trust, options);
  return encode_valid(*pipeline_, replace_invalid_utf8(text), trust, options);
}

Result<std::vector<TokenId>> Tokenizer::encode_segments(std::span<const Segment> segments,
                                                        const EncodeOptions& options) const {
  std::string text, flags;
  bool all = true;
  for (const Segment& segment : segments) {
    const size_t begin = text.size();
    if (valid_utf8(segment.text)) {
      text += segment.text;
    } else {
      text += replace_invalid_utf8(segment.text);
    }
    const bool trusted = segment.trusted && options.parse_special_tokens;
    flags.append(text.size() - begin, trusted ? '\1' : '\0');
    all = all && (trusted || text.size() == begin);
  }
  const Trust trust = all ? Trust{true, {}} : Trust{false, flags};
  return encode_valid(*pipeline_, text, trust, options);
}

Result<std::string> Tokenizer::decode(std::span<const TokenId> ids,
                                      bool skip_special_tokens) const {
  DecodeChain chain(pipeline_->decoder);
  for (const TokenId id : ids) {
    if (id < 0 || id >= vocab_size()) return outside(id, vocab_size());
    if (!pipeline_->vocab.has(id) || (skip_special_tokens && is_special(id))) continue;
    chain.push(pipeline_->vocab.token(id));
  }
  chain.finish();
  return chain.take();
}

int64_t Tokenizer::vocab_size() const { return pipeline_->vocab.size(); }

std::string_view Tokenizer::token(TokenId id) const { return pipeline_->vocab.token(id); }

std::string Tokenizer::token_bytes(TokenId id) const {
  const std::string_view spelling = token(id);
  std::string bytes;
  for (const DecoderStep& step : pipeline_->decoder) {
    if (step.kind == DecoderStep::Kind::kByteLevel && decode_byte_level(spelling, bytes)) {
      return bytes;
    }
    const bool byte_tokens =
        step.kind == DecoderStep::Kind::kByteFallback || step.kind == DecoderStep::Kind::kSpmBytes;
    if (byte_tokens && byte_token(spelling) >= 0) {
      return std::string(1, static_cast<char>(byte_token(spelling)));
    }
  }
  DecodeChain chain(pipeline_->decoder);
  chain.start_inside();
  chain.push(spelling);
  chain.finish();
  return chain.take();
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && id < vocab_size() && pipeline_->special[static_cast<size_t>(id)];
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  return pipeline_->vocab.find(token);
}

std::optional<TokenId> Tokenizer::bos_id() const { return pipeline_->bos; }
std::optional<TokenId> Tokenizer::eos_id() const { return pipeline_->eos; }
std::optional<TokenId> Tokenizer::pad_id() const { return pipeline_->pad; }
std::optional<TokenId> Tokenizer::unk_id() const { return pipeline_->unk; }

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool skip_special_tokens)
    : tokenizer_(&tokenizer),
      skip_special_tokens_(skip_special_tokens),
      chain_(std::make_unique<DecodeChain>(tokenizer.pipeline().decoder)) {}
Detokenizer::~Detokenizer() = default;
Detokenizer::Detokenizer(Detokenizer&&) noexcept = default;
Detokenizer& Detokenizer::operator=(Detokenizer&&) noexcept = default;

Result<std::string> Detokenizer::push(TokenId id) {
  if (id < 0 || id >= tokenizer_->vocab_size()) return outside(id, tokenizer_->vocab_size());
  const Vocab& vocab = tokenizer_->pipeline().vocab;
  if (!vocab.has(id) || (skip_special_tokens_ && tokenizer_->is_special(id))) return std::string();
  chain_->push(vocab.token(id));
  return chain_->take();
}

std::string Detokenizer::finish() {
  chain_->finish();
  return chain_->take();
}

void Detokenizer::prime(std::span<const TokenId> context) {
  for (const TokenId id : context) {
    if (id >= 0 && id < tokenizer_->vocab_size()) (void)push(id);
  }
}

}  // namespace orrery::tokenizer
