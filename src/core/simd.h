// PURESCOPE_CLONES in front of a plain loop function compiles it for several instruction sets; the program picks one at start.
// (arch=haswell and the like would match that very CPU only.) The same source, no fused multiply-add: every clone gives the same bits.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(PURESCOPE_SANITIZED) && !defined(PURESCOPE_DEBUG)
#define PURESCOPE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PURESCOPE_CLONES
#endif
