// Hashes: FNV-1a and mix (formula weights, keys), CRC-32 (journal lines), SHA-256 (files, weights, images).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace purescope {

// FNV-1a, 64 bits. fnv1a("a") = 0xaf63dc4c8601ec8c.
uint64_t fnv1a(std::string_view bytes);

// The finaliser of splitmix64, after adding the golden-ratio constant. mix(0) = 0xe220a8397b1dcdaf.
uint64_t mix(uint64_t z);

// CRC-32 as in zip and PNG (polynomial 0xedb88320). crc32("123456789") = 0xcbf43926. Chain with `crc` = the last result.
uint32_t crc32(const void* data, size_t size, uint32_t crc = 0);

class Sha256 {
 public:
  Sha256();
  void update(const void* data, size_t size);
  std::string hex();  // 64 hex digits; the object is spent afterwards
 private:
  void block(const unsigned char* p);
  uint32_t state_[8];
  uint64_t length_ = 0;
  unsigned char pending_[64];
  size_t used_ = 0;
};
std::string sha256_hex(const void* data, size_t size);
std::string sha256_file(const std::string& path);  // throws 66 / 74

}  // namespace purescope
