// SentencePiece models: a ModelProto in protobuf's wire format (sentencepiece_model.proto).
#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/utf8.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

// One field of a message. Fixed 32- and 64-bit values arrive in `bytes`.
struct Field {
  uint32_t number = 0;
  uint64_t varint = 0;
  std::string_view bytes;
};

class Wire {
 public:
  Wire(std::string_view data, std::string_view where) : data_(data), where_(where) {}
  bool done() const { return data_.empty(); }

  Result<Field> next() {
    ASSIGN_OR_RETURN(const uint64_t key, varint());
    if (key >> 3 == 0 || key >> 3 > 536870911) return fail("a field number");
    Field field;
    field.number = static_cast<uint32_t>(key >> 3);
    switch (key & 7) {
      case 0: {
        ASSIGN_OR_RETURN(field.varint, varint());
        return field;
      }
      case 1:
        return take(8, field);
      case 2: {
        ASSIGN_OR_RETURN(const uint64_t size, varint());
        return take(size, field);
      }
      case 5:
        return take(4, field);
      default:
        return fail("a wire type 0, 1, 2 or 5");
    }
  }

 private:
  Status fail(std::string_view expected) const {
    return malformed("{}: not a SentencePiece model: {} bytes before the end: expected {}", where_,
                     data_.size(), expected);
  }
  Result<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (data_.empty()) return fail("more of a number");
      const auto byte = static_cast<uint8_t>(data_[0]);
      data_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return fail("a number of at most 10 bytes");
  }
  Result<Field> take(uint64_t size, Field field) {
    if (size > data_.size()) return fail(fmt::format("{} more bytes", size));
    field.bytes = data_.substr(0, size);
    data_.remove_prefix(size);
    return field;
  }

  std::string_view data_;
  std::string_view where_;
};

enum PieceType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

struct SpmPiece {
  std::string_view text;
  float score = 0;
  uint64_t type = kNormal;
};

// The fields that encoding and decoding depend on, with the proto's defaults.
struct SpmModel {
  std::vector<SpmPiece> pieces;
  uint64_t model_type = 1;  // 1 Unigram, 2 BPE
  bool treat_whitespace_as_suffix = false;
  bool byte_fallback = false;
  int64_t unk_id = 0, bos_id = 1, eos_id = 2, pad_id = -1;
  std::string_view charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool has_trainer_spec = false;
};

Status parse_piece(std::string_view bytes, std::string_view where, SpmModel& model) {
  SpmPiece piece;
  for (Wire wire(bytes, where); !wire.done();) {
    ASSIGN_OR_RETURN(const Field field, wire.next());
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2 && field.bytes.size() == 4) {
      std::memcpy(&piece.score, field.bytes.data(), 4);
    }
    if (field.number == 3) piece.type = field.varint;
  }
  if (piece.text.empty() || !is_valid_utf8(piece.text) || piece.type < kNormal ||
      piece.type > kByte || !(piece.score == piece.score)) {
    return malformed("{}: piece {}: expected UTF-8 text, a number as score, a type from 1 to 6",
                     where, model.pieces.size());
  }
  model.pieces.push_back(piece);
  return {};
}

Status parse_trainer_spec(std::string_view bytes, std::string_view where, SpmModel& model) {
  model.has_trainer_spec = true;
  for (Wire wire(bytes, where); !wire.done();) {
    ASSIGN_OR_RETURN(const Field field, wire.next());
    const auto id = static_cast<int64_t>(static_cast<int32_t>(field.varint));
    switch (field.number) {
      case 3:
        model.model_type = field.varint;
        break;
      case 24:
        model.treat_whitespace_as_suffix = field.varint != 0;
        break;
      case 35:
        model.byte_fallback = field.varint != 0;
        break;
      case 40:
        model.unk_id = id;
        break;
      case 41:
        model.bos_id = id;
        break;
      case 42:
        model.eos_id = id;
        break;
      case 43:
        model.pad_id = id;
        break;
      default:
        break;
    }
  }
  return {};
}

Status parse_normalizer_spec(std::string_view bytes, std::string_view where, SpmModel& model) {
  for (Wire wire(bytes, where); !wire.done();) {
    ASSIGN_OR_RETURN(const Field field, wire.next());
    switch (field.number) {
      case 2:
        model.charsmap = field.bytes;
        break;
      case 3:
        model.add_dummy_prefix = field.varint != 0;
        break;
      case 4:
        model.remove_extra_whitespaces = field.varint != 0;
        break;
      case 5:
        model.escape_whitespaces = field.varint != 0;
        break;
      default:
        break;
    }
  }
  return {};
}

