// Group normalisation and SiLU in one step: in whole networks the bits of the two steps one after the other, and less memory.
#include <gtest/gtest.h>

#include "compare.h"
#include "fast_mode.h"
#include "net/small_nets.h"

using namespace purescope;

namespace {

// The same network with a Silu step of its own behind every norm that has one inside.
Model split(const Model& fused) {
  Model m = fused;
  m.steps.clear();
  for (Step s : fused.steps) {
    if (s.op != Op::GroupNorm || !s.group_norm.silu) { m.steps.push_back(s); continue; }
    Step silu = s;
    silu.op = Op::Silu;
    silu.name = s.name + ".silu";
    silu.saved = 0;
    std::fill(std::begin(silu.param), std::end(silu.param), -1);
    m.values.push_back(m.values[s.out]);
    s.group_norm.silu = false;
    s.out = silu.in[0] = static_cast<int>(m.values.size()) - 1;
    m.steps.push_back(s);
    m.steps.push_back(silu);
  }
  return m;
}

Pass pass_of(const Model& m, Mode mode, bool lean) {
  Net net = formula_net(m);
  net.set_lean(lean);
  net.plan(2, mode);
  return run_pass(net);
}

void expect_same(const Pass& a, const Pass& b) {
  EXPECT_TRUE(compare_bits(a.out, b.out).ok);
  ASSERT_EQ(a.dx.size(), b.dx.size());
  EXPECT_TRUE(a.dx.empty() || compare_bits(a.dx, b.dx).ok);
  ASSERT_EQ(a.dparams.size(), b.dparams.size());
  for (size_t p = 0; p < a.dparams.size(); ++p) EXPECT_TRUE(compare_bits(a.dparams[p], b.dparams[p]).ok) << "parameter " << p;
}

constexpr const char* kUnets[] = {"ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4",
                                  "adm:ch=8,mult=1-2,blocks=1,attn=1-2,head=4,size=8,groups=4,learn-sigma,scale-shift,resblock-updown",
                                  "adm:ch=8,mult=1-2,blocks=1,attn=1-2,head=4,size=8,groups=4,learn-sigma",
                                  "ddpmpp:nf=8,mult=1-2,blocks=1,attn=8,size=8"};

}  // namespace

TEST(NormSilu, OneStepHasTheBitsOfTwo) {
  for (const char* arch : kUnets) {
    SCOPED_TRACE(arch);
    const Model one = make_model(arch), two = split(one);
    EXPECT_GT(two.steps.size(), one.steps.size() + 3);
    for (const Mode mode : {Mode::Forward, Mode::InputGrad, Mode::Training}) expect_same(pass_of(one, mode, false), pass_of(two, mode, false));
    expect_same(pass_of(one, Mode::InputGrad, true), pass_of(two, Mode::InputGrad, true));
    const FastMode fast;
    expect_same(pass_of(one, Mode::InputGrad, false), pass_of(two, Mode::InputGrad, false));
  }
}

// Negative control: a network whose norms lost their SiLU is another network.
TEST(NormSilu, TheSiluIsThere) {
  const Model right = make_model(kUnets[0]);
  Model wrong = right;
  for (Step& s : wrong.steps) s.group_norm.silu = false;
  EXPECT_FALSE(compare_bits(pass_of(wrong, Mode::Forward, false).out, pass_of(right, Mode::Forward, false).out).ok);
}

TEST(NormSilu, OneStepTakesLessMemory) {
  for (const char* arch : {"ddpm-cifar10", "adm-256", "ddpmpp:nf=32,mult=1-2,blocks=1,attn=8,size=16"}) {
    const Model one = make_model(arch), two = split(one);
    const auto arena = [](const Model& m, Mode mode, bool lean) { return make_plan(m, 1, mode, false, lean).arena; };
#ifndef PURESCOPE_DEBUG  // the red zones of debug builds move slots: an equal arena may get a zone longer
    EXPECT_LE(arena(one, Mode::Forward, false), arena(two, Mode::Forward, false)) << arch;
    EXPECT_LE(arena(one, Mode::InputGrad, true), arena(two, Mode::InputGrad, true)) << arch;
#endif
    EXPECT_LT(arena(one, Mode::InputGrad, false), 0.9 * arena(two, Mode::InputGrad, false)) << arch;
    for (const Mode mode : {Mode::Forward, Mode::InputGrad, Mode::Training})
      std::printf("  %s, mode %d: arena %zu reals with one step, %zu with two; lean %zu, %zu\n", arch, static_cast<int>(mode),
                  arena(one, mode, false), arena(two, mode, false), arena(one, mode, true), arena(two, mode, true));
  }
}

TEST(NormSilu, IsShown) {
  int shown = 0;
  for (const Step& s : make_model(kUnets[0]).steps) shown += std::string(op_name(s)) == "group_norm + silu";
  EXPECT_GT(shown, 4);
}
