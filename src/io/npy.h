// NumPy .npy arrays (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to 3.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/dtype.h"

namespace purescope {

struct Array {
  Dtype dtype = Dtype::F32;
  std::vector<int64_t> shape;        // [] is a scalar
  std::vector<unsigned char> bytes;  // row-major, little-endian, dense
  size_t count() const;
  std::vector<float> as_float() const;   // error 65 if the type is not numeric
  std::vector<double> as_double() const;
  std::vector<int64_t> as_int() const;   // error 65 for the float types
};

// Reads '<f4' '<f8' '<f2' '<i4' '<i8' '|u1' '|i1' '|b1' in C order (Fortran order up to rank 1, where both are the
// same). Errors: 65 anything else (objects, structures, text, big-endian, a size that does not match), 66 missing, 77
// unreadable.
Array read_npy(const std::string& path);

// Writes version 1.0 with the data aligned to 64 bytes. Errors: 73, 74.
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const float* data);
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const double* data);
void write_npy(const std::string& path, const std::vector<int64_t>& shape, const int64_t* data);

// `x.npy`, or `FILE.safetensors:TENSOR`. Errors: 2 another form, 65 no such tensor, and those of the readers.
Array read_array(const std::string& spec);

}  // namespace purescope
