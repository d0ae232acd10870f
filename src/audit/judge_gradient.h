// A gradient that another program made, held against ours.
#pragma once
#include <string>
#include <vector>

#include "audit/subject.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

struct Likeness {
  std::string name;            // "full", "bpda", "surrogate:5", "wrong index by 1", ...
  std::string failure;         // the failure mode it stands for (docs/audit.md); empty for the right gradient
  double cosine = 0;           // mean over images
  double relative = 0;         // ||g - candidate|| / ||candidate||, mean
  double relative_scaled = 0;  // the same for the best multiple of g
  double scale = 0;            // that multiple, mean
  double sign = 0;             // fraction of values of equal sign
};

// `given` [n,...] against the full gradient of the cross-entropy (first entry) and against every mistake that this
// defence can make. The entry of smallest relative_scaled error is what the gradient resembles.
std::vector<Likeness> compare_gradient(Subject& s, const Unit& u, View given, NoiseSource& noise);

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
