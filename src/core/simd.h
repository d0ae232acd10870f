// PURESCOPE_CLONES in front of a plain loop function compiles it for several instruction sets; the program picks one at start.
// The same source, no fused multiply-add: every clone gives the same bits.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(PURESCOPE_SANITIZED) && !defined(PURESCOPE_DEBUG)
#define PURESCOPE_CLONES __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define PURESCOPE_CLONES
#endif
