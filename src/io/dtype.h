// Element types of tensors in files, and their exact conversion to float and double.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace purescope {

// In ascending size, as safetensors names them. The types below one byte and the float8 and complex ones are known by
// size only, so that files with them can be listed; their values are not converted.
enum class Dtype : unsigned char {
  F4, F6_E2M3, F6_E3M2, Bool, U8, I8, F8_E5M2, F8_E4M3, F8_E8M0, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64, C64
};

const char* dtype_name(Dtype dtype);                     // "F32"
bool dtype_from_name(std::string_view name, Dtype& out);  // false if the name is unknown
size_t dtype_bits(Dtype dtype);                          // 32 for F32
bool dtype_is_float(Dtype dtype);                        // F16, BF16, F32, F64
bool dtype_is_integer(Dtype dtype);                      // Bool and the I, U types
bool dtype_is_numeric(Dtype dtype);                      // the two above: what convert() takes

// IEEE half precision and bfloat16, widened exactly.
float half_to_float(uint16_t bits);
float bfloat16_to_float(uint16_t bits);

// out[i] = data[i] for `count` little-endian elements at any alignment. Exact except where the target is too narrow
// (F64 to float, integers above 2^24 or 2^53), which is rounded to nearest. Bool: any byte but 0 is 1. Error 65 for a
// type that is not numeric; `where` goes into the message.
void convert(Dtype dtype, const void* data, size_t count, float* out, const std::string& where);
void convert(Dtype dtype, const void* data, size_t count, double* out, const std::string& where);
// The same for integers; error 65 for the float types and for U64 values above 2^63 - 1.
void convert(Dtype dtype, const void* data, size_t count, int64_t* out, const std::string& where);

// The nearest half or bfloat16, ties to the even one, in one rounding (not by way of float). Subnormal results are kept. From half a
// unit beyond the largest finite value (65504; 3.3895e38) on the result is infinite; NaN becomes a quiet NaN of its sign.
uint16_t half_bits(double value);
uint16_t bfloat16_bits(double value);

// What rounding did to the values of a tensor.
struct Rounding {
  size_t to_zero = 0;      // values other than 0 that became 0
  size_t to_infinity = 0;  // finite values that became infinite
  size_t first = 0;        // the first of these, and its value
  double value = 0;
};
// out[i] = data[i] as one of F16, BF16, F32, F64, little-endian, rounded to nearest, ties to even; `out` has room for count values at any
// alignment. `from` must be one of these four, too.
Rounding round_to(Dtype from, const void* data, size_t count, Dtype to, void* out, const std::string& where);

// How many of the values are NaN or infinite (0 for the integer types). Error 65 for a type that is not numeric.
size_t count_nonfinite(Dtype dtype, const void* data, size_t count, const std::string& where);

// Product of the sizes times the item size, in bytes; false on a negative size, on overflow, or if the bits do not fill
// bytes.
bool tensor_bytes(Dtype dtype, const std::vector<int64_t>& shape, size_t& bytes);

std::string shape_text(const std::vector<int64_t>& shape);  // "[4, 3, 3, 3]"

}  // namespace purescope
