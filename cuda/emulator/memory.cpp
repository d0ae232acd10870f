#include "cuda/emulator/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "core/check.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(from, bytes) __asan_poison_memory_region(from, bytes)
#define UNPOISON(from, bytes) __asan_unpoison_memory_region(from, bytes)
#else
#define POISON(from, bytes) (void)(from), (void)(bytes)
#define UNPOISON(from, bytes) (void)(from), (void)(bytes)
#endif

namespace purescope::emulator {
namespace {

constexpr size_t kPage = 4096, kReserved = size_t{64} << 30;

bool protect_by_default() {
  const char* text = std::getenv("PURESCOPE_EMULATOR_PROTECT");
  return text == nullptr || std::strcmp(text, "0") != 0;
}

// The reserved range. Blocks are whole pages, each followed by a guard page; free blocks are merged and used again, first fit.
class Arena {
 public:
  static Arena& get() {
    static Arena* arena = new Arena;  // never destroyed: buffers of static duration may outlive any order
    return *arena;
  }

  void* allocate(size_t bytes) {
    const std::lock_guard lock(mutex_);
    const size_t size = (bytes + kPage - 1) / kPage * kPage + kPage;
    auto hole = free_.begin();
    while (hole != free_.end() && hole->second < size) ++hole;
    size_t at = used_;
    if (hole != free_.end()) {
      at = hole->first;
      if (hole->second > size) free_[at + size] = hole->second - size;
      free_.erase(at);
    } else {
      if (size > reserved_ - used_) out_of_memory(bytes);
      used_ += size;
    }
    blocks_[at] = {bytes, size};
    total_ += bytes;
    unsigned char* data = base_ + at;
    if (mprotect(data, size, PROT_READ | PROT_WRITE) != 0) out_of_memory(bytes);
    UNPOISON(data, bytes);
    std::memset(data, 0xff, bytes);  // NaN in both scalars
    POISON(data + bytes, size - bytes);
    if (protect_ && depth_ == 0) mprotect(data, size, PROT_NONE);
    return data;
  }

  void release(void* data) {
    const std::lock_guard lock(mutex_);
    const auto block = blocks_.find(static_cast<unsigned char*>(data) - base_);
    PURESCOPE_REQUIRE(block != blocks_.end());
    auto [at, sizes] = *block;
    blocks_.erase(block);
    total_ -= sizes.bytes;
    madvise(base_ + at, sizes.size, MADV_DONTNEED);
    POISON(base_ + at, sizes.size);
    auto next = free_.emplace(at, sizes.size).first;
    const auto here = next++;
    if (next != free_.end() && at + here->second == next->first) {
      here->second += next->second;
      free_.erase(next);
    }
    if (here == free_.begin()) return;
    const auto before = std::prev(here);
    if (before->first + before->second != at) return;
    before->second += here->second;
    free_.erase(here);
  }

  void open() {
    const std::lock_guard lock(mutex_);
    if (depth_++ == 0 && protect_) set_access(PROT_READ | PROT_WRITE);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--depth_ == 0 && protect_) set_access(PROT_NONE);
  }

  bool owns(const void* data, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto* p = static_cast<const unsigned char*>(data);
    if (p < base_ || p >= base_ + used_) return false;
    const size_t at = p - base_;
    auto block = blocks_.upper_bound(at);
    if (block == blocks_.begin()) return false;
    --block;
    return at + bytes <= block->first + block->second.bytes;
  }

  size_t total() {
    const std::lock_guard lock(mutex_);
    return total_;
  }
  bool protects() const { return protect_; }
  void set_protect(bool protect) {
    const std::lock_guard lock(mutex_);
    protect_ = protect;
    if (depth_ == 0) set_access(protect ? PROT_NONE : PROT_READ | PROT_WRITE);
  }

 private:
  struct Sizes { size_t bytes, size; };

  Arena() {
    for (reserved_ = kReserved; reserved_ > kPage; reserved_ /= 2) {
      void* p = mmap(nullptr, reserved_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (p == MAP_FAILED) continue;
      base_ = static_cast<unsigned char*>(p);
      return;
    }
    fail(kUnavailable, "the emulated device cannot reserve memory", "", "raise the limit on address space (ulimit -v)");
  }

  void set_access(int access) {
    if (used_ != 0) PURESCOPE_REQUIRE(mprotect(base_, used_, access) == 0);
  }

  [[noreturn]] void out_of_memory(size_t bytes) {
    fail(kUnavailable, "out of memory on the emulated device: cannot allocate " + std::to_string(bytes >> 20) + " MiB", "",
         "use a smaller --batch, or --memory min");
  }

  std::mutex mutex_;
  unsigned char* base_ = nullptr;
  size_t reserved_ = 0, used_ = 0, total_ = 0;
  int depth_ = 0;
  bool protect_ = protect_by_default();
  std::map<size_t, Sizes> blocks_;
  std::map<size_t, size_t> free_;
};

}  // namespace

Access::Access() { Arena::get().open(); }
Access::~Access() { Arena::get().close(); }
void* allocate(size_t bytes) { return Arena::get().allocate(bytes); }
void release(void* data) { Arena::get().release(data); }
size_t allocated() { return Arena::get().total(); }
bool owns(const void* data, size_t bytes) { return Arena::get().owns(data, bytes); }
bool protects() { return Arena::get().protects(); }
void set_protect(bool protect) { Arena::get().set_protect(protect); }

}  // namespace purescope::emulator
