// Whole files in and out of memory: bounded reads, and writes that are never half done.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace purescope {

// All bytes of a regular file. Errors: 66 missing, 77 not readable, 65 a folder, a symbolic link loop or more than
// `limit` bytes, 74 read error.
std::vector<unsigned char> read_whole_file(const std::string& path, size_t limit);

// Writes to a temporary name in the same folder, flushes to disk, then renames over `path`. Errors: 73, 74.
void write_whole_file(const std::string& path, const void* data, size_t size);

}  // namespace purescope
