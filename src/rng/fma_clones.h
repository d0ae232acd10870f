// Functions marked PURESCOPE_FMA_CLONES are compiled twice, with and without AVX2 and FMA, and the loader picks one.
// Every fused multiply-add in them is written as std::fma, which software does exactly too, so both give the same bits.
// Sanitized builds use the plain version: their runtime is not ready when the loader chooses.
#pragma once

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(PURESCOPE_SANITIZED)
#define PURESCOPE_FMA_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define PURESCOPE_FMA_CLONES
#endif
