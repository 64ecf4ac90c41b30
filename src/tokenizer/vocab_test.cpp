// The tables behind a vocabulary: many look-ups at once find what single ones find.
#include "tokenizer/vocab.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <set>

#include "tokenizer/merges.h"

namespace orrery::tokenizer {
namespace {

// More than one batch, of 0 to 40 bytes; neighbours differ only in length, or behind the eighth
// byte.
std::deque<std::string> some_strings() {
  std::deque<std::string> strings;
  for (size_t size = 0; size <= 40; ++size) {
    strings.emplace_back(size, '\0');
    strings.emplace_back(size, 'a');
    if (size > 0) strings.emplace_back(std::string(size - 1, 'a') + 'b');
    if (size > 0) strings.emplace_back(std::string(size - 1, 'a') + '\0');
  }
  std::sort(strings.begin(), strings.end());
  strings.erase(std::unique(strings.begin(), strings.end()), strings.end());
  return strings;
}

std::vector<TokenText> numbered(const std::deque<std::string>& strings, int64_t first) {
  std::vector<TokenText> tokens;
  for (const std::string& text : strings) tokens.push_back({text, first++});
  return tokens;
}

TEST(StringTable, FindsManyAtOnceAsItFindsOne) {
  const std::deque<std::string> strings = some_strings();
  ASSERT_GT(strings.size(), 3 * kLookups);
  StringTable table;
  table.assign(numbered(strings, 7));
  EXPECT_EQ(table.size(), strings.size());
  std::vector<std::string_view> keys(strings.begin(), strings.end());
  const std::deque<std::string> absent = {"aaaaaaac", "aaaaaaaac", std::string(41, 'a'), "c"};
  keys.insert(keys.begin() + 5, absent.begin(), absent.end());
  std::vector<TokenId> ids(keys.size());
  table.find(keys, ids);
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool there = i < 5 || i >= 5 + absent.size();
    EXPECT_EQ(table.find(keys[i]).has_value(), there) << i;
    EXPECT_EQ(ids[i], table.find(keys[i]).value_or(-1)) << i;
    if (there) {
      EXPECT_EQ(strings[static_cast<size_t>(ids[i] - 7)], keys[i]);
    }
  }
}

TEST(StringTable, FindsNothingBeforeTheFirstString) {
  const StringTable table;
  const std::string_view key = "a";
  TokenId id = 5;
  table.find({&key, 1}, {&id, 1});
  EXPECT_EQ(id, -1);
  EXPECT_FALSE(table.find(key).has_value());
}

TEST(StringTable, KeepsTheLastIdOfAString) {
  const std::deque<std::string> strings = some_strings();
  StringTable table;
  table.assign(numbered(strings, 0));
  table.assign(numbered(strings, 1000));
  table.assign(strings[3], 5);
  EXPECT_EQ(table.size(), strings.size());
  EXPECT_EQ(table.find(strings[3]), 5);
  EXPECT_EQ(table.find(strings[4]), 1004);
}

TEST(Vocab, FindsTheLastAddedOfEqualStrings) {
  Vocab vocab;
  vocab.reserve(4, 16);
  const TokenText tokens[] = {{"a", 0}, {"b", 3}, {"b", 1}, {"a", 0}, {"c", 2}};
  ASSERT_TRUE(vocab.add(tokens, "test").ok());
  EXPECT_EQ(vocab.count(), 4);
  EXPECT_EQ(vocab.find("b"), 1);
  EXPECT_EQ(vocab.token(3), "b");
  EXPECT_FALSE(vocab.unique());
  EXPECT_EQ(vocab.find_duplicate(), 3);
}

TEST(Vocab, HasNoDuplicateWhereStringsDiffer) {
  Vocab vocab;
  vocab.reserve(2, 16);
  ASSERT_TRUE(vocab.add("a", 0, "test").ok());
  ASSERT_TRUE(vocab.add("", 1, "test").ok());
  EXPECT_TRUE(vocab.unique());
  EXPECT_FALSE(vocab.find_duplicate().has_value());
  EXPECT_EQ(vocab.find(""), 1);
  EXPECT_EQ(vocab.add("b", 1, "test").code(), StatusCode::kMalformed);
}

TEST(MergeTable, KeepsTheMergeOfTheHighestRankOfAPair) {
  std::vector<MergeTable::Entry> entries;
  for (uint32_t i = 0; i < 100; ++i) {
    const auto id = static_cast<TokenId>(i % 70);
    entries.push_back({id, id + 1, {i, static_cast<TokenId>(i)}});
  }
  MergeTable table;
  table.assign(entries);
  EXPECT_EQ(table.size(), 70u);
  EXPECT_EQ(table.find(10, 11).rank, 80u);
  EXPECT_EQ(table.find(50, 51).id, 50);
  EXPECT_EQ(table.find(11, 10).rank, UINT32_MAX);
  table.assign(std::span(entries).first(30));  // of lower ranks
  EXPECT_EQ(table.size(), 70u);
  EXPECT_EQ(table.find(10, 11).rank, 80u);
  EXPECT_EQ(table.find(10, 11).id, 80);
}

// As many as two threads share; rank r is the pair (r % 7000, 0).
constexpr size_t kManyMerges = 20'000;
Status find_many(size_t first, std::span<MergeTable::Entry> merges,
                 const std::set<size_t>& wrong = {}) {
  for (size_t rank = first; rank < first + merges.size(); ++rank) {
    if (wrong.contains(rank)) return malformed("{}", rank);
    merges[rank - first] = {static_cast<TokenId>(rank % 7000), 0, {0, static_cast<TokenId>(rank)}};
  }
  return {};
}

TEST(ReadMerges, FindsEachOnceAndRanksItByItsPlace) {
  const Vocab vocab;
  std::atomic<size_t> found = 0;
  MergeTable table = begin_merge_table(kManyMerges).get();
  const auto find = [&](size_t first, MergeReader&, std::span<MergeTable::Entry> merges) {
    found += merges.size();
    return find_many(first, merges);
  };
  int beside = 0;
  ASSERT_TRUE(read_merges(kManyMerges, MergeReader(vocab), find, table, [&] { ++beside; }).ok());
  EXPECT_EQ(beside, 1);
  EXPECT_EQ(found, kManyMerges);
  EXPECT_EQ(table.size(), 7000u);
  for (TokenId left = 0; left < 7000; ++left) {
    const TokenId last = left < 6000 ? left + 14'000 : left + 7000;  // of 20,000
    EXPECT_EQ(table.find(left, 0).rank, static_cast<uint32_t>(last));
    EXPECT_EQ(table.find(left, 0).id, last);
  }
}

TEST(ReadMerges, TellsOfTheFirstThatIsWrong) {
  const Vocab vocab;
  for (const size_t first_wrong : {size_t{0}, size_t{1023}, size_t{1024}, kManyMerges - 1}) {
    MergeTable table;
    const auto find = [&](size_t first, MergeReader&, std::span<MergeTable::Entry> merges) {
      return find_many(first, merges, {first_wrong, first_wrong + 1, 1500, 9000, kManyMerges - 1});
    };
    const Status status = read_merges(kManyMerges, MergeReader(vocab), find, table, [] {});
    EXPECT_EQ(status.code(), StatusCode::kMalformed);
    EXPECT_EQ(status.message(), std::to_string(std::min<size_t>(first_wrong, 1500)));
  }
}

TEST(MergeReader, FindsPairsThatMakeATokenAndNoOthers) {
  Vocab vocab;
  vocab.reserve(8, 64);
  const TokenText tokens[] = {{"a", 0}, {"##b", 1}, {"ab", 2}, {"abab", 3}, {"##abab", 4}};
  ASSERT_TRUE(vocab.add(tokens, "test").ok());
  std::vector<MergeReader::Pair> pairs(kLookups, {"a", "##b"});
  pairs.push_back({"ab", "##abab"});  // ababab is no token
  pairs.push_back({"a", "b"});        // b is none
  pairs.push_back({"", "ab"});        // "" is none
  pairs.push_back({"ab", "ab"});      // ab without its first two bytes: ab again
  std::vector<MergeTable::Entry> entries(pairs.size());
  MergeReader(vocab, 2).find(pairs, entries);
  for (size_t i = 0; i < kLookups; ++i) {
    EXPECT_EQ(entries[i].left, 0);
    EXPECT_EQ(entries[i].right, 1);
    EXPECT_EQ(entries[i].merge.id, 2);
  }
  EXPECT_EQ(entries[kLookups].left, -1);
  EXPECT_EQ(entries[kLookups + 1].left, -1);
  EXPECT_EQ(entries[kLookups + 2].left, -1);
  EXPECT_EQ(entries[kLookups + 3].merge.id, 2);
}

}  // namespace
}  // namespace orrery::tokenizer
