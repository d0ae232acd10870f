// The smallest parts of a drawing: numbers as coordinates, escaped text, and how wide a text will be.
#pragma once
#include <string>
#include <vector>

namespace purescope {

// Text for XML and HTML: & < > " ' escaped, bytes that are not UTF-8 and control characters become U+FFFD.
std::string escaped(const std::string& text);

// The same for sentences: "+-" becomes the sign for it.
std::string prose(const std::string& text);

// At most 3 decimals, no trailing zeros, never "-0". NaN and infinity are a bug (exit 70).
std::string coordinate(double value);

// A number for labels: 3 digits, or all before the point: "0.0312", "1.25e-7", "12345".
std::string short_number(double value);

// Width of a text in units of the font size, on the wide side for common sans-serif fonts.
double text_width(const std::string& text);

// Cut with an ellipsis so that text_width stays within `width`.
std::string shortened(const std::string& text, double width);

// Words in lines of at most `width`; a longer word stands alone and is cut.
std::vector<std::string> wrapped(const std::string& text, double width);

// <text class="KIND" x= y= ANCHOR>...</text>; anchor is start, middle or end.
std::string svg_text(const std::string& text, double x, double y, const std::string& anchor,
                     const std::string& kind = "");

}  // namespace purescope
