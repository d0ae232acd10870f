// The outputs of all steps of one forward pass, as doubles: how float and double, or a program and a file, are compared
// in lockstep.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace purescope {

struct TraceStep {
  std::string name, op, line;  // "down.0.block.0.conv1", "conv2d", "src/models/ddpm_unet.cpp:31"
  std::vector<int64_t> shape;  // [n, c, h, w]
  std::vector<double> values;
};
using Trace = std::vector<TraceStep>;

// A trace file: one F32 or F64 tensor per step, "0007 NAME" for step 7 (the output of the step NAME), and arch in the
// metadata.
void write_trace(const std::string& path, const Trace& trace, const std::string& arch, bool f64);
Trace read_trace(const std::string& path, bool& f64);

// ||a - b|| / ||b|| over all values; NaN where either holds NaN or the sizes differ, 0 / 0 = 0.
double relative_error(const std::vector<double>& a, const std::vector<double>& b);

// "/long/path/src/models/x.cpp" -> "src/models/x.cpp".
std::string source_line(const char* file, int line);

}  // namespace purescope
