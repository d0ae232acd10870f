// Single-precision log, sin and cos by the polynomials of the Cephes library (S. Moshier), with the argument reduction
// and the placement of fused multiply-adds that PyTorch's AVX2 build uses in its normal distribution. Only +, -, * and
// fma occur, so every machine gives the same bits. Errors: below 2e-7, relative for log and absolute for sin and cos.
#pragma once

namespace purescope {

// y[i] = ln x[i] for 0 < x[i] <= 1 (smaller than the smallest normal number counts as that number).
void log_lanes(const float* x, float* y, int count);

// s[i] = sin x[i], c[i] = cos x[i] for 0 <= x[i] <= 2 pi.
void sincos_lanes(const float* x, float* s, float* c, int count);

}  // namespace purescope
