#include "cli/trace.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "core/check.h"
#include "io/safetensors.h"
#include "io/text.h"

namespace purescope {

double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::quiet_NaN();
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

std::string source_line(const char* file, int line) {
  const std::string path = file;
  const size_t at = path.rfind("/src/");
  return (at == path.npos ? path : path.substr(at + 1)) + ":" + std::to_string(line);
}

void write_trace(const std::string& path, const Trace& trace, const std::string& arch, bool f64) {
  std::vector<TensorOut> tensors;
  std::vector<std::vector<float>> narrow(trace.size());
  for (size_t i = 0; i < trace.size(); ++i) {
    const TraceStep& s = trace[i];
    char number[24];
    std::snprintf(number, sizeof number, "%04zu ", i);
    if (!f64) narrow[i].assign(s.values.begin(), s.values.end());
    tensors.push_back({number + s.name, f64 ? Dtype::F64 : Dtype::F32, s.shape,
                       f64 ? static_cast<const void*>(s.values.data()) : static_cast<const void*>(narrow[i].data())});
  }
  write_safetensors(path, tensors, {{"arch", arch}, {"kind", "trace"}});
}

Trace read_trace(const std::string& path, bool& f64) {
  const Safetensors file(path);
  Trace trace(file.tensors().size());
  std::vector<bool> seen(trace.size(), false);
  f64 = true;
  for (const TensorInfo& t : file.tensors()) {
    const size_t space = t.name.find(' ');
    const bool numbered = space == 4 && t.name.find_first_not_of("0123456789") == 4;
    const size_t index = numbered ? std::stoul(t.name) : trace.size();
    if (index >= trace.size() || seen[index])
      fail(kBadInput, "tensor " + printable(t.name) + " does not name a step", path,
           "compare with a file that `purescope forward --dump` wrote");
    seen[index] = true;
    f64 = f64 && t.dtype == Dtype::F64;
    trace[index] = {t.name.substr(5), "", "", t.shape, std::vector<double>(t.count())};
    file.read(t, trace[index].values.data());
  }
  return trace;
}

}  // namespace purescope
