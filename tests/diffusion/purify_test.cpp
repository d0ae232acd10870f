// The purifier: recomputation, batches, threads and kept steps change no bit; memory grows by one image per step.
// Noise sources: keys, records, files.
#include <gtest/gtest.h>
#include <malloc.h>

#include "core/parallel.h"
#include "cuda/emulator/stream.h"
#include "diffusion/chain.h"
#include "io/scratch_folder.h"
#include "on_device.h"

using namespace purescope;

namespace {

const NoiseStream kStream({NoiseRng::Native, {}, false});

PurifyOptions with(int t, int steps = 0, const std::string& sampler = "ddpm") {
  PurifyOptions o;
  o.t = t;
  o.steps_reverse = steps;
  parse_sampler(sampler, o);
  return o;
}

struct Result { std::vector<real> purified, dx; double loss; };

// Images of `images` with noise of `seed` through a chain planned for `planned` images.
Result run(const PurifyOptions& o, const std::vector<int64_t>& images, int planned, int keep = 0, int64_t seed = 1) {
  Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
  Chain chain(unet, classifier, o, planned, keep);
  KeyedNoise noise(kStream, seed, images);
  std::vector<int> labels;
  for (int64_t image : images) labels.push_back(static_cast<int>(image % 10));
  Result r;
  r.loss = chain.forward(test_images(unet, images), labels, noise);
  r.dx = chain.backward();
  r.purified = chain.purified;
  return r;
}

void expect_same(const Result& a, const Result& b, const std::string& what) {
  Comparison r = compare_bits(a.purified, b.purified);
  EXPECT_TRUE(r) << what << ", purified: " << r.message;
  r = compare_bits(a.dx, b.dx);
  EXPECT_TRUE(r) << what << ", gradient: " << r.message;
  EXPECT_GT(norm({a.dx.begin(), a.dx.end()}), 0) << what;
}

std::vector<PurifyOptions> several() {
  std::vector<PurifyOptions> list = {
      with(10), with(100, 10), with(10, 0, "ddim"), with(20, 10, "eta:1"), with(10, 0, "reverse"), with(1)};
  list.push_back(with(10));
  list.back().forward = ForwardKind::Steps;
  return list;
}

}  // namespace

// What the host asks of a card per diffusion step, forward and backward: a few launches, however many steps a network has. Counted on the
// emulated device, after two chains (the first runs step by step, the second records).
TEST(Purify, AFewLaunchesPerStep) {
  const auto per_step = [](bool graphs) {
    const OnDevice emulated(Device::Emulated);
    Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
    unet.use_graphs(graphs);
    const auto submissions = [&](int t) {
      Chain chain(unet, classifier, with(t), 1);
      uint64_t before = 0;
      for (int pass = 0; pass < 3; ++pass) {
        KeyedNoise noise(kStream, pass, {3});
        before = emulator::submissions();
        chain.forward(test_images(unet, {3}), {3}, noise);
        chain.backward();
      }
      return static_cast<double>(emulator::submissions() - before);
    };
    return (submissions(4) - submissions(2)) / 2;
  };
  const double replayed = per_step(true), eager = per_step(false);
  std::printf("submissions per step, forward and backward: %.2f replayed, %.2f step by step\n", replayed, eager);
  EXPECT_LE(replayed, 16);
  EXPECT_GT(eager, 100);
}

TEST(Purify, RecomputedIsStored) {
  for (const PurifyOptions& o : several()) {
    const Result recomputed = run(o, {3, 4}, 2);
    for (int keep : {1, 5, o.reverse_count(), 99})
      expect_same(run(o, {3, 4}, 2, keep), recomputed, describe(o) + ", kept " + std::to_string(keep));
    EXPECT_FALSE(compare_bits(run(o, {3, 4}, 2, 0, 2).dx, recomputed.dx) && o.sampler == SamplerKind::Ddpm && o.t > 1)
        << "control: another seed";
  }
}

