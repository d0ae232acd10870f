// Runs the real program and keeps what it said; and small readers of what it wrote.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <string>
#include <vector>

#include "io/npy.h"
#include "io/safetensors.h"
#include "io/scratch_folder.h"
#include "test_paths.h"

namespace purescope {

inline const std::string kDdpm = "ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16";
inline const std::string kWrn = "wrn:depth=10,widen=1,size=16";

inline std::string golden(const std::string& name) {
  return std::string(PURESCOPE_TEST_DIR) + "/golden/" + name + ".safetensors";
}

struct ProgramRun {
  int code = -1;
  std::string out, err;
};

// `purescope ARGS...`, without a shell. `environment` entries are NAME=VALUE, on top of ours.
inline ProgramRun run_program(const std::vector<std::string>& args, const std::vector<std::string>& environment = {}) {
  const ScratchFolder folder(true);
  const std::string out = folder / "out", err = folder / "err";
  const pid_t child = fork();
  if (child == 0) {
    dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    std::vector<char*> argv = {const_cast<char*>("purescope")};
    for (const std::string& a : args) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    for (const std::string& e : environment) putenv(const_cast<char*>(e.c_str()));
    execv(PURESCOPE_PROGRAM, argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), slurp(out), slurp(err)};
}

// The run must succeed and say nothing on stderr that looks like a warning.
inline ProgramRun expect_success(const std::vector<std::string>& args) {
  ProgramRun run = run_program(args);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err.find("warning"), std::string::npos) << run.err;
  return run;
}

// The run must fail with `code` and three lines (what may be longer), the first holding `what`, any holding `also`.
inline void expect_failure(const std::vector<std::string>& args, int code, const std::string& what,
                           const std::string& also = "", const std::vector<std::string>& environment = {}) {
  std::string line = "purescope";
  for (const std::string& a : args) line += " " + a;
  SCOPED_TRACE(line);
  const ProgramRun run = run_program(args, environment);
  EXPECT_EQ(run.code, code) << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err.rfind("error: ", 0), 0u) << run.err;
  EXPECT_NE(run.err.find("\n  in "), std::string::npos) << run.err;
  EXPECT_NE(run.err.find(what), std::string::npos) << run.err;
  EXPECT_NE(run.err.find(also), std::string::npos) << run.err;
}

inline std::vector<double> npy_values(const std::string& path) { return read_npy(path).as_double(); }

inline std::vector<double> tensor_values(const std::string& path, const std::string& name) {
  const Safetensors file(path);
  const TensorInfo* info = file.find(name);
  EXPECT_NE(info, nullptr) << name << " in " << path;
  if (!info) return {};
  std::vector<double> values(info->count());
  file.read(*info, values.data());
  return values;
}

// ||a - b|| / ||b||; NaN on different sizes, on NaN, and where b is all zero, so that no such pair passes a bar.
inline double relative_l2(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || b.empty()) return NAN;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace purescope
