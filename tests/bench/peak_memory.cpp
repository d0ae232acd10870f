// peak_memory PROGRAM ARGS...: runs a program and prints its peak resident set in bytes, as the last line of stdout. The program's exit
// code is passed on. A process inherits the peak of the one it was forked from, so the caller should be small, as this one is.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: peak_memory PROGRAM ARGS...\n"), 2;
  const pid_t child = fork();
  if (child == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  struct rusage use {};
  if (child < 0 || wait4(child, &status, 0, &use) != child) return 1;
  std::printf("peak resident set %ld bytes\n", use.ru_maxrss * 1024L);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