TEST(Purify, ImageInABatchIsTheImageAlone) {
  for (const PurifyOptions& o : several()) {
    const std::vector<int64_t> images = {12, 7, 30};
    const Result all = run(o, images, 3);
    const size_t size = all.dx.size() / 3;
    for (int n = 0; n < 3; ++n) {
      auto part = [&](const std::vector<real>& v) {
        return std::vector<real>(v.begin() + n * size, v.begin() + (n + 1) * size);
      };
      const Result same{part(all.purified), part(all.dx), 0};
      expect_same(run(o, {images[n]}, 1), same, describe(o) + ", image alone");
      expect_same(run(o, {images[n]}, 4, 2), same, describe(o) + ", image alone in a larger plan");
    }
    EXPECT_FALSE(compare_bits(run(o, {13}, 1).dx.data(), all.dx.data(), size)) << "control: another image";
  }
}

TEST(Purify, ThreadsChangeNoBit) {
  const int before = thread_count();
  for (const PurifyOptions& o : {with(10), with(20, 10, "eta:1")}) {
    set_thread_count(1);
    const Result one = run(o, {1, 2, 3, 4, 5}, 5, 3);
    for (int threads : {2, 3}) {
      set_thread_count(threads);
      expect_same(run(o, {1, 2, 3, 4, 5}, 5, 3), one, std::to_string(threads) + " threads");
    }
  }
  set_thread_count(before);
}

// The network's arena does not know how many steps there are, and the trail holds one image more for each.
TEST(Purify, MemoryGrowsByOneImagePerStep) {
  Net unet = formula_net(kTinyUnet);
  const size_t image = 3 * 8 * 8;
  size_t arena = 0;
  for (int t : {1, 10, 100}) {
    Purifier purifier(unet, with(t), 2, true);
    if (arena) { EXPECT_EQ(unet.current_plan().arena, arena); }
    arena = unet.current_plan().arena;
    EXPECT_EQ(purifier.trail().steps(), t);
    for (int m = 0; m < t; ++m)
      EXPECT_EQ(static_cast<size_t>(purifier.trail().x(m + 1).data - purifier.trail().x(m).data), 2 * image);
    EXPECT_EQ(purifier.reals_per_kept_step(), arena);
  }
  if (current_device() != Device::Cpu) GTEST_SKIP() << "what the allocator of the host holds says nothing about a device";
#ifndef PURESCOPE_SANITIZED
  auto allocated = [] { const auto info = mallinfo2(); return static_cast<double>(info.uordblks + info.hblkhd); };
  auto cost = [&](int t, int keep) {
    const double before = allocated();
    Purifier purifier(unet, with(t), 2, true, keep);
    return allocated() - before;
  };
  const double step = 2.0 * image * sizeof(real), numbers = sizeof(ReverseStep);
  const double grown = cost(1000, 0) - cost(10, 0);
  EXPECT_GT(grown, 990 * step);
  EXPECT_LT(grown, 990 * (step + 2.1 * numbers) + 65536);  // 2.1: a vector may double its room
  const double kept = cost(10, 3) - cost(10, 0), arenas = 3.0 * arena * sizeof(real);
  constexpr double kPieces = 1024;  // the allocator's pieces are up to 16 bytes larger than asked, differently from call to call
  EXPECT_GE(kept, arenas - kPieces);
  EXPECT_LT(kept, arenas + 65536);
#endif
}

TEST(Purify, WithoutGradientThereIsNoBackward) {
  Net unet = formula_net(kTinyUnet);
  std::vector<real> u = test_images(unet, {1}), d = u, forward_only;
  {
    Purifier purifier(unet, with(5), 1, false);
    KeyedNoise noise(kStream, 1, {1});
    forward_only = values_of(purifier.forward(Mirror(shaped(u, unet.input()), unet.device()).view(), noise));
    EXPECT_THROW(purifier.backward(shaped(d, unet.input())), Error);
  }
  Purifier purifier(unet, with(5), 1, true);
  KeyedNoise noise(kStream, 1, {1});
  EXPECT_TRUE(compare_bits(values_of(purifier.forward(Mirror(shaped(u, unet.input()), unet.device()).view(), noise)), forward_only));
  Net classifier = formula_net(kTinyWrn);
  EXPECT_EQ(exit_code_of([&] { Purifier wrong(classifier, with(5), 1, true); }), kUsage);
}

