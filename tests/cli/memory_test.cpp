// Peak memory of the full-chain gradient: one network's activations, whatever t* is. Only the states between the steps grow with it.
#include <cstdlib>

#include "cli/program.h"
#include "test_paths.h"

using namespace purescope;

namespace {

// Peak resident set in bytes, by a small helper process (tests/bench/peak_memory.cpp), or 0 where it cannot be had.
double peak_of(const std::string& t, const std::string& output) {
  const ScratchFolder folder(true);
  const std::string command = std::string("'") + PURESCOPE_PEAK_MEMORY + "' '" + PURESCOPE_PROGRAM +
                              "' gradient -q -p formula --purifier-arch ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4 -c formula "
                              "--classifier-arch cifar-resnet:depth=8,size=8,classes=4,width=4 --labels 3 --threads 1 --input '" +
                              folder.path() + "/x.npy' --output '" + output + "' --t " + t + " > '" + folder.path() + "/out'";
  std::vector<float> x(192, 0.5f);
  write_npy(folder / "x.npy", {1, 3, 8, 8}, x.data());
  if (std::system(command.c_str()) != 0) return 0;
  const std::string out = slurp(folder / "out");
  const size_t at = out.find("peak resident set ");
  return at == std::string::npos ? 0 : std::stod(out.substr(at + 18));
}

}  // namespace

// 990 more steps keep 990 more images of 3 x 8 x 8 floats; 3 MB more for the allocator and the schedule of the run.
TEST(CliMemory, GrowsByOneImagePerStep) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  const double few = peak_of("10", folder / "a.npy"), many = peak_of("1000", folder / "b.npy");
  if (few == 0 || many == 0) GTEST_SKIP() << "no peak resident set on this system";
  const double image = 3 * 8 * 8 * sizeof(float);
  EXPECT_LE(many - few, 990 * image + 3e6);
  EXPECT_GT(few, 2e6);
  EXPECT_NE(npy_values(folder / "a.npy"), npy_values(folder / "b.npy"));
  std::printf("peak resident set %.2f MB at t* = 10, %.2f MB at t* = 1000\n", few / 1e6, many / 1e6);
}

// Control: keeping the activations of every step is seen by the same measurement.
TEST(CliMemory, KeptStepsAreSeen) {
#ifdef PURESCOPE_SANITIZED
  GTEST_SKIP() << "the address sanitizer's own memory would be measured";
#endif
  const ScratchFolder folder(true);
  const double few = peak_of("100", folder / "a.npy"), kept = peak_of("100 --memory max", folder / "b.npy");
  if (few == 0 || kept == 0) GTEST_SKIP() << "no peak resident set on this system";
  EXPECT_GT(kept - few, 100 * 3 * 8 * 8 * sizeof(float) + 3e6);
  EXPECT_EQ(slurp(folder / "a.npy"), slurp(folder / "b.npy"));
}
