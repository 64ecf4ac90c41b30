// The vocabulary of a GGUF file (tokenizer.ggml.*).
#include <algorithm>
#include <deque>

#include "base/utf8.h"
#include "tokenizer/gguf_pre.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581
enum TokenType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

class GgufLoader {
 public:
  GgufLoader(GgufVocab&& vocab, std::string_view where) : in_(std::move(vocab)), where_(where) {}

  LoadResult run() {
    RETURN_IF_ERROR(check());
    RETURN_IF_ERROR(fill_vocab());
    if (in_.model == "gpt2") {
      RETURN_IF_ERROR(load_bpe());
    } else if (in_.model == "llama") {
      RETURN_IF_ERROR(load_spm());
    } else if (in_.model == "bert") {
      RETURN_IF_ERROR(load_bert());
    } else if (in_.model == "t5") {
      RETURN_IF_ERROR(load_unigram());
    } else {
      return unsupported("{}: tokenizer.ggml.model \"{}\" is not supported", where_, in_.model);
    }
    if (add_bos_ && pipeline_->bos.has_value()) pipeline_->prefix = {*pipeline_->bos};
    if (add_eos_ && pipeline_->eos.has_value()) pipeline_->suffix = {*pipeline_->eos};
    RETURN_IF_ERROR(pipeline_->finish(std::move(added_), where_));
    return std::make_unique<Tokenizer>(std::move(pipeline_));
  }

 private:
  Status check() const {
    const size_t count = in_.tokens.size();
    if (count == 0) return malformed("{}: tokenizer.ggml.tokens: no tokens", where_);
    if (!in_.token_types.empty() && in_.token_types.size() != count) {
      return malformed("{}: tokenizer.ggml.token_type: expected {} entries, got {}", where_, count,
                       in_.token_types.size());
    }
    if (!in_.scores.empty() && in_.scores.size() != count) {
      return malformed("{}: tokenizer.ggml.scores: expected {} entries, got {}", where_, count,
                       in_.scores.size());
    }
    for (const float score : in_.scores) {
      if (!(score == score)) return malformed("{}: tokenizer.ggml.scores: NaN", where_);
    }
    return {};
  }

  int32_t type(size_t id) const {
    return in_.token_types.empty() ? static_cast<int32_t>(kNormal) : in_.token_types[id];
  }

  // The spelling in our vocabulary. Byte-level: tokens that are looked for in the text are given
  // as they are; the decoder expects the alphabet. BERT: U+2581 marks the begin of a word, and ##
  // its continuation elsewhere.
  std::string_view spelling(size_t id) {
    const std::string_view token = in_.tokens[id];
    const bool text = type(id) == kControl || type(id) == kUserDefined;
    if (in_.model == "gpt2" && text) {
      append_byte_level(token, respelled_.emplace_back());
      return respelled_.back();
    }
    if (in_.model != "bert" || text || type(id) == kUnknown) return token;
    if (token.starts_with(kSpaceSymbol)) return token.substr(kSpaceSymbol.size());
    if (token.starts_with('[') && token.ends_with(']')) return token;
    return respelled_.emplace_back("##" + std::string(token));
  }

  Status fill_vocab() {
    size_t bytes = 0;
    for (const std::string_view token : in_.tokens) bytes += 2 * token.size() + 2;
    std::vector<TokenText> tokens;
    tokens.reserve(in_.tokens.size());
    for (size_t i = 0; i < in_.tokens.size(); ++i) {
      if (!is_valid_utf8(in_.tokens[i])) {
        return malformed("{}: tokenizer.ggml.tokens[{}]: not UTF-8", where_, i);
      }
      const auto id = static_cast<TokenId>(i);
      tokens.push_back({spelling(i), id});
      const bool special = type(i) == kControl || type(i) == kUnknown;
      if (special || type(i) == kUserDefined) {
        added_.push_back(raw_token(in_.tokens[i], id, special));
      }
    }
    pipeline_->vocab.reserve(in_.tokens.size(), bytes);
    RETURN_IF_ERROR(pipeline_->vocab.add(tokens, where_));
    RETURN_IF_ERROR(read_id("bos", in_.bos_token_id, pipeline_->bos));
    RETURN_IF_ERROR(read_id("eos", in_.eos_token_id, pipeline_->eos));
    RETURN_IF_ERROR(read_id("unknown", in_.unknown_token_id, pipeline_->unk));
    return read_id("padding", in_.padding_token_id, pipeline_->pad);
  }

