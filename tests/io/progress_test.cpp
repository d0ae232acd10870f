#include "io/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace purescope {
namespace {

ProgressState example() { return {"attack pgd", 437, 1000, 103, 437, 60 / 11.4}; }

TEST(Progress, FormatsALine) {
  EXPECT_EQ(format_progress(example()), "attack pgd 437/1000 43.7% robust 23.6% [19.8, 27.8] 11.4 img/min eta 49m");
  EXPECT_EQ(format_progress(example(), 200),
            "attack pgd [####......] 437/1000 43.7% robust 23.6% [19.8, 27.8] 11.4 img/min eta 49m");
  EXPECT_EQ(format_progress(example(), 30).size(), 30u);
  EXPECT_EQ(format_progress({"cr", 0, 10}), "cr 0/10 0.0%");
  EXPECT_EQ(format_progress({"cr", 10, 10, 0, -1, .5}), "cr 10/10 100.0% 120 img/min");
}

TEST(Progress, FormatsDurations) {
  EXPECT_EQ(format_duration(0), "0s");
  EXPECT_EQ(format_duration(59.4), "59s");
  EXPECT_EQ(format_duration(49 * 60 + 20), "49m");
  EXPECT_EQ(format_duration(3 * 3600 + 5 * 60), "3h05m");
  EXPECT_EQ(format_duration(52 * 3600), "2d04h");
  EXPECT_EQ(format_duration(std::nan("")), "?");
}

// Runs `images` images of `seconds` each on a made-up clock; returns what was written.
std::vector<std::string> lines_of(bool terminal, int images, double seconds, bool quiet = false) {
  std::vector<std::string> lines;
  double now = 1000;
  ProgressOptions options;
  options.terminal = terminal;
  options.quiet = quiet;
  options.clock = [&] { return now; };
  options.write = [&](std::string_view text) { lines.emplace_back(text); };
  Progress progress("cr", images, 0, options);
  for (int i = 0; i < images; ++i) {
    now += seconds;
    progress.step(seconds);
  }
  progress.finish();
  progress.finish();
  return lines;
}

TEST(Progress, OffATerminalLinesAreRare) {
  // 1000 images of 1 s: a line per 60 s would be 16, 5 % is 50 s; the longer of the two counts.
  EXPECT_EQ(lines_of(false, 1000, 1).size(), 17u);    // and the last
  EXPECT_EQ(lines_of(false, 1000, 10).size(), 21u);   // 20 times 5 %, of which the last is repeated at the end
  EXPECT_EQ(lines_of(false, 1000, .001).size(), 1u);  // the last only
  for (const std::string& line : lines_of(false, 1000, 1)) {
    EXPECT_EQ(line.back(), '\n');
    EXPECT_EQ(line.find('\r'), std::string::npos);
  }
  EXPECT_TRUE(lines_of(false, 1000, 1, true).empty());
}

TEST(Progress, OnATerminalTheLineIsRedrawnFourTimesASecond) {
  const auto lines = lines_of(true, 1000, .015625);  // 15.6 s in all, exact in binary
  EXPECT_GE(lines.size(), 55u);
  EXPECT_LE(lines.size(), 65u);
  for (size_t i = 0; i + 1 < lines.size(); ++i) {
    EXPECT_EQ(lines[i].front(), '\r');
    EXPECT_EQ(lines[i].find('\n'), std::string::npos);
    EXPECT_EQ(lines[i].find('\x1b'), std::string::npos) << "no escape codes";
  }
  EXPECT_EQ(lines.back(), "\n");
}

TEST(Progress, TheMedianIgnoresOneSlowImageAndForgetsOldOnes) {
  ProgressOptions options;
  options.clock = [] { return 0.; };
  options.write = [](std::string_view) {};
  Progress progress("attack", 1000, 100, options);
  for (int i = 0; i < 60; ++i) progress.step(1, false);
  progress.step(500, true);
  EXPECT_EQ(progress.state().seconds_per_image, 1);
  for (int i = 0; i < 50; ++i) progress.step(2, true);
  EXPECT_EQ(progress.state().seconds_per_image, 2);
  EXPECT_EQ(progress.state().done, 211);
  EXPECT_EQ(progress.state().judged, 111);
  EXPECT_EQ(progress.state().robust, 51);
}

}  // namespace
}  // namespace purescope
