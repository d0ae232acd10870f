// What a run says while it works, on stderr. On a terminal one line, redrawn at most 4 times a second; elsewhere one
// line when both 60 s and 5 % of the images have passed; a status line on SIGUSR1. No colours and no escape codes
// are used, so NO_COLOR holds by itself; TERM=dumb counts as no terminal.
#pragma once
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace purescope {

struct ProgressState {
  std::string label;              // "attack pgd"
  int done = 0, total = 0;        // images; `done` counts those of an earlier, resumed run as well
  int robust = 0, judged = -1;    // robust among judged images; judged = -1: not an attack
  double seconds_per_image = -1;  // median of the last 50; -1 while unknown
};

// attack pgd [#####.....] 437/1000 43.7% robust 23.6% [19.8, 27.8] 11.4 img/min eta 49m
// With width > 0 the bar is drawn and the text is cut to that many characters.
std::string format_progress(const ProgressState& state, int width = 0);

// 42s, 12m, 3h05m, 2d04h; seconds >= 0.
std::string format_duration(double seconds);

struct ProgressOptions {
  bool quiet = false;                                   // -q or --no-progress: nothing at all
  bool terminal = false;
  int width = 80;
  std::function<double()> clock;                        // seconds, never going back; default: the steady clock
  std::function<void(std::string_view)> write;          // default: stderr
};

// Options for this process: terminal and width from stderr, TERM and COLUMNS.
ProgressOptions progress_options(bool quiet);

class Progress {
 public:
  // `done` images of `total` were there before.
  Progress(std::string label, int total, int done, ProgressOptions options);

  // One image took `seconds`. Called by one thread at a time.
  void step(double seconds);
  void step(double seconds, bool robust);  // the same for an attack
  void count_earlier(int robust, int judged) {
    state_.robust = robust;
    state_.judged = judged;
  }                                        // from resumed records
  void finish();                           // the last line, once
  const ProgressState& state() const { return state_; }

 private:
  void advance(double seconds);
  void draw(bool status);

  ProgressState state_;
  ProgressOptions options_;
  std::deque<double> recent_;
  double last_time_ = 0;
  int last_done_ = 0, start_ = 0;
  size_t drawn_ = 0;  // characters on the terminal line
  bool finished_ = false;
};

}  // namespace purescope
