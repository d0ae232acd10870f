// A run directory read without touching it: its header and its records, every checksum verified.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "io/json_text.h"

namespace purescope {

struct RunRecords {
  std::string folder;
  JsonObject header, config, identity, free;  // of header.json
  std::string run;                            // first 8 digits of config_hash
  std::string command;                        // "attack", "cr", ... or as the header says
  std::string command_line;                   // as it would be typed
  std::vector<std::string> records;           // lines with their checksums, in the order of the files
  bool finished = false;                      // summary.json is there
  bool torn = false;  // the last line of a file was cut off and is left out, as --resume would do
};

// Exit 66: no such folder or no header.json in it. Exit 65: a damaged header; a record whose checksum is wrong, that
// belongs to another run or to a newer schema, or that stands there twice with different content. All results.*.jsonl
// are read.
RunRecords read_run(const std::string& folder);

// What the report says about a run: folder, hash, version, device, data, networks, hashes. No time and no host name.
std::vector<std::pair<std::string, std::string>> run_card(const RunRecords& run);

// A word of a command line, quoted where a shell would take it apart.
std::string shell_word(const std::string& word);

}  // namespace purescope
