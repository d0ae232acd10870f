#include "report/svg_text.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/check.h"
#include "io/text.h"

namespace purescope {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Of a letter, in units of the font size: after DejaVu Sans, one of the widest.
double letter_width(char c) {
  if (continues(c)) return 0;
  if (std::strchr("ijl.,:;'|! ()[]ftr/-", c)) return .38;
  if (std::strchr("mwMW@%+=<>~", c)) return .9;
  return c >= 'A' && c <= 'Z' ? .7 : .61;
}

}  // namespace

std::string escaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    while (i + length < text.size() && continues(text[i + length])) ++length;
    const std::string letter = text.substr(i, length);
    i += length;
    const unsigned char c = letter[0];
    if (letter == "&") out += "&amp;";
    else if (letter == "<") out += "&lt;";
    else if (letter == ">") out += "&gt;";
    else if (letter == "\"") out += "&quot;";
    else if (letter == "'") out += "&#39;";
    else if (c == '\n' || c == '\t') out += letter;
    else if (c < 0x20 || c == 0x7f || !valid_utf8(letter)) out += "\xef\xbf\xbd";
    else out += letter;
  }
  return out;
}

std::string prose(const std::string& text) {
  std::string out = text;
  for (size_t at = out.find("+-"); at != std::string::npos; at = out.find("+-", at + 2)) out.replace(at, 2, "\xc2\xb1");
  return escaped(out);
}

std::string coordinate(double value) {
  PURESCOPE_REQUIRE(std::isfinite(value));
  char text[400];
  std::snprintf(text, sizeof text, "%.3f", value);
  std::string out = text;
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

std::string short_number(double value) {
  char text[64];
  const double size = std::abs(value);
  std::snprintf(text, sizeof text, size >= 999.5 && size < 1e6 ? "%.0f" : "%.3g", value);
  std::string out = text;
  // 1e-07 -> 1e-7, 1e+06 -> 1e6
  if (const size_t e = out.find('e'); e != std::string::npos) {
    std::string power = out.substr(e + 1);
    const bool negative = power[0] == '-';
    power.erase(0, std::min(power.find_first_not_of("+-0"), power.size() - 1));
    out = out.substr(0, e + 1) + (negative ? "-" : "") + power;
  }
  return out == "-0" ? "0" : out;
}

double text_width(const std::string& text) {
  double width = 0;
  for (char c : text) width += letter_width(c);
  return width;
}

std::string shortened(const std::string& text, double width) {
  if (text_width(text) <= width) return text;
  std::string out = text;
  while (!out.empty() && text_width(out) + 1 > width) {
    while (out.size() > 1 && continues(out.back())) out.pop_back();
    out.pop_back();
  }
  return out + "\xe2\x80\xa6";
}

std::vector<std::string> wrapped(const std::string& text, double width) {
  std::vector<std::string> lines;
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = shortened(text.substr(at, end - at), width);
    at = end + 1;
    if (word.empty()) continue;
    if (!line.empty() && text_width(line + " " + word) > width) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

std::string svg_text(const std::string& text, double x, double y, const std::string& anchor, const std::string& kind) {
  return "<text" + (kind.empty() ? "" : " class=\"" + kind + "\"") + " x=\"" + coordinate(x) + "\" y=\"" +
         coordinate(y) + "\" text-anchor=\"" + anchor + "\">" + escaped(text) + "</text>";
}

}  // namespace purescope