// The noise of an image: from seed, image, draw, phase and t alone.
TEST(Noise, KeyedNoiseKnowsNoBatch) {
  std::vector<real> all(4 * 12), one(12);
  const View batch{all.data(), 4, 3, 2, 2}, alone{one.data(), 1, 3, 2, 2};  // on the host
  KeyedNoise four(kStream, 5, {9, 2, 7, 2});
  auto fill = [&](NoiseSource& source, bool forward, int t, View out) {
    forward ? source.forward(ForwardKind::Jump, t, out) : source.reverse(99 - t, t, out);
  };
  for (bool forward : {true, false})
    for (int t : {0, 3, 99}) {
      fill(four, forward, t, batch);
      for (int n = 0; n < 4; ++n) {
        KeyedNoise single(kStream, 5, {std::vector<int64_t>{9, 2, 7, 2}[n]});
        fill(single, forward, t, alone);
        EXPECT_TRUE(compare_bits(one.data(), batch.image(n), 12));
      }
      EXPECT_TRUE(compare_bits(batch.image(1), batch.image(3), 12));
      EXPECT_FALSE(compare_bits(batch.image(0), batch.image(1), 12));
    }
  // Every part of the key counts; asking twice gives the same.
  auto values = [&](int64_t seed, uint64_t draw, int t_base, bool forward, int t) {
    KeyedNoise source(kStream, seed, {9}, draw, t_base);
    fill(source, forward, t, alone);
    return one;
  };
  const std::vector<real> base = values(5, 0, 0, true, 3);
  EXPECT_TRUE(compare_bits(values(5, 0, 0, true, 3), base));
  EXPECT_TRUE(compare_bits(values(5, 0, 2, true, 1), base));
  for (const std::vector<real>& other : {values(6, 0, 0, true, 3), values(5, 1, 0, true, 3), values(5, 0, 1, true, 3),
                                         values(5, 0, 0, false, 3), values(5, 0, 0, true, 4)})
    EXPECT_FALSE(compare_bits(other, base));
  KeyedNoise redrawn(kStream, 5, {9});
  redrawn.set_draw(1);
  fill(redrawn, true, 3, alone);
  EXPECT_TRUE(compare_bits(one, values(5, 1, 0, true, 3)));
}

TEST(Noise, RecordedNoiseGivesTheSamePurification) {
  const ScratchFolder folder;
  for (const PurifyOptions& o : several()) {
    Net unet = formula_net(kTinyUnet), classifier = formula_net(kTinyWrn);
    Chain chain(unet, classifier, o, 2);
    const std::vector<real> x = test_images(unet, {3, 4});
    KeyedNoise keyed(kStream, 1, {3, 4});
    RecordedNoise recorded(keyed);
    Result first;
    first.loss = chain.forward(x, {3, 4}, recorded);
    first.dx = chain.backward();  // recomputation draws no noise: the record holds the forward pass alone
    first.purified = chain.purified;
    expect_same(first, run(o, {3, 4}, 2), describe(o));
    recorded.write(folder / "noise.safetensors");
    const Safetensors file(folder / "noise.safetensors");
    int drawn = 0;
    for (const ReverseStep& s : chain.purifier().steps()) drawn += s.s != 0;
    EXPECT_EQ(file.find("noise.reverse") ? file.find("noise.reverse")->shape[0] : 0, drawn) << describe(o);
    EXPECT_EQ(file.find("noise.forward") != nullptr, o.forward != ForwardKind::None);
    FileNoise replayed(folder / "noise.safetensors");
    Result second;
    second.loss = chain.forward(x, {3, 4}, replayed);
    second.dx = chain.backward();
    second.purified = chain.purified;
    expect_same(second, first, describe(o) + ", replayed");
  }
}

