// Weights that ship with the program, found by name from any folder.
#pragma once
#include <string>
#include <vector>

namespace purescope {

constexpr const char* kDefaultPurifier = "shapes-ddpm";  // used where no --purifier is given
constexpr const char* kDefaultClassifier = "shapes-classifier";
constexpr const char* kWidePurifier = "shapes-ddpm-all";  // trained on all t; taken by experiments that go beyond the other's range

// The folders that are searched, in order: PURESCOPE_MODEL_DIR alone if it is set; else
// PROGRAM_DIR/../share/purescope/weights, PROGRAM_DIR/weights, and weights/ of the source tree that the program was
// built from.
std::vector<std::string> weight_folders();

// `name` as it is if such a file exists or it looks like a path; else NAME.safetensors in the first folder that has it.
// Error 66, with the names that there are.
std::string find_weights(const std::string& name, const std::string& flag);

// Whether there is NAME.safetensors in one of these folders; and the largest t* that its metadata say it was trained for
// (1000 where they do not, 0 where there is no such file).
bool has_bundled(const std::string& name);
int bundled_range(const std::string& name);

}  // namespace purescope
