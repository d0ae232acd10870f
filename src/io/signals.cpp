#include "io/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "core/check.h"
#include "io/durable.h"

namespace purescope {
namespace {

// Lock-free atomics may be used inside handlers.
std::atomic<int> stopped_by{0}, urgent{0};
std::atomic<bool> stop_flag{false}, status_flag{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_stop(int number) {
  if (urgent.fetch_add(1) > 0) ::_exit(130);
  if (!stop_flag.exchange(true)) stopped_by = number;
}

// Stops as well, but a repetition does no harm: batch systems send these more than once.
void on_gentle_stop(int number) {
  if (!stop_flag.exchange(true)) stopped_by = number;
}

void on_status(int) { status_flag = true; }

void handle(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(number, &action, nullptr) != 0) fail(kInternal, "sigaction failed: " + errno_text(errno));
}

}  // namespace

void install_stop_handlers(bool time_limit) {
  handle(SIGINT, on_stop);
  handle(SIGTERM, on_stop);
  handle(SIGUSR1, time_limit ? on_gentle_stop : on_status);
  handle(SIGHUP, ::isatty(STDERR_FILENO) ? on_gentle_stop : SIG_IGN);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);
}

bool stop_requested() { return stop_flag; }
int stop_signal() { return stopped_by; }
void request_stop() { stop_flag = true; }
bool take_status_request() { return status_flag.exchange(false); }

bool print_out(std::string_view text) {
  static std::atomic<bool> closed{false};
  if (closed) return false;
  if (write_fully(STDOUT_FILENO, text)) return true;
  if (errno != EPIPE)
    fail(kIoError, "cannot write: " + errno_text(errno), "standard output", "check where it is redirected to");
  closed = true;
  return false;
}

}  // namespace purescope
