// CPU milliseconds and GFLOP/s (of the plain sum) of one convolution: forward, dx, dweight; 3 x 3 with stride 1 also by Winograd, with kept
// filters. Usage: conv_bench IN OUT SIZE [KERNEL STRIDE IMAGES REPEATS]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "core/parallel.h"
#include "ops/ops.h"
#include "ops/winograd.h"

using namespace purescope;

namespace {

double cpu_now() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

real* aligned(std::vector<real>& v) { return reinterpret_cast<real*>((reinterpret_cast<uintptr_t>(v.data()) + 63) / 64 * 64); }

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
  const ConvAlgorithm chosen = choose_algorithm(s, size, size);
  printf("%d -> %d, %d x %d, kernel %d, stride %d, %d images; fast mode: %s\n", s.in, s.out, size, size, s.kernel, s.stride, images,
         algorithm_name(chosen));
  for (ConvAlgorithm algorithm : {ConvAlgorithm::Exact, ConvAlgorithm::Winograd2, ConvAlgorithm::Winograd4}) {
    s.algorithm = algorithm;
    std::vector<real> filters[2];
    if (algorithm != ConvAlgorithm::Exact) {
      if (s.kernel != 3 || s.stride != 1) break;
      for (bool flipped : {false, true}) {
        filters[flipped].resize(winograd_filter_size(s, flipped) + 16);
        winograd_filters(s, weight, flipped, aligned(filters[flipped]));
      }
      s.filters = aligned(filters[0]);
      s.flipped_filters = aligned(filters[1]);
    }
    printf("  %-12s", algorithm_name(algorithm));
    measure("forward", flops, repeats, [&] { conv2d_forward(s, x, weight, {}, y); });
    measure("dx", flops, repeats, [&] { conv2d_backward(s, {}, weight, y, dx, {}, {}); });
    measure("dweight", flops, repeats, [&] { conv2d_backward(s, x, weight, y, {}, dweight, {}); });
    printf("\n");
  }
}
