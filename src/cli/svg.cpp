#include "cli/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace orrery::cli::svg {
namespace {

struct Colour {
  std::string_view name, light, dark;
};
// In the order of Ink. Blue and green differ in lightness too, for eyes that see no hue.
constexpr std::array<Colour, 6> kColours = {{{"text", "#1f2937", "#e5e7eb"},
                                             {"faint", "#6b7280", "#9ca3af"},
                                             {"grid", "#e5e7eb", "#374151"},
                                             {"first", "#3f6fb0", "#7aa7e8"},
                                             {"second", "#7fb3a3", "#4f8878"},
                                             {"mark", "#c2410c", "#fb923c"}}};
constexpr std::string_view kGroundLight = "#ffffff", kGroundDark = "#161b26";

std::string_view name_of(Ink ink) { return kColours[static_cast<size_t>(ink)].name; }

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string style(bool dark) {
  std::string out = fmt::format(".ground{{fill:{}}}", dark ? kGroundDark : kGroundLight);
  for (const Colour& colour : kColours) {
    const std::string_view value = dark ? colour.dark : colour.light;
    out += fmt::format(".{0}{{fill:{1}}}.{0}-line{{stroke:{1};fill:none}}", colour.name, value);
  }
  return out;
}

}  // namespace

std::string text(double x, double y, Anchor anchor, Ink ink, std::string_view text, Font font) {
  constexpr std::string_view kAnchors[] = {"start", "middle", "end"};
  constexpr std::string_view kFonts[] = {"", " font-weight=\"600\"",
                                         " font-size=\"18\" font-weight=\"600\""};
  return fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\"{}>{}</text>\n", x, y,
      kAnchors[static_cast<size_t>(anchor)], name_of(ink), kFonts[static_cast<size_t>(font)],
      escape(text));
}

std::string rect(double x, double y, double width, double height, Ink ink) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"{}\"/>\n", x, y,
      std::max(width, 1.0), height, name_of(ink));
}

std::string line(Point from, Point to, Ink ink, bool dashed) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}-line\"{}/>\n",
      from.first, from.second, to.first, to.second, name_of(ink),
      dashed ? " stroke-dasharray=\"4 4\"" : "");
}

std::string curve(std::span<const Point> points, Ink ink) {
  std::string out = "<polyline points=\"";
  for (const Point& point : points) out += fmt::format("{:.1f},{:.1f} ", point.first, point.second);
  return out + fmt::format("\" class=\"{}-line\" stroke-width=\"2\"/>\n", name_of(ink));
}

std::string document(double width, double height, std::string_view body) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "width=\"{0:.0f}\" height=\"{1:.0f}\" font-family=\"Helvetica, Arial, 'Liberation Sans', "
      "sans-serif\" font-size=\"13\">\n"
      "<style>{2}@media (prefers-color-scheme:dark){{{3}}}</style>\n"
      "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" class=\"ground\"/>\n{4}</svg>\n",
      width, height, style(false), style(true), body);
}

}  // namespace orrery::cli::svg
