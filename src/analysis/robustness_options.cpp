#include "analysis/robustness_options.h"

namespace purescope {

std::string rand_name(Rand rand, int draws) {
  switch (rand) {
    case Rand::Fixed: return "fixed";
    case Rand::Free: return "free";
    case Rand::Transfer: return "transfer";
    case Rand::Eot: return "eot:" + std::to_string(draws);
  }
  return "?";
}

}  // namespace purescope
