#include "io/dtype.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/check.h"

namespace purescope {

namespace {

struct Row { Dtype dtype; const char* name; size_t bits; };
const Row kRows[] = {
    {Dtype::F4, "F4", 4}, {Dtype::F6_E2M3, "F6_E2M3", 6}, {Dtype::F6_E3M2, "F6_E3M2", 6},
    {Dtype::Bool, "BOOL", 8}, {Dtype::U8, "U8", 8}, {Dtype::I8, "I8", 8},
    {Dtype::F8_E5M2, "F8_E5M2", 8}, {Dtype::F8_E4M3, "F8_E4M3", 8}, {Dtype::F8_E8M0, "F8_E8M0", 8},
    {Dtype::I16, "I16", 16}, {Dtype::U16, "U16", 16}, {Dtype::F16, "F16", 16}, {Dtype::BF16, "BF16", 16},
    {Dtype::I32, "I32", 32}, {Dtype::U32, "U32", 32}, {Dtype::F32, "F32", 32},
    {Dtype::F64, "F64", 64}, {Dtype::I64, "I64", 64}, {Dtype::U64, "U64", 64}, {Dtype::C64, "C64", 64}};
const Row& row(Dtype dtype) { return kRows[static_cast<int>(dtype)]; }

// One element of type T at any alignment.
template <typename T>
T element(const void* data, size_t i) {
  T value;
  std::memcpy(&value, static_cast<const unsigned char*>(data) + i * sizeof(T), sizeof(T));
  return value;
}

[[noreturn]] void refuse(Dtype dtype, const std::string& where, const char* wanted) {
  fail(kBadInput, std::string("values of type ") + dtype_name(dtype) + " cannot be read as " + wanted, where,
       "store the tensor as F32");
}

// Calls visit(value of element i) for every i, with the value as the type it is stored in (halves widened to float).
template <typename Visit>
void visit_all(Dtype dtype, const void* data, size_t count, const std::string& where, Visit visit) {
  const auto each = [&](auto zero) {
    for (size_t i = 0; i < count; ++i) visit(i, element<decltype(zero)>(data, i));
  };
  switch (dtype) {
    case Dtype::Bool: for (size_t i = 0; i < count; ++i) visit(i, uint8_t(element<uint8_t>(data, i) != 0)); return;
    case Dtype::U8: return each(uint8_t(0));
    case Dtype::I8: return each(int8_t(0));
    case Dtype::I16: return each(int16_t(0));
    case Dtype::U16: return each(uint16_t(0));
    case Dtype::F16: for (size_t i = 0; i < count; ++i) visit(i, half_to_float(element<uint16_t>(data, i))); return;
    case Dtype::BF16:
      for (size_t i = 0; i < count; ++i) visit(i, bfloat16_to_float(element<uint16_t>(data, i)));
      return;
    case Dtype::I32: return each(int32_t(0));
    case Dtype::U32: return each(uint32_t(0));
    case Dtype::F32: return each(float(0));
    case Dtype::F64: return each(double(0));
    case Dtype::I64: return each(int64_t(0));
    case Dtype::U64: return each(uint64_t(0));
    case Dtype::F4: case Dtype::F6_E2M3: case Dtype::F6_E3M2: case Dtype::F8_E5M2: case Dtype::F8_E4M3:
    case Dtype::F8_E8M0: case Dtype::C64: break;
  }
  refuse(dtype, where, "numbers");
}

}  // namespace

const char* dtype_name(Dtype dtype) { return row(dtype).name; }
size_t dtype_bits(Dtype dtype) { return row(dtype).bits; }

bool dtype_from_name(std::string_view name, Dtype& out) {
  for (const Row& r : kRows)
    if (name == r.name) { out = r.dtype; return true; }
  return false;
}

bool dtype_is_float(Dtype d) { return d == Dtype::F16 || d == Dtype::BF16 || d == Dtype::F32 || d == Dtype::F64; }

bool dtype_is_integer(Dtype d) {
  return d == Dtype::Bool || d == Dtype::U8 || d == Dtype::I8 || d == Dtype::I16 || d == Dtype::U16 ||
         d == Dtype::I32 || d == Dtype::U32 || d == Dtype::I64 || d == Dtype::U64;
}

bool dtype_is_numeric(Dtype d) { return dtype_is_float(d) || dtype_is_integer(d); }

// value = (-1)^s 2^(e-15) (1 + m/1024), subnormals m 2^-24; a NaN keeps its payload.
float half_to_float(uint16_t bits) {
  const uint32_t sign = uint32_t(bits & 0x8000) << 16, exponent = (bits >> 10) & 31, mantissa = bits & 1023;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * (1.0f / 16777216.0f);
    return sign ? -value : value;
  }
  const uint32_t wide = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

// bfloat16 is the upper half of a float.
float bfloat16_to_float(uint16_t bits) {
  const uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

void convert(Dtype dtype, const void* data, size_t count, float* out, const std::string& where) {
  visit_all(dtype, data, count, where, [&](size_t i, auto value) { out[i] = static_cast<float>(value); });
}

void convert(Dtype dtype, const void* data, size_t count, double* out, const std::string& where) {
  visit_all(dtype, data, count, where, [&](size_t i, auto value) { out[i] = static_cast<double>(value); });
}

void convert(Dtype dtype, const void* data, size_t count, int64_t* out, const std::string& where) {
  if (!dtype_is_integer(dtype)) refuse(dtype, where, "integers");
  visit_all(dtype, data, count, where, [&](size_t i, auto value) {
    if constexpr (std::is_same_v<decltype(value), uint64_t>) {
      if (value > uint64_t(std::numeric_limits<int64_t>::max()))
        fail(kBadInput, "integer above 2^63 - 1", where, "store smaller integers");
    }
    out[i] = static_cast<int64_t>(value);
  });
}

namespace {

// Bits of the nearest number (-1)^s n 2^(e - digits), e >= lowest, 2^digits <= n < 2^(digits + 1) or e = lowest: an IEEE format of 16
// bits. Written one after the other, exponent and n count through the format's values, so that a carry of n needs no case of its own.
uint16_t nearest_bits(double value, int digits, int lowest) {
  const unsigned sign = std::signbit(value) ? 0x8000 : 0, infinity = 0x7fff >> digits << digits;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | infinity | 1u << (digits - 1));
  if (std::isinf(value)) return static_cast<uint16_t>(sign | infinity);
  const double magnitude = std::fabs(value);
  const int e = magnitude == 0 ? lowest : std::max(std::ilogb(magnitude), lowest);
  const unsigned n = static_cast<unsigned>(std::nearbyint(std::ldexp(magnitude, digits - e)));
  return static_cast<uint16_t>(sign | std::min((static_cast<unsigned>(e - lowest) << digits) + n, infinity));
}

}  // namespace

uint16_t half_bits(double value) { return nearest_bits(value, 10, -14); }
uint16_t bfloat16_bits(double value) { return nearest_bits(value, 7, -126); }

Rounding round_to(Dtype from, const void* data, size_t count, Dtype to, void* out, const std::string& where) {
  PURESCOPE_REQUIRE(dtype_is_float(from) && dtype_is_float(to));
  Rounding seen;
  // Stores element i, which reads `back` when it is widened again.
  const auto store = [&](size_t i, double value, auto stored, double back) {
    std::memcpy(static_cast<unsigned char*>(out) + i * sizeof(stored), &stored, sizeof(stored));
    seen.to_zero += value != 0 && back == 0;
    if (std::isfinite(value) && !std::isfinite(back) && seen.to_infinity++ == 0) seen.first = i, seen.value = value;
  };
  visit_all(from, data, count, where, [&](size_t i, auto element) {
    const double value = static_cast<double>(element);
    const uint16_t half = to == Dtype::F16 ? half_bits(value) : to == Dtype::BF16 ? bfloat16_bits(value) : uint16_t(0);
    if (to == Dtype::F16) store(i, value, half, half_to_float(half));
    else if (to == Dtype::BF16) store(i, value, half, bfloat16_to_float(half));
    else if (to == Dtype::F32) store(i, value, static_cast<float>(value), static_cast<float>(value));
    else store(i, value, value, value);
  });
  return seen;
}

size_t count_nonfinite(Dtype dtype, const void* data, size_t count, const std::string& where) {
  size_t bad = 0;
  visit_all(dtype, data, count, where, [&](size_t, auto value) {
    if constexpr (std::is_floating_point_v<decltype(value)>) bad += !std::isfinite(value);
  });
  return bad;
}

bool tensor_bytes(Dtype dtype, const std::vector<int64_t>& shape, size_t& bytes) {
  size_t product = 1, bits = 0;
  for (int64_t n : shape)
    if (n < 0 || __builtin_mul_overflow(product, static_cast<size_t>(n), &product)) return false;
  if (__builtin_mul_overflow(product, dtype_bits(dtype), &bits) || bits % 8) return false;
  bytes = bits / 8;
  return true;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text.append(i ? ", " : "").append(std::to_string(shape[i]));
  return text + "]";
}

}  // namespace purescope
