// Oniguruma (Ruby syntax) to PCRE2. Reference: Oniguruma's doc/RE and PCRE2's pcre2pattern(3).
#include <array>
#include <cctype>
#include <optional>
#include <vector>

#include "base/utf8.h"
#include "tokenizer/regex.h"

namespace orrery::tokenizer {
namespace {

// Members of classes, spelled out because PCRE2's own differ: its \s has U+180E, its \w lacks marks
// and connectors, its \v and \h are sets.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{D}\x{20}\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x{0}-\x{8}\x{E}-\x{1F}\x{21}-\x{84}\x{86}-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
// Alphabetic, marks, decimal digits, connectors; and the six Latin-1 numbers that Oniguruma adds.
constexpr std::string_view kWord =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189})";
constexpr std::string_view kHex = "0-9A-Fa-f";

constexpr std::array<std::string_view, 36> kCategories = {
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd",
    "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm",
    "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "C",  "Cc", "Cf", "Cn", "Co"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kLongNames = {
    {{"letter", "L"},
     {"uppercaseletter", "Lu"},
     {"lowercaseletter", "Ll"},
     {"mark", "M"},
     {"number", "N"},
     {"decimalnumber", "Nd"},
     {"punctuation", "P"},
     {"symbol", "S"},
     {"separator", "Z"}}};
constexpr std::array<std::string_view, 24> kScripts = {
    "Han",      "Hiragana", "Katakana",   "Hangul",   "Latin",     "Cyrillic",
    "Greek",    "Arabic",   "Hebrew",     "Thai",     "Lao",       "Tibetan",
    "Khmer",    "Myanmar",  "Armenian",   "Bengali",  "Tamil",     "Telugu",
    "Georgian", "Ethiopic", "Devanagari", "Bopomofo", "Mongolian", "Gujarati"};

std::string fold_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-') continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

// \p{...} with the same meaning in PCRE2, without its braces and sign; empty if unknown. A bare
// script name means Script in Oniguruma and Script_Extensions in PCRE2.
std::string property(std::string_view name) {
  const std::string folded = fold_name(name);
  for (const std::string_view known : kCategories) {
    if (fold_name(known) == folded) return std::string(known);
  }
  for (const auto& [known, category] : kLongNames) {
    if (known == folded) return std::string(category);
  }
  for (const std::string_view known : kScripts) {
    if (fold_name(known) == folded) return "sc:" + std::string(known);
  }
  return {};
}

std::string literal(char32_t c) { return fmt::format("\\x{{{:X}}}", static_cast<uint32_t>(c)); }

class Translator {
 public:
  Translator(std::string_view pattern, std::string_view where) : in_(pattern), where_(where) {}

  Result<std::string> run() {
    if (in_.size() > (16 << 10)) return fail("longer than 16 KiB");
    if (!is_valid_utf8(in_)) return fail("not UTF-8");
    while (pos_ < in_.size()) RETURN_IF_ERROR(element());
    if (!groups_.empty()) return fail("a group without its end");
    return std::move(out_);
  }

 private:
  struct Group {
    size_t start;
    bool caseless;
    bool quantifiable;
  };

