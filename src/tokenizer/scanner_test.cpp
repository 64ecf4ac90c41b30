#include "tokenizer/scanner.h"

#include <filesystem>

#include "tokenizer/regex.h"
#include "tokenizer/test_support.h"
#include "tokenizer/unicode.h"

namespace orrery::tokenizer {
namespace {

using Family = ScanStyle::Family;

const std::vector<ScanStyle>& styles() {
  static const std::vector<ScanStyle> all = {
      {},
      {Family::kCl100k, 3, false, true},
      {Family::kCl100k, 1, false, true},
      {Family::kCl100k, UINT32_MAX, false, true},
      {Family::kO200k, 3, true, true},
      {Family::kO200k, 1, true, false},
      {Family::kO200k, 3, false, true},
  };
  return all;
}

// The ends of the words, by the regular expression.
std::vector<size_t> regex_ends(const Regex& regex, std::string_view text) {
  std::vector<size_t> ends;
  for (size_t pos = 0; pos < text.size();) {
    const auto match = regex.find(text, pos);
    EXPECT_TRUE(match.ok() && match->found && match->begin == pos && match->end > pos);
    if (!match.ok() || !match->found || match->end <= pos) break;
    ends.push_back(pos = match->end);
  }
  return ends;
}

std::vector<size_t> scan_ends(const ScanStyle& style, std::string_view text) {
  std::vector<size_t> ends;
  const ScanFunction scan = scan_function(style);
  for (size_t pos = 0; pos < text.size();) ends.push_back(pos = scan(style, text, pos));
  return ends;
}

void expect_equal(const ScanStyle& style, const Regex& regex, const std::string& text) {
  ASSERT_EQ(scan_ends(style, text), regex_ends(regex, text))
      << scan_pattern(style) << "\non: " << text.substr(0, 200);
}

// utf8proc and PCRE2 may know different versions of Unicode: characters that they class
// differently (all of them younger than one of the two) are left out.
bool same_class(char32_t c) {
  struct Class {
    Regex regex;
    bool (*matches)(char32_t);
  };
  static const std::vector<Class> classes = [] {
    std::vector<Class> out;
    const auto add = [&](const std::string& pattern, bool (*matches)(char32_t)) {
      out.push_back({*Regex::compile_pcre2(pattern, "test"), matches});
    };
    add("\\p{L}", is_letter);
    add("\\p{N}", is_number);
    add("\\p{M}", is_mark);
    add("[\\p{Lu}\\p{Lt}]", [](char32_t x) {
      return category(x) == UTF8PROC_CATEGORY_LU || category(x) == UTF8PROC_CATEGORY_LT;
    });
    add("\\p{Ll}", [](char32_t x) { return category(x) == UTF8PROC_CATEGORY_LL; });
    return out;
  }();
  std::string text;
  append_utf8(c, text);
  for (const Class& one : classes) {
    if (one.regex.find(text, 0)->found != one.matches(c)) return false;
  }
  return true;
}

TEST(Scanner, ClassesCharactersAsPcre2DoesExceptTheNewest) {
  size_t different = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    if (!same_class(c)) ++different;
  }
  EXPECT_LT(different, 6000u);  // Unicode 15 added 4,489 characters to Unicode 14
}

TEST(Scanner, SplitsRandomUnicodeAsItsRegularExpression) {
  // Characters that the patterns tell apart, and any others.
  const std::u32string interesting =
      U"aZsStT'\u2019 "
      U"\t\r\n\u00A0\u3000\u0085\u2028\u1680\u180E.,!?/-_#0123456789\u00B2\u0662\u216B"
      U"\u00E9\u0130\u017F\u0301\u0903\u20DD\u4E2D\u3042\u02B0\u01C5\u05D0\uFE0F\u200D"
      U"\U0001F680dDmMlLrReEvV\u0000";
  Draws draws(3);
  for (const ScanStyle& style : styles()) {
    const auto regex = Regex::compile(scan_pattern(style), "test");
    ASSERT_TRUE(regex.ok()) << regex.status().message();
    for (int round = 0; round < 4000; ++round) {
      std::string text;
      for (uint32_t length = draws.below(24); length > 0; --length) {
        char32_t c = interesting[draws.below(static_cast<uint32_t>(interesting.size()))];
        if (draws.below(8) == 0) c = draws.below(0x110000);
        if ((c >= 0xD800 && c < 0xE000) || !same_class(c)) continue;
        for (uint32_t repeat = draws.below(6) == 0 ? draws.below(5) : 1; repeat > 0; --repeat) {
          append_utf8(c, text);
        }
      }
      expect_equal(style, *regex, text);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Scanner, SplitsAllTextsAsItsRegularExpression) {
  SKIP_WITHOUT_DATA();
  for (const std::string name : {"en/botchan.txt", "en/tinyshakespeare.txt",
                                 "en/wikitext-2-valid.txt", "ja/wagahaiwa_nekodearu.txt"}) {
    const std::string text = replace_invalid_utf8(read_text(data_path("text/" + name)));
    for (const ScanStyle& style : styles()) {
      const auto regex = Regex::compile(scan_pattern(style), "test");
      ASSERT_TRUE(regex.ok());
      expect_equal(style, *regex, text);
    }
  }
}

TEST(Scanner, RecognisesItsOwnPatternsAndTheirKnownSpellings) {
  for (const ScanStyle& style : styles()) {
    const auto found = recognise_pattern(scan_pattern(style));
    ASSERT_TRUE(found.has_value()) << scan_pattern(style);
    EXPECT_EQ(scan_pattern(*found), scan_pattern(style));
  }
  EXPECT_FALSE(recognise_pattern("\\s+|\\S+").has_value());
}

std::string matches_of(const std::string& pattern, const std::string& text) {
  const auto regex = Regex::compile(pattern, "test");
  EXPECT_TRUE(regex.ok()) << regex.status().message();
  if (!regex.ok()) return "";
  std::string out;
  for (size_t pos = 0; pos <= text.size();) {
    const auto match = regex->find(text, pos);
    if (!match.ok() || !match->found) break;
    out.append("[").append(text, match->begin, match->end - match->begin).append("]");
    pos = match->end + (match->begin == match->end ? 1 : 0);
  }
  return out;
}

// Expected results are Oniguruma's, as Hugging Face's Split gives them.
TEST(Regex, ReadsClassesAsOnigurumaDoes) {
  EXPECT_EQ(matches_of("[a-z&&[^c]]+", "abcdef"), "[ab][def]");
  EXPECT_EQ(matches_of("[^a-c&&b-z]+", "abcdef a"), "[a][def a]");
  EXPECT_EQ(matches_of("[a[b-d]]+", "abcdefa"), "[abcd][a]");
  EXPECT_EQ(matches_of("\\h+", "abcdefgh12"), "[abcdef][12]");
  EXPECT_EQ(matches_of("[\\p{L}&&[^\\p{Han}]]+", "ab\u4E2Dc"), "[ab][c]");
  EXPECT_EQ(matches_of("\\p{^L}+", "a1b2"), "[1][2]");
  EXPECT_EQ(matches_of("[\\S&&\\D]+", "a1 b"), "[a][b]");
}

TEST(Regex, ReadsEscapesAsOnigurumaDoes) {
  EXPECT_EQ(matches_of("\\s", " \u180E\u00A0"), "[ ][\u00A0]");  // PCRE2's \s has U+180E
  EXPECT_EQ(matches_of("\\w+", "a\u0301_\u203F\u00B2-b"), "[a\u0301_\u203F\u00B2][b]");
  EXPECT_EQ(matches_of("\\v", "a\n\v"), "[\v]");  // PCRE2's \v is a class
  EXPECT_EQ(matches_of("\\u0041\\x42\\x{43}", "ABC"), "[ABC]");
  EXPECT_EQ(matches_of("\\p{Han}", "\u30FC\u4E2D"), "[\u4E2D]");  // script, not its extensions
  EXPECT_EQ(matches_of("\\bfoo\\b", "foo xfoo foo\u0301 foo"), "[foo][foo]");
}

TEST(Regex, ReadsAnchorsAndQuantifiersAsOnigurumaDoes) {
  EXPECT_EQ(matches_of("\\d+$", "12\n34 56"), "[12][56]");
  EXPECT_EQ(matches_of("^a", "a\na ba"), "[a][a]");
  EXPECT_EQ(matches_of("[a-z]{1,2}+", "abcdef"), "[abcdef]");  // PCRE2: possessive
  EXPECT_EQ(matches_of("a{,2}b", "aaab"), "[aab]");
  EXPECT_EQ(matches_of("a{2}?b", "aab b"), "[aab][b]");
  EXPECT_EQ(matches_of("(?m:a.b)|.", "a\nb\n"), "[a\nb]");
  EXPECT_EQ(matches_of("(?i:'s)|x", "'S '\u017F"), "['S]['\u017F]");
}

TEST(Regex, RefusesWhatItCannotTranslate) {
  for (const std::string pattern : {"(a)\\1",
                                    "\\K",
                                    "\\G",
                                    "(?<name>a)\\k<name>",
                                    "(?~abc)",
                                    "(?#x)",
                                    "(?s:.)",
                                    "a(?i)b",
                                    "[[:alpha:]]",
                                    "\\p{Alphabetic}",
                                    "\\p{Nonsense}",
                                    "\\X",
                                    "\\R",
                                    "(?i:ss)",
                                    "(?i:\u00DF)",
                                    "[]a]",
                                    "[a&&]",
                                    "a**",
                                    "*a",
                                    "(a",
                                    "a)",
                                    "[a",
                                    "\\xFF",
                                    "\\",
                                    "{2}",
                                    "a{",
                                    "[z-a]",
                                    "[\\w-.]",
                                    "\\c",
                                    "\\C",
                                    "(?<=a+)b",
                                    "(?P<x>a)",
                                    "(?(1)a)",
                                    "\\Qa\\E",
                                    "\\8"}) {
    const auto regex = Regex::compile(pattern, "test");
    ASSERT_FALSE(regex.ok()) << pattern;
    EXPECT_EQ(regex.status().code(), StatusCode::kUnsupported) << pattern;
  }
}

TEST(Regex, EndsAnExponentialMatchWithAnError) {
  const auto regex = Regex::compile("(?:a|aa|a?a)*b", "test");
  ASSERT_TRUE(regex.ok());
  const auto match = regex->find(std::string(5000, 'a') + "cb", 0);
  ASSERT_FALSE(match.ok());
  EXPECT_EQ(match.status().code(), StatusCode::kResourceExhausted);
}

TEST(Unicode, NormalizesIndependentlyOfTheRunOfMarks) {
  EXPECT_EQ(normalize("e\u0301", NormalForm::kNfc), "\u00E9");
  EXPECT_EQ(normalize("\u00E9", NormalForm::kNfd), "e\u0301");
  EXPECT_EQ(normalize("q\u0307\u0323", NormalForm::kNfc), "q\u0323\u0307");
  EXPECT_EQ(normalize("\u1100\u1161\u11A8", NormalForm::kNfc), "\uAC01");
  EXPECT_EQ(normalize("\uFF76\uFF9E", NormalForm::kNfkc), "\u30AC");
  EXPECT_EQ(normalize("\u212B \uFB01 \u00BD", NormalForm::kNfkc), "\u00C5 fi 1\u20442");
  // Alternating classes are the worst case of canonical ordering.
  std::string marks = "a";
  for (int i = 0; i < 100'000; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  EXPECT_LT(seconds([&] { normalize(marks, NormalForm::kNfc); }), 2.0);
}

}  // namespace
}  // namespace orrery::tokenizer
