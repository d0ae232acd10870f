// selftest: is the arithmetic right on this machine? Known values, derivatives, float against double, bits that must
// not move.
#pragma once
#include <string>
#include <vector>

namespace purescope {

struct SelftestRow {
  std::string name;
  double error, bar;
};  // passes if error <= bar (NaN does not)
struct SelftestNumbers {
  std::string name;
  std::vector<double> values;
  double bar;
};  // to be compared between float and double

// Prints PASS or FAIL, name, error and bar per check, and a summary. 0 or 1.
int run_selftest(bool json);

}  // namespace purescope
