#include "io/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/statistics.h"
#include "io/durable.h"
#include "io/signals.h"

namespace purescope {
namespace {

constexpr size_t kRecent = 50;         // images in the median
constexpr double kRedrawSeconds = .25;
constexpr double kLineSeconds = 60, kLineShare = .05;

template <typename... Values>
std::string print(const char* format, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds)) return "?";
  const long long s = std::llround(std::min(seconds, 1e12));
  if (s < 60) return print("%llds", s);
  const long long minutes = (s + 30) / 60;
  if (minutes < 60) return print("%lldm", minutes);
  if (minutes < 24 * 60) return print("%lldh%02lldm", minutes / 60, minutes % 60);
  return print("%lldd%02lldh", minutes / 1440, minutes % 1440 / 60);
}

std::string format_progress(const ProgressState& state, int width) {
  const double share = state.total > 0 ? double(state.done) / state.total : 1;
  std::string text = state.label;
  if (width > 0) {
    const int filled = std::clamp(static_cast<int>(share * 10), 0, 10);
    text += " [" + std::string(filled, '#') + std::string(10 - filled, '.') + "]";
  }
  text += print(" %d/%d %.1f%%", state.done, state.total, 100 * share);
  if (state.judged > 0) {
    const Proportion robust = wilson(state.robust, state.judged);
    text += print(" robust %.1f%% [%.1f, %.1f]", 100 * robust.value, 100 * robust.low, 100 * robust.high);
  }
  if (state.seconds_per_image > 0) text += print(" %.3g img/min", 60 / state.seconds_per_image);
  if (state.seconds_per_image >= 0 && state.done < state.total) {
    text += " eta " + format_duration((state.total - state.done) * state.seconds_per_image);
  }
  if (width > 0 && text.size() > static_cast<size_t>(width)) text.resize(width);
  return text;
}

ProgressOptions progress_options(bool quiet) {
  ProgressOptions options;
  options.quiet = quiet;
  const char* term = std::getenv("TERM");
  options.terminal = ::isatty(STDERR_FILENO) && !(term && std::string_view(term) == "dumb");
  winsize size {};
  const char* columns = std::getenv("COLUMNS");
  if (columns && std::atoi(columns) > 0) options.width = std::atoi(columns);
  else if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) options.width = size.ws_col;
  return options;
}

Progress::Progress(std::string label, int total, int done, ProgressOptions options) : options_(std::move(options)) {
  state_.label = std::move(label);
  state_.total = total;
  state_.done = last_done_ = start_ = done;
  if (!options_.clock) {
    options_.clock = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
    };
  }
  // A closed stderr must not stop the run, so the result of the write is not looked at.
  if (!options_.write) options_.write = [](std::string_view text) { (void)write_fully(STDERR_FILENO, text); };
  last_time_ = options_.clock();
}

void Progress::step(double seconds) { advance(seconds); }

void Progress::step(double seconds, bool robust) {
  state_.judged = std::max(state_.judged, 0) + 1;
  state_.robust += robust;
  advance(seconds);
}

void Progress::advance(double seconds) {
  ++state_.done;
  recent_.push_back(seconds);
  if (recent_.size() > kRecent) recent_.pop_front();
  state_.seconds_per_image = median({recent_.begin(), recent_.end()});
  const double waited = options_.clock() - last_time_;
  const bool due = options_.terminal
                       ? waited >= kRedrawSeconds
                       : waited >= kLineSeconds && state_.done - last_done_ >= kLineShare * state_.total;
  const bool status = take_status_request();
  if (due || status) draw(status);
}

// On a terminal the line is overwritten, padded with spaces; a status line stays.
void Progress::draw(bool status) {
  if (options_.quiet && !status) return;
  std::string text = format_progress(state_, options_.terminal ? std::max(options_.width - 1, 20) : 0);
  const size_t length = text.size();
  if (options_.terminal) {
    text = "\r" + text + std::string(drawn_ > length ? drawn_ - length : 0, ' ');
    drawn_ = length;
  }
  if (!options_.terminal || status) text += "\n";
  options_.write(text);
  last_time_ = options_.clock();
  last_done_ = state_.done;
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (state_.done == start_ && state_.done < state_.total) return;  // nothing was done
  draw(false);
  if (options_.terminal && !options_.quiet) options_.write("\n");
}

}  // namespace purescope
