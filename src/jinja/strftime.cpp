#include <array>

#include "jinja/ops.h"

namespace orrery::jinja {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

struct Civil {
  int64_t year;
  int month, day, hour, minute, second;
  int week_day;  // Sunday is 0
  int year_day;  // January 1st is 0
};

// Days since 1970-01-01 to the proleptic Gregorian calendar: eras of 400 years have 146,097 days.
Civil to_civil(int64_t seconds) {
  int64_t days = seconds / 86400;
  int64_t rest = seconds % 86400;
  if (rest < 0) {
    rest += 86400;
    --days;
  }
  Civil c{};
  c.hour = static_cast<int>(rest / 3600);
  c.minute = static_cast<int>(rest / 60 % 60);
  c.second = static_cast<int>(rest % 60);
  c.week_day = static_cast<int>(((days + 4) % 7 + 7) % 7);
  const int64_t shifted = days + 719468;  // from 0000-03-01
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const int64_t day_of_era = shifted - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;  // March is 0
  c.day = static_cast<int>(day_of_year - (153 * month + 2) / 5 + 1);
  c.month = static_cast<int>(month < 10 ? month + 3 : month - 9);
  c.year = year_of_era + era * 400 + (c.month <= 2 ? 1 : 0);
  const bool leap = (c.year % 4 == 0 && c.year % 100 != 0) || c.year % 400 == 0;
  // January and February end the shifted year.
  c.year_day = static_cast<int>(c.month > 2 ? day_of_year + (leap ? 60 : 59) : day_of_year - 306);
  return c;
}

// ISO 8601: the week that holds the year's first Thursday is the first.
void iso_week(const Civil& c, int64_t& year, int& week) {
  const int week_day = (c.week_day + 6) % 7;  // Monday is 0
  year = c.year;
  week = (c.year_day - week_day + 10) / 7;
  const auto weeks_in = [](int64_t y) {
    const auto end_day = [](int64_t z) { return (z + z / 4 - z / 100 + z / 400) % 7; };
    return end_day(y) == 4 || end_day(y - 1) == 3 ? 53 : 52;
  };
  if (week < 1) {
    --year;
    week = weeks_in(year);
  } else if (week > weeks_in(year)) {
    ++year;
    week = 1;
  }
}

std::string field(const Civil& c, int64_t seconds, char directive, bool padded) {
  const auto two = [padded](int value, char fill = '0') {
    return !padded       ? fmt::format("{}", value)
           : fill == '0' ? fmt::format("{:02}", value)
                         : fmt::format("{:2}", value);
  };
  const int hour12 = c.hour % 12 == 0 ? 12 : c.hour % 12;
  const auto format = [seconds](std::string_view pattern) { return format_time(seconds, pattern); };
  int64_t iso_year = 0;
  int week = 0;
  iso_week(c, iso_year, week);
  switch (directive) {
    case 'a':
      return std::string(kDays[static_cast<size_t>(c.week_day)].substr(0, 3));
    case 'A':
      return std::string(kDays[static_cast<size_t>(c.week_day)]);
    case 'b':
    case 'h':
      return std::string(kMonths[static_cast<size_t>(c.month - 1)].substr(0, 3));
    case 'B':
      return std::string(kMonths[static_cast<size_t>(c.month - 1)]);
    case 'c':
      return format("%a %b %e %H:%M:%S %Y");
    case 'C':
      return two(static_cast<int>(c.year / 100));
    case 'd':
      return two(c.day);
    case 'D':
    case 'x':
      return format("%m/%d/%y");
    case 'e':
      return two(c.day, ' ');
    case 'f':
      return "000000";
    case 'F':
      return format("%Y-%m-%d");
    case 'g':
      return two(static_cast<int>(iso_year % 100));
    case 'G':
      return fmt::format("{}", iso_year);
    case 'H':
      return two(c.hour);
    case 'I':
      return two(hour12);
    case 'j':
      return padded ? fmt::format("{:03}", c.year_day + 1) : fmt::format("{}", c.year_day + 1);
    case 'k':
      return two(c.hour, ' ');
    case 'l':
      return two(hour12, ' ');
    case 'm':
      return two(c.month);
    case 'M':
      return two(c.minute);
    case 'n':
      return "\n";
    case 'p':
      return c.hour < 12 ? "AM" : "PM";
    case 'P':
      return c.hour < 12 ? "am" : "pm";
    case 'r':
      return format("%I:%M:%S %p");
    case 'R':
      return format("%H:%M");
    case 's':
      return fmt::format("{}", seconds);
    case 'S':
      return two(c.second);
    case 't':
      return "\t";
    case 'T':
    case 'X':
      return format("%H:%M:%S");
    case 'u':
      return fmt::format("{}", c.week_day == 0 ? 7 : c.week_day);
    case 'U':
      return two((c.year_day + 7 - c.week_day) / 7);
    case 'V':
      return two(week);
    case 'w':
      return fmt::format("{}", c.week_day);
    case 'W':
      return two((c.year_day + 7 - (c.week_day + 6) % 7) / 7);
    case 'y':
      return two(static_cast<int>(((c.year % 100) + 100) % 100));
    case 'Y':
      return fmt::format("{}", c.year);
    case 'z':
    case 'Z':
      return "";  // a time without a zone has none
    case '%':
      return "%";
    default:
      return {'%', directive};
  }
}

}  // namespace

std::string format_time(int64_t local_unix_seconds, std::string_view format) {
  const Civil civil = to_civil(local_unix_seconds);
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    ++i;
    const bool unpadded = format[i] == '-' && i + 1 < format.size();
    i += unpadded ? 1 : 0;
    out += field(civil, local_unix_seconds, format[i], !unpadded);
  }
  return out;
}

}  // namespace orrery::jinja
