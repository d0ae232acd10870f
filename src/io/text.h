// Small text helpers shared by the readers: UTF-8 validity, names from files made safe to print, JSON strings.
#pragma once
#include <string>
#include <string_view>

namespace purescope {

// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool valid_utf8(std::string_view text);

// A name from a file, for messages: control and non-ASCII bytes as \xNN, cut after `limit` bytes.
std::string printable(std::string_view text, size_t limit = 96);

// "text" with quotes and the escapes JSON asks for. The text must be UTF-8.
std::string json_quoted(std::string_view text);

// Why `name` cannot name a tensor (empty answer: it can): over 1 KiB, not UTF-8, holds NUL or "../".
std::string bad_tensor_name(std::string_view name);

}  // namespace purescope