  Status read_id(std::string_view name, std::optional<int64_t> id,
                 std::optional<TokenId>& out) const {
    if (!id.has_value()) return {};
    if (*id < 0 || *id >= pipeline_->vocab.size()) {
      return malformed("{}: tokenizer.ggml.{}_token_id: expected one in [0, {}), got {}", where_,
                       name, pipeline_->vocab.size(), *id);
    }
    out = static_cast<TokenId>(*id);
    return {};
  }

  Status load_bpe() {
    ASSIGN_OR_RETURN(GgufPre pre, gguf_pre(in_.pre.empty() ? "default" : in_.pre, where_));
    pipeline_->normalizers = std::move(pre.normalizers);
    pipeline_->pre_tokenizers = std::move(pre.pre_tokenizers);
    const auto find = [this](size_t first, MergeReader& reader,
                             std::span<MergeTable::Entry> merges) {
      return find_merges(first, reader, merges);
    };
    StringTable table;
    MergeTable merges;
    RETURN_IF_ERROR(read_merges(in_.merges.size(), MergeReader(pipeline_->vocab), find, merges,
                                [&] { table = bpe_table(*pipeline_, pre.map_bytes); }));
    BpeConfig config;
    config.bytes = pre.map_bytes;
    config.ignore_merges = pre.ignore_merges;
    pipeline_->model = make_bpe(std::move(config), std::move(table), std::move(merges));
    DecoderStep step;
    step.kind = DecoderStep::Kind::kByteLevel;
    pipeline_->decoder = {step};
    add_bos_ = in_.add_bos_token.value_or(pre.add_bos);
    add_eos_ = in_.add_eos_token.value_or(false);
    return {};
  }

  Status find_merges(size_t first, MergeReader& reader, std::span<MergeTable::Entry> merges) const {
    std::vector<MergeReader::Pair> pairs;
    for (size_t rank = first; rank < first + merges.size(); ++rank) {
      const std::string_view merge = in_.merges[rank];
      // A token may begin with a space only in files that do not use the alphabet.
      const size_t space = merge.find(' ', 1);
      if (space == std::string_view::npos)
        return malformed("{}: tokenizer.ggml.merges[{}]: expected two tokens", where_, rank);
      pairs.push_back({merge.substr(0, space), merge.substr(space + 1)});
    }
    reader.find(pairs, merges);
    for (size_t i = 0; i < merges.size(); ++i) {
      if (merges[i].left < 0) {
        return malformed("{}: tokenizer.ggml.merges[{}]: \"{}\" leads outside the vocabulary",
                         where_, first + i, in_.merges[first + i]);
      }
    }
    return {};
  }

  bool is_text(size_t id) const {
    return type(id) == kNormal || type(id) == kUserDefined || type(id) == kUnused;
  }

