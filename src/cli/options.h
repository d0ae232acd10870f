// What each command is told, filled in by cli/parse.cpp. No scalar type in here: the same options go to the float and the double program.
#pragma once
#include <string>
#include <vector>

#include "train/train_options.h"

namespace purescope {

struct CommonOptions {
  bool f64 = false;       // --real
  int threads = 0;        // --threads, 0: default
  bool quiet = false;
};

}  // namespace purescope
