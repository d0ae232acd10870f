// Numbers as they are written on the command line and in configuration files. All refuse (exit 2, naming `flag`)
// empty text, spaces, text after the number, NaN, Inf and values outside the type; nothing is rounded to fit.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace purescope {

// "8/255", "0.01/0.3", "0.031": the double nearest to the quotient of the two doubles; >= 0. Refuses 8/0 and 1e400.
double parse_fraction(const std::string& text, const std::string& flag);
std::vector<double> parse_fraction_list(const std::string& text, const std::string& flag);  // "2/255,8/255"

// An integer in [low, high].
int64_t parse_int(const std::string& text, const std::string& flag, int64_t low = INT64_MIN, int64_t high = INT64_MAX);
std::vector<int64_t> parse_int_list(const std::string& text, const std::string& flag, int64_t low = INT64_MIN,
                                    int64_t high = INT64_MAX);  // "50,100,150"

// A number of steps, images, draws: 1 ... 2^31 - 1.
int parse_count(const std::string& text, const std::string& flag);

// 0 ... 2^64 - 1.
uint64_t parse_seed(const std::string& text, const std::string& flag);
std::vector<uint64_t> parse_seed_list(const std::string& text, const std::string& flag);  // "0,1,2"

// "a:b" with 0 <= a < b: items a ... b - 1.
std::pair<int64_t, int64_t> parse_range(const std::string& text, const std::string& flag);

// Bytes: "4G", "512M", "1.5G", "65536"; K, M, G, T are powers of 1024. Positive, below 2^63.
uint64_t parse_size(const std::string& text, const std::string& flag);

}  // namespace purescope
