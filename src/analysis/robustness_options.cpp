#include "analysis/robustness_options.h"

namespace purescope {

const char* rand_name(Rand rand) {
  switch (rand) {
    case Rand::Fixed: return "fixed";
    case Rand::Free: return "free";
    case Rand::Transfer: return "transfer";
  }
  return "?";
}

}  // namespace purescope