TEST(Noise, FilesThatDoNotFitExit65) {
  const ScratchFolder folder;
  const std::vector<float> values(10 * 2 * 3 * 8 * 8, 0.25f);
  auto write = [&](std::vector<int64_t> forward, std::vector<int64_t> reverse) {
    std::vector<TensorOut> tensors = {{"other", Dtype::F32, {1}, values.data()}};
    if (!forward.empty()) tensors.push_back({"noise.forward", Dtype::F32, forward, values.data()});
    if (!reverse.empty()) tensors.push_back({"noise.reverse", Dtype::F32, reverse, values.data()});
    write_safetensors(folder / "noise.safetensors", tensors, {});
  };
  auto code = [&](const PurifyOptions& o, std::string* message = nullptr) {
    Net unet = formula_net(kTinyUnet);
    return exit_code_of([&] {
      Purifier purifier(unet, o, 2, false);
      std::vector<real> u = test_images(unet, {1, 2});
      FileNoise noise(folder / "noise.safetensors");
      purifier.forward(Mirror(shaped(u, unet.input()), unet.device()).view(), noise);
    }, message);
  };
  const std::vector<int64_t> jump = {2, 3, 8, 8};
  write(jump, {4, 2, 3, 8, 8});
  EXPECT_EQ(code(with(5)), 0);   // four draws for five steps: the last has none
  EXPECT_EQ(code(with(3)), 0);   // more than needed
  std::string message;
  EXPECT_EQ(code(with(6), &message), kBadInput);
  EXPECT_NE(message.find("noise.reverse"), std::string::npos) << message;
  write({}, {9, 2, 3, 8, 8});
  EXPECT_EQ(code(with(5), &message), kBadInput);
  EXPECT_NE(message.find("noise.forward"), std::string::npos) << message;
  EXPECT_NE(message.find("[2, 3, 8, 8]"), std::string::npos) << message;
  EXPECT_EQ(code(with(5, 0, "reverse")), 0);  // reverse only needs none
  write(jump, {});
  EXPECT_EQ(code(with(5)), kBadInput);
  EXPECT_EQ(code(with(5, 0, "ddim")), 0);     // nor does DDIM need reverse noise
  EXPECT_EQ(code(with(5, 5, "eta:0.5")), kBadInput);
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{1, 3, 8, 8}, {3, 3, 8, 8}, {2, 3, 8, 4}, {2, 1, 8, 8}, {384}, {2, 3, 64}}) {
    write(shape, {4, 2, 3, 8, 8});
    EXPECT_EQ(code(with(5)), kBadInput) << shape.size();
  }
  for (const std::vector<int64_t>& shape :
       std::vector<std::vector<int64_t>>{{2, 3, 8, 8}, {4, 3, 3, 8, 8}, {4, 2, 3, 8, 4}, {0, 2, 3, 8, 8}}) {
    write(jump, shape);
    EXPECT_EQ(code(with(5)), kBadInput) << shape.size();
  }
  PurifyOptions steps = with(5);
  steps.forward = ForwardKind::Steps;
  write({5, 2, 3, 8, 8}, {4, 2, 3, 8, 8});
  EXPECT_EQ(code(steps), 0);
  write({4, 2, 3, 8, 8}, {4, 2, 3, 8, 8});
  EXPECT_EQ(code(steps), kBadInput);
  spit(folder / "noise.safetensors", "no tensors");
  EXPECT_EQ(code(with(5)), kBadInput);
  std::filesystem::remove(folder / "noise.safetensors");
  EXPECT_EQ(code(with(5)), kMissingInput);
}

// One draw for a jump is no noise for single steps, and noise of single steps is none for a jump.
TEST(Noise, FormsOfForwardNoiseAreNotMixedUp) {
  const ScratchFolder folder;
  const std::vector<float> values(5 * 2 * 3 * 8 * 8, 0.25f);
  auto code = [&](std::vector<int64_t> shape, ForwardKind kind) {
    const std::string path = folder / "noise.safetensors";
    write_safetensors(path, {{"noise.forward", Dtype::F32, shape, values.data()}}, {});
    return exit_code_of([&] {
      PurifyOptions o = with(5, 0, "ddim");
      o.forward = kind;
      Net unet = formula_net(kTinyUnet);
      Purifier purifier(unet, o, 2, false);
      std::vector<real> u = test_images(unet, {1, 2});
      FileNoise noise(path);
      purifier.forward(Mirror(shaped(u, unet.input()), unet.device()).view(), noise);
    });
  };
  EXPECT_EQ(code({2, 3, 8, 8}, ForwardKind::Jump), 0);
  EXPECT_EQ(code({5, 2, 3, 8, 8}, ForwardKind::Steps), 0);
  EXPECT_EQ(code({2, 3, 8, 8}, ForwardKind::Steps), kBadInput);
  EXPECT_EQ(code({5, 2, 3, 8, 8}, ForwardKind::Jump), kBadInput);
}
