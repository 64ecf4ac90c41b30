// Pieces of pictures as SVG. Colours are classes, which follow the reader's light or dark theme.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace orrery::cli::svg {

enum class Ink { kText, kFaint, kGrid, kFirst, kSecond, kMark };
enum class Anchor { kStart, kMiddle, kEnd };
enum class Font { kNormal, kStrong, kTitle };

using Point = std::pair<double, double>;  // x, y in pixels from the upper left

// `y` is that of the base line.
std::string text(double x, double y, Anchor anchor, Ink ink, std::string_view text,
                 Font font = Font::kNormal);
// At least one pixel wide.
std::string rect(double x, double y, double width, double height, Ink ink);
std::string line(Point from, Point to, Ink ink, bool dashed = false);
std::string curve(std::span<const Point> points, Ink ink);

// A whole file, on a ground of its own.
std::string document(double width, double height, std::string_view body);

}  // namespace orrery::cli::svg
