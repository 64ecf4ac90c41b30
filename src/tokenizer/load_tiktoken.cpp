// Rank files of tiktoken: one "base64 rank" per line. The rank is the id and the merging order.
#include <array>
#include <charconv>

#include "tokenizer/base64.h"
#include "tokenizer/load.h"

namespace orrery::tokenizer {
namespace {

// Tokens in known rank files have at most 128 bytes; merges_of_ranks is quadratic in this.
constexpr size_t kMaxTokenBytes = 512;

using Specials = std::vector<std::pair<std::string, TokenId>>;

Specials numbered(Specials specials, std::string_view format, int first, int count, TokenId id) {
  for (int i = 0; i < count; ++i) {
    specials.emplace_back(fmt::format(fmt::runtime(format), first + i), id + i);
  }
  return specials;
}

Specials llama3_specials() {
  const auto reserved = [](Specials all, int first, int count, TokenId id) {
    return numbered(std::move(all), "<|reserved_special_token_{}|>", first, count, id);
  };
  Specials all =
      reserved({{"<|begin_of_text|>", 128000}, {"<|end_of_text|>", 128001}}, 0, 2, 128002);
  all.emplace_back("<|finetune_right_pad_id|>", 128004);
  all = reserved(std::move(all), 2, 1, 128005);
  all.emplace_back("<|start_header_id|>", 128006);
  all.emplace_back("<|end_header_id|>", 128007);
  all.emplace_back("<|eom_id|>", 128008);
  all.emplace_back("<|eot_id|>", 128009);
  all.emplace_back("<|python_tag|>", 128010);
  return reserved(std::move(all), 3, 245, 128011);
}

Specials qwen2_specials() {
  Specials all;
  TokenId id = 151643;
  for (const std::string_view name :
       {"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
        "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>",
        "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"}) {
    all.emplace_back(name, id++);
  }
  return all;
}

Specials harmony_specials() {
  Specials all = {{"<|startoftext|>", 199998}, {"<|endoftext|>", 199999}, {"<|return|>", 200002},
                  {"<|constrain|>", 200003},   {"<|channel|>", 200005},   {"<|start|>", 200006},
                  {"<|end|>", 200007},         {"<|message|>", 200008},   {"<|call|>", 200012},
                  {"<|endofprompt|>", 200018}};
  for (const auto& [first, count] :
       {std::pair{200000, 2}, {200004, 1}, {200009, 3}, {200013, 5}, {200019, 1068}}) {
    all = numbered(std::move(all), "<|reserved_{}|>", first, count, first);
  }
  return all;
}

struct Known {
  std::string_view name;
  ScanStyle style;
  bool nfc;
  Specials (*specials)();
  std::string_view bos, eos;
  size_t num_ranks;  // of the published file; 0: another name has it
};

using Family = ScanStyle::Family;
const std::array<Known, 10> kKnown = {{
    {"gpt2",
     {},
     false,
     [] {
       return Specials{{"<|endoftext|>", 50256}};
     },
     "",
     "<|endoftext|>",
     50256},
    {"r50k",
     {},
     false,
     [] {
       return Specials{{"<|endoftext|>", 50256}};
     },
     "",
     "<|endoftext|>",
     0},
    {"p50k",
     {},
     false,
     [] {
       return Specials{{"<|endoftext|>", 50256}};
     },
     "",
     "<|endoftext|>",
     50280},
    {"cl100k",
     {Family::kCl100k, 3, false, true},
     false,
     [] {
       return Specials{{"<|endoftext|>", 100257},
                       {"<|fim_prefix|>", 100258},
                       {"<|fim_middle|>", 100259},
                       {"<|fim_suffix|>", 100260},
                       {"<|endofprompt|>", 100276}};
     },
     "",
     "<|endoftext|>",
     100256},
    {"o200k",
     {Family::kO200k, 3, true, true},
     false,
     [] {
       return Specials{{"<|endoftext|>", 199999}, {"<|endofprompt|>", 200018}};
     },
     "",
     "<|endoftext|>",
     199998},
    {"o200k_harmony",
     {Family::kO200k, 3, true, true},
     false,
     harmony_specials,
     "<|startoftext|>",
     "<|return|>",
     0},
    {"llama3",
     {Family::kCl100k, 3, false, true},
     false,
     llama3_specials,
     "<|begin_of_text|>",
     "<|end_of_text|>",
     128000},
    {"qwen",
     {Family::kCl100k, 1, false, true},
     true,
     [] {
       return numbered(
           {{"<|endoftext|>", 151643}, {"<|im_start|>", 151644}, {"<|im_end|>", 151645}},
           "<|extra_{}|>", 0, 205, 151646);
     },
     "",
     "<|endoftext|>",
     0},
    {"qwen2", {Family::kCl100k, 1, false, true}, true, qwen2_specials, "", "<|im_end|>", 151643},
    {"qwen3", {Family::kCl100k, 1, false, true}, true, qwen2_specials, "", "<|im_end|>", 0},
}};

// Tool calls and thinking: added tokens that are not special.
constexpr std::array<std::string_view, 12> kQwen3Added = {
    "<tool_call>",     "</tool_call>",     "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>",  "<|fim_pad|>",      "<|repo_name|>",  "<|file_sep|>",
    "<tool_response>", "</tool_response>", "<think>",        "</think>"};

struct Ranks {
  std::string arena;  // all tokens one after the other
  std::vector<std::pair<uint32_t, uint32_t>> spans;
  std::vector<uint32_t> rank;
};

Result<Ranks> parse_ranks(std::string_view text, std::string_view where) {
  Ranks ranks;
  ranks.arena.reserve(text.size());
  std::string token;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (row.ends_with('\r')) row.remove_suffix(1);
    if (row.empty()) continue;
    const size_t space = row.find(' ');
    if (space == std::string_view::npos) {
      return malformed("{}: line {}: expected \"base64 rank\"", where, line);
    }
    const std::string_view number = row.substr(space + 1);
    uint32_t rank = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), rank);
    if (parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() ||
        rank > kMaxTokenId) {
      return malformed("{}: line {}: expected a rank in [0, {}], got \"{}\"", where, line,
                       kMaxTokenId, number.substr(0, 40));
    }
    if (!decode_base64(row.substr(0, space), token) || token.empty() ||
        token.size() > kMaxTokenBytes) {
      return malformed("{}: line {}: expected a token of 1 to {} bytes in base64", where, line,
                       kMaxTokenBytes);
    }
    ranks.spans.emplace_back(static_cast<uint32_t>(ranks.arena.size()),
                             static_cast<uint32_t>(token.size()));
    ranks.arena += token;
    ranks.rank.push_back(rank);
  }
  if (ranks.rank.empty()) return malformed("{}: no ranks", where);
  return ranks;
}

