// Memory of the emulated card: one reserved range of addresses that nobody may touch, except while a kernel or a copy runs. Host code
// that reads device memory therefore crashes at the place that does it. New memory is filled with NaN; under AddressSanitizer what
// lies outside an allocation is poisoned, so that an index out of bounds in a kernel is reported with the line of the kernel.
// PURESCOPE_EMULATOR_PROTECT=0 leaves the memory open (quicker: no mprotect around each kernel).
#pragma once
#include <cstddef>

namespace purescope::emulator {

// While one lives, on any thread, device memory may be touched. Nests.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
};

void* allocate(size_t bytes);
void release(void* data);
size_t allocated();
// Whether [data, data + bytes) lies within one allocation.
bool owns(const void* data, size_t bytes);

bool protects();
void set_protect(bool protect);

}  // namespace purescope::emulator
