// parallel_for: every task once, whoever takes it and however late the others wake.
#include "core/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "core/check.h"
#include "threads.h"

using namespace purescope;

// More threads than cores, so that most workers wake after the call that woke them has ended.
TEST(Parallel, EveryTaskRunsOnce) {
  for (const int threads : {1, 2, 3, 33}) {
    const Threads set(threads);
    std::vector<int> runs(40);
    for (int call = 0; call < 5000; ++call) {
      const int count = call % 41;
      std::fill(runs.begin(), runs.end(), 0);
      parallel_for(count, [&](int i) { ++runs[i]; });
      ASSERT_EQ(std::accumulate(runs.begin(), runs.end(), 0), count) << threads << " threads, call " << call;
      ASSERT_EQ(std::count(runs.begin(), runs.begin() + count, 1), count);
    }
  }
}

TEST(Parallel, WaitsForTasksThatOthersHaveTaken) {
  const Threads set(2);
  for (int call = 0; call < 20; ++call) {
    std::atomic<int> ended{0};
    parallel_for(2, [&](int) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      ++ended;
    });
    ASSERT_EQ(ended, 2);
  }
}

TEST(Parallel, AnErrorReachesTheCallerAfterAllTasks) {
  for (const int threads : {1, 4}) {
    const Threads set(threads);
    std::atomic<int> ended{0};
    const auto work = [&](int i) {
      if (i == 3) fail(kBadInput, "the fourth", "", "");
      ++ended;
    };
    EXPECT_THROW(parallel_for(8, work), Error);
    if (threads > 1) { EXPECT_EQ(ended, 7); }
    parallel_for(8, [&](int) { ++ended; });   // the next call is not spoilt by it
    EXPECT_EQ(ended, threads > 1 ? 15 : 11);
  }
}

TEST(Parallel, ACallInsideATaskRunsInPlace) {
  const Threads set(4);
  std::vector<std::atomic<int>> runs(12);
  parallel_for(4, [&](int i) { parallel_for(3, [&](int j) { ++runs[3 * i + j]; }); });
  for (const std::atomic<int>& r : runs) EXPECT_EQ(r, 1);
}