  Status load_spm() {
    if (in_.scores.empty()) return malformed("{}: tokenizer.ggml.scores is missing", where_);
    SpmBpeConfig config;
    StringTable table;
    std::vector<uint32_t> order;
    config.rank.assign(in_.tokens.size(), UINT32_MAX);
    for (uint32_t id = 0; id < in_.tokens.size(); ++id) {
      if (!is_text(id) || pipeline_->vocab.find(in_.tokens[id]) != static_cast<TokenId>(id)) {
        continue;
      }
      order.push_back(id);
      table.assign(pipeline_->vocab.token(id), static_cast<TokenId>(id));
    }
    const auto score = [&](uint32_t id) { return in_.scores[id]; };
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return score(a) > score(b); });
    uint32_t rank = 0;
    for (size_t i = 0; i < order.size(); ++i) {
      if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;
      config.rank[order[i]] = rank;
    }
    if (!pipeline_->unk.has_value()) pipeline_->unk = 0;
    config.unk = *pipeline_->unk;
    config.byte_tokens = find_byte_tokens(pipeline_->vocab);
    config.cut_before = cut_before_of(pipeline_->vocab);
    pipeline_->model = make_spm_bpe(std::move(config), std::move(table));
    const bool prefix = in_.add_space_prefix.value_or(true);
    if (prefix) pipeline_->normalizers.push_back(make_prepend(" "));
    pipeline_->normalizers.push_back(
        make_replace(Pattern::literal(" "), std::string(kSpaceSymbol)));
    fill_spm_decoder(prefix);
    add_bos_ = in_.add_bos_token.value_or(true);
    add_eos_ = in_.add_eos_token.value_or(false);
    return {};
  }

  void fill_spm_decoder(bool prefix) {
    DecoderStep bytes;
    bytes.kind = DecoderStep::Kind::kSpmBytes;
    DecoderStep spaces;
    spaces.kind = DecoderStep::Kind::kSpmPrefix;
    if (!prefix) {
      spaces.kind = DecoderStep::Kind::kReplace;
      spaces.text = " ";
      spaces.pattern = std::make_shared<const Pattern>(Pattern::literal(std::string(kSpaceSymbol)));
    }
    pipeline_->decoder = {bytes, spaces};
  }

  Status load_unigram() {
    if (in_.scores.empty()) return malformed("{}: tokenizer.ggml.scores is missing", where_);
    if (!pipeline_->unk.has_value()) return malformed("{}: no unknown_token_id", where_);
    const std::string_view blob(reinterpret_cast<const char*>(in_.precompiled_charsmap.data()),
                                in_.precompiled_charsmap.size());
    SpmNormalizerConfig normalizer;
    ASSIGN_OR_RETURN(normalizer.map, CharsMap::parse(blob, where_));
    normalizer.add_dummy_prefix = in_.add_space_prefix.value_or(true);
    normalizer.remove_extra_whitespaces = in_.remove_extra_whitespaces.value_or(true);
    const bool remove = normalizer.remove_extra_whitespaces;
    pipeline_->normalizers.push_back(make_spm_normalizer(std::move(normalizer)));
    UnigramConfig config;
    config.single_precision = true;
    config.unk = *pipeline_->unk;
    std::vector<Trie::Entry> entries;
    for (size_t id = 0; id < in_.tokens.size(); ++id) {
      config.score.push_back(in_.scores[id]);
      if (type(id) == kNormal)
        config.lowest_score = std::min(config.lowest_score, config.score[id]);
      if (type(id) == kNormal || type(id) == kUserDefined) {
        entries.emplace_back(in_.tokens[id], static_cast<int32_t>(id));
      }
    }
    pipeline_->model = make_unigram(std::move(config), Trie(std::move(entries)), StringTable());
    fill_spm_decoder(true);
    pipeline_->decoder.back().flag = remove;
    add_bos_ = in_.add_bos_token.value_or(false);
    add_eos_ = in_.add_eos_token.value_or(true);
    return {};
  }

  Status load_bert() {
    if (!pipeline_->unk.has_value()) return malformed("{}: no unknown_token_id", where_);
    pipeline_->normalizers.push_back(make_bert_normalizer({}));
    pipeline_->pre_tokenizers.push_back(make_char_split(CharKind::kSpace, SplitBehavior::kRemoved));
    pipeline_->pre_tokenizers.push_back(
        make_char_split(CharKind::kPunctuation, SplitBehavior::kIsolated));
    WordPieceConfig config;
    config.unk = *pipeline_->unk;
    pipeline_->model = make_word_piece(std::move(config), spelling_table(pipeline_->vocab));
    DecoderStep step;
    step.kind = DecoderStep::Kind::kWordPiece;
    step.text = "##";
    step.flag = true;
    pipeline_->decoder = {step};
    std::optional<TokenId> cls = pipeline_->bos, sep = pipeline_->eos;
    RETURN_IF_ERROR(read_id("cls", in_.cls_token_id, cls));
    RETURN_IF_ERROR(read_id("seperator", in_.seperator_token_id, sep));
    pipeline_->bos = cls;
    pipeline_->eos = sep;
    add_bos_ = in_.add_bos_token.value_or(true);
    add_eos_ = in_.add_eos_token.value_or(true);
    return {};
  }

  GgufVocab in_;
  std::string_view where_;
  std::unique_ptr<Pipeline> pipeline_ = std::make_unique<Pipeline>();
  std::vector<AddedToken> added_;
  std::deque<std::string> respelled_;  // spellings that are not in the file
  bool add_bos_ = false;
  bool add_eos_ = false;
};

}  // namespace

LoadResult load_gguf_vocab(GgufVocab&& vocab, std::string_view where) {
  return GgufLoader(std::move(vocab), where).run();
}

}  // namespace orrery::tokenizer