Result<SpmModel> parse_model(std::string_view data, std::string_view where) {
  SpmModel model;
  for (Wire wire(data, where); !wire.done();) {
    ASSIGN_OR_RETURN(const Field field, wire.next());
    if (field.number == 1) RETURN_IF_ERROR(parse_piece(field.bytes, where, model));
    if (field.number == 2) RETURN_IF_ERROR(parse_trainer_spec(field.bytes, where, model));
    if (field.number == 3) RETURN_IF_ERROR(parse_normalizer_spec(field.bytes, where, model));
  }
  if (model.pieces.empty() || !model.has_trainer_spec) {
    return malformed("{}: not a SentencePiece model: no pieces or no trainer_spec", where);
  }
  if (model.model_type != 1 && model.model_type != 2) {
    return unsupported(
        "{}: SentencePiece model type {}: only Unigram (1) and BPE (2) are supported", where,
        model.model_type);
  }
  return model;
}

class SpmLoader {
 public:
  SpmLoader(SpmModel model, std::string_view where) : model_(std::move(model)), where_(where) {}

  LoadResult run() {
    RETURN_IF_ERROR(fill_vocab());
    Trie user_defined(entries_of(kUserDefined));
    SpmNormalizerConfig normalizer;
    ASSIGN_OR_RETURN(normalizer.map, CharsMap::parse(model_.charsmap, where_));
    normalizer.user_defined = user_defined;
    normalizer.add_dummy_prefix = model_.add_dummy_prefix;
    normalizer.remove_extra_whitespaces = model_.remove_extra_whitespaces;
    normalizer.escape_whitespaces = model_.escape_whitespaces;
    normalizer.treat_whitespace_as_suffix = model_.treat_whitespace_as_suffix;
    pipeline_->normalizers.push_back(make_spm_normalizer(std::move(normalizer)));
    if (model_.model_type == 2) {
      RETURN_IF_ERROR(make_bpe_model(std::move(user_defined)));
      if (pipeline_->bos.has_value()) pipeline_->prefix = {*pipeline_->bos};
    } else {
      make_unigram_model();
    }
    fill_decoder();
    RETURN_IF_ERROR(pipeline_->finish(std::move(added_), where_));
    return std::make_unique<Tokenizer>(std::move(pipeline_));
  }

 private:
  Status fill_vocab() {
    size_t bytes = 0;
    for (const SpmPiece& piece : model_.pieces) bytes += piece.text.size();
    pipeline_->vocab.reserve(model_.pieces.size(), bytes);
    std::optional<TokenId> unknown;
    std::vector<TokenText> tokens;
    for (size_t i = 0; i < model_.pieces.size(); ++i) {
      const SpmPiece& piece = model_.pieces[i];
      const auto id = static_cast<TokenId>(i);
      tokens.push_back({piece.text, id});
      if (piece.type == kUnknown) unknown = id;
      if (piece.type == kUnknown || piece.type == kControl) {
        added_.push_back(raw_token(piece.text, id, true));
      }
    }
    RETURN_IF_ERROR(pipeline_->vocab.add(tokens, where_));
    if (const auto id = pipeline_->vocab.find_duplicate()) {
      return malformed("{}: piece \"{}\" is there twice", where_, pipeline_->vocab.token(*id));
    }
    if (!unknown.has_value()) return malformed("{}: no piece of type unknown", where_);
    pipeline_->unk = unknown;
    const auto control = [&](int64_t id) -> std::optional<TokenId> {
      const bool exists = id >= 0 && id < static_cast<int64_t>(model_.pieces.size()) &&
                          model_.pieces[static_cast<size_t>(id)].type == kControl;
      if (!exists) return std::nullopt;
      return static_cast<TokenId>(id);
    };
    pipeline_->bos = control(model_.bos_id);
    pipeline_->eos = control(model_.eos_id);
    pipeline_->pad = control(model_.pad_id);
    return {};
  }

  std::vector<Trie::Entry> entries_of(uint64_t type) const {
    std::vector<Trie::Entry> entries;
    for (size_t i = 0; i < model_.pieces.size(); ++i) {
      if (model_.pieces[i].type == type) {
        entries.emplace_back(pipeline_->vocab.token(static_cast<TokenId>(i)),
                             static_cast<int32_t>(i));
      }
    }
    return entries;
  }