  Status fail(std::string_view what) const {
    return unsupported("{}: regular expression {}: offset {}: {} is not supported", where_, in_,
                       pos_, what);
  }
  bool next_is(std::string_view text) const { return in_.substr(pos_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    pos_ += text.size();
    return true;
  }

  void atom(std::string_view text) {
    atom_start_ = out_.size();
    quantifiable_ = true;
    out_ += text;
    previous_letter_ = 0;
  }
  void assertion(std::string_view text) {
    out_ += text;
    quantifiable_ = false;
    previous_letter_ = 0;
  }

  Status element() {
    switch (in_[pos_]) {
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '[': {
        ASSIGN_OR_RETURN(const std::string set, char_class(0));
        atom(set);
        return {};
      }
      case '\\':
        return escape();
      case '*':
      case '+':
      case '?':
      case '{':
        return quantifier();
      case '|':
        ++pos_;
        assertion("|");
        return {};
      case '^':
      case '$':
        assertion(in_.substr(pos_++, 1));
        return {};
      case '.':
        ++pos_;
        atom(".");
        return {};
      default: {
        const Utf8Char c = decode_utf8(in_.substr(pos_));
        pos_ += c.length;
        return literal_char(c.code_point);
      }
    }
  }

  // Ignoring case, Oniguruma also matches one character against two (ss and the sharp s).
  Status literal_char(char32_t c) {
    const char32_t previous = previous_letter_;
    atom(literal(c));
    if (!caseless_) return {};
    if (c >= 0x80) return fail("a non-ASCII letter where case is ignored");
    const auto lower = static_cast<char>(std::tolower(static_cast<int>(c)));
    previous_letter_ = static_cast<char32_t>(lower);
    for (const std::string_view pair : {"ss", "st", "ff", "fi", "fl"}) {
      if (previous == static_cast<char32_t>(pair[0]) && lower == pair[1]) {
        return fail("a pair of letters that case folding may contract");
      }
    }
    return {};
  }

  Status open_group() {
    const size_t start = out_.size();
    const bool outer = caseless_;
    bool look_around = false;
    if (take("(?:")) {
      out_ += "(?:";
    } else if (take("(?=") || take("(?!")) {
      out_ += in_.substr(pos_ - 3, 3);
      look_around = true;
    } else if (take("(?<=") || take("(?<!")) {
      out_ += in_.substr(pos_ - 4, 4);
      look_around = true;
    } else if (take("(?>")) {
      out_ += "(?>";
    } else if (next_is("(?")) {
      return option_group();
    } else {
      ++pos_;
      out_ += "(?:";
    }
    groups_.push_back({start, outer, !look_around});
    quantifiable_ = false;
    previous_letter_ = 0;
    return groups_.size() > 100 ? fail("nesting deeper than 100") : Status();
  }

  // (?im-im:...), or the same without a colon at the very beginning. Ruby's m is PCRE2's s.
  Status option_group() {
    const size_t begin = pos_;
    const Group group{out_.size(), caseless_, true};
    std::string options;
    bool on = true;
    for (pos_ += 2; pos_ < in_.size() && in_[pos_] != ':' && in_[pos_] != ')'; ++pos_) {
      if (in_[pos_] == 'i') {
        caseless_ = on;
        options += 'i';
      } else if (in_[pos_] == 'm') {
        options += 's';
      } else if (in_[pos_] == '-' && on) {
        on = false;
        options += '-';
      } else {
        return fail("this kind of group");
      }
    }
    if (pos_ == in_.size()) return fail("a group without its end");
    if (in_[pos_++] == ')') {
      if (begin != 0) return fail("an option that is set inside the expression");
      out_ += "(?" + options + ")";
      return {};
    }
    out_ += "(?" + options + ":";
    groups_.push_back(group);
    quantifiable_ = false;
    previous_letter_ = 0;
    return {};
  }

  Status close_group() {
    if (groups_.empty()) return fail("an unmatched )");
    ++pos_;
    out_ += ')';
    atom_start_ = groups_.back().start;
    caseless_ = groups_.back().caseless;
    quantifiable_ = groups_.back().quantifiable;
    groups_.pop_back();
    previous_letter_ = 0;
    return {};
  }

  Status quantifier() {
    if (!quantifiable_) return fail("a quantifier here");
    quantifiable_ = false;
    previous_letter_ = 0;
    if (in_[pos_] != '{') {
      out_ += in_[pos_++];
      if (pos_ < in_.size() && (in_[pos_] == '?' || in_[pos_] == '+')) out_ += in_[pos_++];
      return {};
    }
    return interval();
  }

  // {n} {n,} {n,m} {,m}. In Ruby syntax {n,m}+ repeats the whole, and {n}? makes it optional.
  Status interval() {
    const size_t close = in_.find('}', pos_);
    if (close == std::string_view::npos) return fail("a lone {");
    const std::string_view body = in_.substr(pos_ + 1, close - pos_ - 1);
    const size_t comma = body.find(',');
    const std::string_view low = body.substr(0, comma);
    const std::string_view high = comma == std::string_view::npos ? "" : body.substr(comma + 1);
    const auto digits = [](std::string_view text) {
      return text.size() <= 4 && text.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (!digits(low) || !digits(high) || (low.empty() && high.empty())) return fail("this {");
    pos_ = close + 1;
    out_ += '{';
    out_ += low.empty() ? "0" : low;
    if (comma != std::string_view::npos) {
      out_ += ',';
      out_ += high;
    }
    out_ += '}';
    if (pos_ == in_.size()) return {};
    if (in_[pos_] == '+' || (in_[pos_] == '?' && comma == std::string_view::npos)) {
      out_.insert(atom_start_, "(?:");
      out_ += ')';
      out_ += in_[pos_++];
    } else if (in_[pos_] == '?') {
      out_ += in_[pos_++];
    }
    return {};
  }

  Status escape() {
    if (pos_ + 1 == in_.size()) return fail("a lone backslash");
    const std::string word = fmt::format("[{}]", kWord);
    switch (in_[pos_ + 1]) {
      case 'A':
      case 'z':
      case 'Z':
        assertion(in_.substr(pos_, 2));
        pos_ += 2;
        return {};
      case 'b':
        assertion(fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word));
        pos_ += 2;
        return {};
      case 'B':
        assertion(fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word));
        pos_ += 2;
        return {};
      default:
        break;
    }
    ASSIGN_OR_RETURN(const Item item, escaped_item());
    if (item.code_point.has_value()) return literal_char(*item.code_point);
    atom("[" + item.members + "]");
    return {};
  }