Status fill_vocab(const Ranks& ranks, const Known& known, std::string_view where,
                  Pipeline& pipeline, std::vector<AddedToken>& added) {
  Specials specials = known.specials();
  const size_t extra = known.name == "qwen3" || known.name == "qwen2" ? kQwen3Added.size() : 0;
  pipeline.vocab.reserve(ranks.rank.size() + specials.size() + extra,
                         2 * ranks.arena.size() + (1 << 16));
  std::string spellings;
  spellings.reserve(2 * ranks.arena.size());  // so that it never moves: a byte has at most two
  std::vector<TokenText> tokens;
  for (size_t i = 0; i < ranks.rank.size(); ++i) {
    const size_t begin = spellings.size();
    append_byte_level(
        std::string_view(ranks.arena).substr(ranks.spans[i].first, ranks.spans[i].second),
        spellings);
    tokens.push_back({std::string_view(spellings).substr(begin), ranks.rank[i]});
  }
  RETURN_IF_ERROR(pipeline.vocab.add(tokens, where));
  if (const auto id = pipeline.vocab.find_duplicate()) {
    return malformed("{}: token \"{}\" has two ranks", where, pipeline.vocab.token(*id));
  }
  const auto add = [&](std::string_view content, TokenId id, bool special) -> Status {
    RETURN_IF_ERROR(pipeline.vocab.add(content, id, where));
    added.push_back(raw_token(content, id, special));
    return {};
  };
  for (const auto& [content, id] : specials) RETURN_IF_ERROR(add(content, id, true));
  for (size_t i = 0; i < extra; ++i) {
    RETURN_IF_ERROR(add(kQwen3Added[i], 151657 + static_cast<TokenId>(i), false));
    if (known.name == "qwen2" && i + 1 == 8) break;  // Qwen2.5 ends at <|file_sep|>
  }
  return {};
}

}  // namespace