  // Pieces that text can be made of.
  static bool is_text(const SpmPiece& piece) {
    return piece.type == kNormal || piece.type == kUserDefined || piece.type == kUnused;
  }

  Status make_bpe_model(Trie user_defined) {
    std::vector<uint32_t> order;  // ids of text pieces, best score first
    StringTable table;
    SpmBpeConfig config;
    config.rank.assign(model_.pieces.size(), UINT32_MAX);
    config.unused.assign(model_.pieces.size(), false);
    for (uint32_t id = 0; id < model_.pieces.size(); ++id) {
      if (!is_text(model_.pieces[id])) continue;
      order.push_back(id);
      table.assign(pipeline_->vocab.token(id), static_cast<TokenId>(id));
      config.unused[id] = model_.pieces[id].type == kUnused;
    }
    const auto score = [&](uint32_t id) { return model_.pieces[id].score; };
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return score(a) > score(b); });
    uint32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;  // equal scores, equal rank
      config.rank[order[i]] = rank;
    }
    config.user_defined = std::move(user_defined);
    config.unk = *pipeline_->unk;
    RETURN_IF_ERROR(find_bytes(config.byte_tokens));
    config.cut_before = cut_before_of(pipeline_->vocab);
    pipeline_->model = make_spm_bpe(std::move(config), std::move(table));
    return {};
  }

  Status find_bytes(std::optional<std::array<TokenId, 256>>& out) const {
    if (!model_.byte_fallback) return {};
    out = find_byte_tokens(pipeline_->vocab);
    if (!out.has_value()) return malformed("{}: byte_fallback without 256 byte pieces", where_);
    return {};
  }

  void make_unigram_model() {
    UnigramConfig config;
    config.single_precision = true;
    config.unk = *pipeline_->unk;
    float lowest = 0;
    float highest = 0;
    bool first = true;
    for (const SpmPiece& piece : model_.pieces) {
      if (piece.type != kNormal) continue;
      lowest = first ? piece.score : std::min(lowest, piece.score);
      highest = first ? piece.score : std::max(highest, piece.score);
      first = false;
    }
    config.lowest_score = lowest;
    std::vector<Trie::Entry> entries;
    for (size_t i = 0; i < model_.pieces.size(); ++i) {
      const SpmPiece& piece = model_.pieces[i];
      // A user-defined piece beats whatever it can be taken apart into.
      const auto length = static_cast<float>(piece.text.size());
      config.score.push_back(piece.type == kUserDefined ? static_cast<float>(length * highest - 0.1)
                                                        : piece.score);
      if (piece.type == kNormal || piece.type == kUserDefined) {
        entries.emplace_back(pipeline_->vocab.token(static_cast<TokenId>(i)),
                             static_cast<int32_t>(i));
      }
    }
    if (model_.byte_fallback) config.byte_tokens = find_byte_tokens(pipeline_->vocab);
    pipeline_->model = make_unigram(std::move(config), Trie(std::move(entries)), StringTable());
  }

  void fill_decoder() {
    DecoderStep bytes;
    bytes.kind = DecoderStep::Kind::kSpmBytes;
    DecoderStep spaces;
    if (model_.add_dummy_prefix || model_.remove_extra_whitespaces) {
      spaces.kind = DecoderStep::Kind::kSpmPrefix;
      spaces.flag = model_.remove_extra_whitespaces;
    } else {
      spaces.kind = DecoderStep::Kind::kReplace;
      spaces.text = " ";
      spaces.pattern = std::make_shared<const Pattern>(Pattern::literal(std::string(kSpaceSymbol)));
    }
    pipeline_->decoder = {bytes, spaces};
  }

  SpmModel model_;
  std::string_view where_;
  std::unique_ptr<Pipeline> pipeline_ = std::make_unique<Pipeline>();
  std::vector<AddedToken> added_;
};

}  // namespace

LoadResult load_sentencepiece(std::span<const std::byte> model, std::string_view where) {
  const std::string_view data(reinterpret_cast<const char*>(model.data()), model.size());
  ASSIGN_OR_RETURN(SpmModel parsed, parse_model(data, where));
  return SpmLoader(std::move(parsed), where).run();
}

}  // namespace orrery::tokenizer