  // What an escape stands for: one character, or members of a class.
  struct Item {
    std::optional<char32_t> code_point;
    std::string members;
  };

  Result<Item> escaped_item() {
    if (pos_ + 1 >= in_.size()) return fail("a lone backslash");
    const char c = in_[pos_ + 1];
    const auto set = [&](std::string_view members) -> Result<Item> {
      pos_ += 2;
      return Item{std::nullopt, std::string(members)};
    };
    const auto character = [&](char32_t code_point) -> Result<Item> {
      pos_ += 2;
      return Item{code_point, {}};
    };
    switch (c) {
      case 's':
        return set(kSpace);
      case 'S':
        return set(kNotSpace);
      case 'd':
        return set(R"(\p{Nd})");
      case 'D':
        return set(R"(\P{Nd})");
      case 'w':
        return set(kWord);
      case 'h':
        return set(kHex);
      case 'n':
        return character('\n');
      case 'r':
        return character('\r');
      case 't':
        return character('\t');
      case 'f':
        return character('\f');
      case 'v':
        return character('\v');
      case 'a':
        return character('\a');
      case 'e':
        return character(0x1B);
      case 'p':
      case 'P':
        return property_item();
      case 'x':
      case 'u':
        return hexadecimal_item();
      default:
        break;
    }
    if (std::ispunct(static_cast<unsigned char>(c)) != 0 || c == ' ') {
      return character(static_cast<unsigned char>(c));
    }
    return fail("this escape");
  }

  Result<Item> property_item() {
    const bool negative = in_[pos_ + 1] == 'P';
    const size_t close = in_.find('}', pos_);
    if (pos_ + 2 >= in_.size() || in_[pos_ + 2] != '{' || close == std::string_view::npos) {
      return fail("a property without braces");
    }
    std::string_view name = in_.substr(pos_ + 3, close - pos_ - 3);
    bool caret = false;
    if (name.starts_with('^')) {
      caret = true;
      name.remove_prefix(1);
    }
    const std::string known = property(name);
    if (known.empty()) return fail(fmt::format("the property {}", name));
    pos_ = close + 1;
    return Item{std::nullopt, fmt::format("\\{}{{{}}}", negative != caret ? 'P' : 'p', known)};
  }