std::vector<std::string_view> tiktoken_patterns() {
  std::vector<std::string_view> names;
  for (const Known& known : kKnown) names.push_back(known.name);
  return names;
}

MergeTable merges_of_ranks(const StringTable& table, const std::vector<std::string_view>& tokens) {
  MergeTable merges;
  merges.reserve(tokens.size() * 2);
  std::vector<std::string_view> lefts, rights;
  std::vector<TokenId> left_ids, right_ids;
  std::vector<MergeTable::Entry> entries;  // of the cuts; the ids of their tokens are to be found
  const auto flush = [&] {
    left_ids.resize(lefts.size());
    right_ids.resize(lefts.size());
    table.find(lefts, left_ids);
    table.find(rights, right_ids);
    size_t found = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (left_ids[i] < 0 || right_ids[i] < 0) continue;
      entries[found++] = {left_ids[i], right_ids[i], entries[i].merge};
    }
    merges.assign(std::span(entries).first(found));
    lefts.clear();
    rights.clear();
    entries.clear();
  };
  for (size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    for (size_t cut = 1; cut < token.size(); ++cut) {
      lefts.push_back(token.substr(0, cut));
      rights.push_back(token.substr(cut));
      entries.push_back({-1, -1, {static_cast<uint32_t>(id), static_cast<TokenId>(id)}});
    }
    if (entries.size() >= kLookups) flush();
  }
  flush();
  return merges;
}

LoadResult load_tiktoken(std::string_view text, std::string_view pattern, std::string_view where) {
  ASSIGN_OR_RETURN(const Ranks ranks, parse_ranks(text, where));
  const Known* known = nullptr;
  for (const Known& candidate : kKnown) {
    const bool chosen =
        pattern.empty() ? candidate.num_ranks == ranks.rank.size() : candidate.name == pattern;
    if (chosen) known = &candidate;
  }
  if (known == nullptr) {
    return invalid_argument("{}: {} ranks: the pattern \"{}\" is unknown, expected one of: {}",
                            where, ranks.rank.size(), pattern,
                            fmt::join(tiktoken_patterns(), ", "));
  }
  auto pipeline = std::make_unique<Pipeline>();
  std::vector<AddedToken> added;
  RETURN_IF_ERROR(fill_vocab(ranks, *known, where, *pipeline, added));
  pipeline->raw_bytes = ranks.arena;
  StringTable table;
  table.reserve(ranks.rank.size());
  std::vector<std::string_view> tokens(static_cast<size_t>(pipeline->vocab.size()));
  for (size_t i = 0; i < ranks.rank.size(); ++i) {
    const std::string_view token =
        std::string_view(pipeline->raw_bytes).substr(ranks.spans[i].first, ranks.spans[i].second);
    table.assign(token, static_cast<TokenId>(ranks.rank[i]));
    tokens[ranks.rank[i]] = token;
  }
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    if (!table.find(std::string_view(&c, 1)).has_value()) {
      return malformed("{}: no rank for the single byte 0x{:02X}", where, byte);
    }
  }
  BpeConfig config;
  config.bytes = true;
  config.ignore_merges = true;
  MergeTable merges = merges_of_ranks(table, tokens);
  pipeline->model = make_bpe(std::move(config), std::move(table), std::move(merges));
  if (known->nfc) pipeline->normalizers.push_back(make_unicode_form(NormalForm::kNfc));
  pipeline->pre_tokenizers.push_back(
      make_split(Pattern::scanner(known->style), SplitBehavior::kIsolated, false));
  DecoderStep step;
  step.kind = DecoderStep::Kind::kByteLevel;
  pipeline->decoder.push_back(step);
  pipeline->bos = pipeline->vocab.find(known->bos);
  pipeline->eos = pipeline->vocab.find(known->eos);
  if (pipeline->bos.has_value() && known->name == "llama3") pipeline->prefix = {*pipeline->bos};
  RETURN_IF_ERROR(pipeline->finish(std::move(added), where));
  return std::make_unique<Tokenizer>(std::move(pipeline));
}

}  // namespace orrery::tokenizer
