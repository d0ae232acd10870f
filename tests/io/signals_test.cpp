#include "io/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace purescope {
namespace {

// Exit code of a child process that runs `work`; -signal if a signal ended it.
template <typename Work>
int in_child(Work work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Signals, TheFirstAsksTheSecondEnds) {
  for (int number : {SIGINT, SIGTERM}) {
    EXPECT_EQ(in_child([&] {
      install_stop_handlers();
      if (stop_requested()) return 1;
      ::raise(number);
      return stop_requested() && stop_signal() == number ? 75 : 2;
    }), 75);
    EXPECT_EQ(in_child([&] {
      install_stop_handlers();
      ::raise(number);
      ::raise(number);
      return 3;
    }), 130);
    EXPECT_EQ(in_child([&] { ::raise(number); return 0; }), -number);  // without handlers
  }
}

TEST(Signals, UserSignalIsStatusOrStop) {
  EXPECT_EQ(in_child([] {
    install_stop_handlers();
    ::raise(SIGUSR1);
    return !stop_requested() && take_status_request() && !take_status_request() ? 0 : 1;
  }), 0);
  EXPECT_EQ(in_child([] {
    install_stop_handlers(true);
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);  // a repetition is no second Ctrl-C
    ::raise(SIGTERM);  // nor is the first SIGTERM after it
    return stop_requested() && stop_signal() == SIGUSR1 ? 0 : 1;
  }), 0);
}

TEST(Signals, AClosedReaderSilencesTheOutput) {
  EXPECT_EQ(in_child([] {
    install_stop_handlers();
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    ::dup2(ends[1], STDOUT_FILENO);
    if (!print_out("seen")) return 2;
    ::close(ends[0]);
    if (print_out("lost")) return 3;
    return print_out("dropped") ? 4 : 0;
  }), 0);
}

TEST(Signals, StopCanBeAskedFromInside) {
  EXPECT_EQ(in_child([] { request_stop(); return stop_requested() && stop_signal() == 0 ? 0 : 1; }), 0);
}

}  // namespace
}  // namespace purescope