  // \xHH, \x{H...}, \uHHHH
  Result<Item> hexadecimal_item() {
    size_t begin = pos_ + 2;
    size_t end = begin + (in_[pos_ + 1] == 'x' ? 2 : 4);
    size_t after = end;
    if (in_[pos_ + 1] == 'x' && begin < in_.size() && in_[begin] == '{') {
      ++begin;
      end = in_.find('}', begin);
      if (end == std::string_view::npos) return fail("this escape");
      after = end + 1;
    }
    if (end > in_.size() || end == begin || end - begin > 6) return fail("this escape");
    char32_t value = 0;
    for (size_t i = begin; i < end; ++i) {
      if (std::isxdigit(static_cast<unsigned char>(in_[i])) == 0) return fail("this escape");
      const char c = static_cast<char>(std::tolower(in_[i]));
      value = value << 4 | static_cast<char32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    // \x80 to \xFF are raw bytes in Oniguruma.
    const bool raw = in_[pos_ + 1] == 'x' && after == end && value >= 0x80;
    if (raw || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return fail("this value");
    pos_ = after;
    return Item{value, {}};
  }

  // One operand of an intersection: a union of plain members and of nested classes.
  struct Union {
    std::string members;
    std::vector<std::string> nested;
    bool empty() const { return members.empty() && nested.empty(); }
    std::string expression() const {
      if (nested.empty()) return "[" + members + "]";
      std::string out = "(?:";
      if (!members.empty()) out += "[" + members + "]|";
      for (size_t i = 0; i < nested.size(); ++i) out += (i == 0 ? "" : "|") + nested[i];
      return out + ")";
    }
  };

  // [...] at pos_. Intersections and nested classes become look-aheads and alternatives, each of
  // which matches one character.
  Result<std::string> char_class(int depth) {
    if (depth > 8) return fail("classes nested deeper than 8");
    ++pos_;
    const bool negated = take("^");
    if (next_is("]")) return fail("] at the start of a class");
    std::vector<Union> operands(1);
    while (!take("]")) {
      if (pos_ >= in_.size()) return fail("a class without its end");
      if (take("&&")) {
        operands.emplace_back();
      } else if (next_is("[:")) {
        return fail("a POSIX bracket");
      } else if (next_is("[")) {
        ASSIGN_OR_RETURN(std::string nested, char_class(depth + 1));
        operands.back().nested.push_back(std::move(nested));
      } else {
        RETURN_IF_ERROR(class_member(operands.back()));
      }
    }
    for (const Union& operand : operands) {
      if (operand.empty()) return fail("an empty class");
    }
    if (operands.size() == 1 && operands[0].nested.empty()) {
      return (negated ? "[^" : "[") + operands[0].members + "]";
    }
    std::string all;
    for (size_t i = 0; i + 1 < operands.size(); ++i) all += "(?=" + operands[i].expression() + ")";
    all += operands.back().expression();
    if (negated) return "(?:(?!" + all + ")(?s:.))";
    return "(?:" + all + ")";
  }

  Result<Item> class_item() {
    if (in_[pos_] == '\\') {
      if (next_is("\\b")) return fail("\\b in a class");
      return escaped_item();
    }
    const Utf8Char c = decode_utf8(in_.substr(pos_));
    pos_ += c.length;
    return Item{c.code_point, {}};
  }

  // A character, a range or an escape that is a set.
  Status class_member(Union& out) {
    const bool leading_dash = in_[pos_] == '-';
    ASSIGN_OR_RETURN(const Item first, class_item());
    if (leading_dash && !out.empty() && !next_is("]")) return fail("a - in the middle of a class");
    if (!first.code_point.has_value()) {
      out.members += first.members;
      return {};
    }
    if (caseless_ && *first.code_point >= 0x80) {
      return fail("a non-ASCII letter where case is ignored");
    }
    out.members += literal(*first.code_point);
    if (!next_is("-") || next_is("-]") || leading_dash) return {};
    ++pos_;
    if (next_is("[") || next_is("&&")) return fail("this range");
    ASSIGN_OR_RETURN(const Item last, class_item());
    if (!last.code_point.has_value() || *last.code_point < *first.code_point) {
      return fail("this range");
    }
    if (caseless_ && *last.code_point >= 0x80) {
      return fail("a non-ASCII letter where case is ignored");
    }
    out.members += "-" + literal(*last.code_point);
    return {};
  }

  std::string_view in_;
  std::string_view where_;
  size_t pos_ = 0;
  std::string out_;
  std::vector<Group> groups_;
  size_t atom_start_ = 0;
  bool quantifiable_ = false;
  bool caseless_ = false;
  char32_t previous_letter_ = 0;  // lower case; 0 if the previous element is no letter
};

}  // namespace

Result<std::string> translate_oniguruma(std::string_view pattern, std::string_view where) {
  return Translator(pattern, where).run();
}

}  // namespace orrery::tokenizer
