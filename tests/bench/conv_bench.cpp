// CPU milliseconds and GFLOP/s of one convolution: forward, dx, dweight. Usage: conv_bench IN OUT SIZE [KERNEL STRIDE IMAGES REPEATS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "core/parallel.h"
#include "ops/ops.h"

using namespace purescope;

namespace {

double cpu_now() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

template <typename Work>
void measure(const char* what, double flops, int repeats, const Work& work) {
  work();
  double best = 1e9;
  for (int i = 0; i < repeats; ++i) {
    const double begin = cpu_now();
    work();
    best = std::min(best, cpu_now() - begin);
  }
  printf("  %s %8.3f ms %6.1f GFLOP/s", what, 1e3 * best, 1e-9 * flops / best);
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int i, int otherwise) { return argc > i ? std::atoi(argv[i]) : otherwise; };
  Conv2d s;
  s.in = number(1, 96);
  s.out = number(2, 96);
  const int size = number(3, 32), images = number(6, 4), repeats = number(7, 10);
  s.kernel = number(4, 3);
  s.stride = number(5, 1);
  s.pad_before = s.pad_after = s.kernel / 2;
  const int out = conv2d_size(s, size);
  set_thread_count(1);
  std::vector<std::vector<real>> owned;
  const auto make = [&](int n, int c, int h, int w) {
    owned.emplace_back(static_cast<size_t>(n) * c * h * w);
    for (size_t i = 0; i < owned.back().size(); ++i) owned.back()[i] = static_cast<real>((i * 7919 % 1021) / 1021.0 - 0.5);
    return View{owned.back().data(), n, c, h, w};
  };
  const View x = make(images, s.in, size, size), y = make(images, s.out, out, out), dx = make(images, s.in, size, size);
  const View weight = make(s.out, s.in, s.kernel, s.kernel), dweight = make(s.out, s.in, s.kernel, s.kernel);
  const double flops = 2.0 * weight.size() * images * out * out;
  printf("%4d -> %4d, %3d x %3d, kernel %d, stride %d:", s.in, s.out, size, size, s.kernel, s.stride);
  measure("forward", flops, repeats, [&] { conv2d_forward(s, x, weight, {}, y); });
  measure("dx", flops, repeats, [&] { conv2d_backward(s, {}, weight, y, dx, {}, {}); });
  measure("dweight", flops, repeats, [&] { conv2d_backward(s, x, weight, y, {}, dweight, {}); });
  printf("\n");
}
