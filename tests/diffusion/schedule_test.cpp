// The schedule and the numbers of the reverse steps: published constants, identities between samplers, options.
#include <gtest/gtest.h>

#include "diffusion/reverse_step.h"
#include "golden_file.h"

using namespace purescope;

namespace {

PurifyOptions with(int t, int steps = 0) { PurifyOptions o; o.t = t; o.steps_reverse = steps; return o; }

PurifyOptions sampler(const std::string& text, int t, int steps = 0) {
  PurifyOptions o = with(t, steps);
  parse_sampler(text, o);
  return o;
}

// Code of the error, with a message and advice; 0 without one.
template <typename Work>
int code_of(Work work) {
  try { work(); } catch (const Error& e) { return std::string(e.what()).empty() || e.todo.empty() ? -1 : int(e.code); }
  return 0;
}

// The step on x = sqrt(a) x0 + sqrt(1 - a) e without noise, as factors of x0 and of e (clip inactive).
struct Factors { double x0, e; };
Factors factors(const ReverseStep& s, double a) {
  return {s.p + s.q * std::sqrt(a), s.q * std::sqrt(1 - a) + s.r};
}

}  // namespace

TEST(Schedule, PublishedConstants) {
  const Schedule s = linear_schedule();
  ASSERT_EQ(s.beta.size(), 1000u);
  EXPECT_NEAR(s.beta[1], 1.1991991991991993e-4, 1e-18);
  EXPECT_NEAR(s.beta[999], 2e-2, 1e-16);
  const struct {
    int t;
    double abar;
  } golden[] = {{0, 0.9999},
                {9, 0.9981052047858344},
                {99, 0.89701814567496},
                {149, 0.7883213508874032},
                {199, 0.6590385082317941},
                {499, 0.07858724288177824},
                {999, 4.035829765375676e-05}};
  for (auto [t, abar] : golden) EXPECT_NEAR(s.abar[t], abar, 2e-13 * abar) << t;
  EXPECT_EQ(s.abar_before(0), 1);
  EXPECT_EQ(s.abar_before(7), s.abar[6]);
  EXPECT_GT(std::abs(s.abar[98] - 0.89701814567496), 1e-3);  // control: the neighbour is another number
}

TEST(Schedule, Respacing) {
  const Schedule full = linear_schedule(), half = respaced(full, {4, 9, 14});
  EXPECT_EQ(half.abar[1], full.abar[9]);
  EXPECT_NEAR((1 - half.beta[0]) * (1 - half.beta[1]) * (1 - half.beta[2]), full.abar[14], 1e-15);
  EXPECT_NEAR(half.beta[1], 1 - full.abar[9] / full.abar[4], 1e-18);
  std::vector<int> all(1000);
  for (int i = 0; i < 1000; ++i) all[i] = i;
  const Schedule same = respaced(full, all);
  for (int t = 0; t < 1000; ++t) EXPECT_NEAR(same.beta[t], full.beta[t], 1e-11 * full.beta[t]) << t;
}

TEST(Schedule, TablesOfTheReference) {
  PURESCOPE_NEEDS_REFERENCE();
  const Safetensors golden(reference_path("chain/schedules.safetensors"));
  const Schedule s = linear_schedule();
  EXPECT_TRUE(compare(s.beta, tensor(golden, "betas"), 2e-13));
  const std::vector<double> abar = tensor(golden, "alphas_cumprod"), c1 = tensor(golden, "posterior_mean_coef1"),
                            c2 = tensor(golden, "posterior_mean_coef2"),
                            variance = tensor(golden, "posterior_variance"),
                            recip = tensor(golden, "sqrt_recip_alphas_cumprod"),
                            recipm1 = tensor(golden, "sqrt_recipm1_alphas_cumprod");
  PurifyOptions o = with(1000);
  o.variance = Variance::FixedSmall;
  const std::vector<ReverseStep> steps = reverse_steps(o);
  for (int t = 0; t < 1000; ++t) {
    const ReverseStep& step = steps[999 - t];
    EXPECT_NEAR(s.abar[t] / abar[t], 1, 2e-13);
    EXPECT_NEAR(step.p, c1[t], 5e-12 * std::abs(c1[t])) << t;
    EXPECT_NEAR(step.q, c2[t], 5e-12 * std::abs(c2[t]) + 1e-16) << t;
    EXPECT_NEAR(step.s * step.s, variance[t], 5e-12 * variance[t]) << t;
    EXPECT_NEAR(step.to_x0, recip[t], 5e-13 * recip[t]) << t;
    EXPECT_NEAR(step.from_eps, recipm1[t], 1e-11 * recipm1[t]) << t;
  }
  for (const std::string name : {"250", "100", "ddim25", "ddim50"}) {
    const std::vector<int> kept = integers(tensor(golden, "space_timesteps." + name));
    EXPECT_EQ(space_timesteps(1000, name), kept) << name;
    EXPECT_TRUE(compare(respaced(s, kept).beta, tensor(golden, "respaced_betas." + name), 1e-11)) << name;
  }
  const std::vector<double> clipped = tensor(golden, "posterior_log_variance_clipped");
  o.variance = Variance::Learned;
  const std::vector<ReverseStep> learned = reverse_steps(o);
  for (int t = 1; t < 1000; ++t) {
    EXPECT_NEAR(learned[999 - t].log_min, clipped[t], 1e-11) << t;
    EXPECT_NEAR(learned[999 - t].log_max, std::log(s.beta[t]), 1e-13) << t;
    EXPECT_TRUE(learned[999 - t].learned && learned[999 - t].s == 0);
  }
  EXPECT_FALSE(learned[999].learned);  // no noise at index 0
}

TEST(Schedule, SpacedTimesteps) {
  EXPECT_EQ(space_timesteps(10, "3"), (std::vector<int>{0, 4, 9}));   // 4.5 rounds to even
  EXPECT_EQ(space_timesteps(12, "2,3"), (std::vector<int>{0, 5, 6, 8, 11}));
  EXPECT_EQ(space_timesteps(5, "1"), (std::vector<int>{0}));
  EXPECT_EQ(space_timesteps(10, "ddim5"), (std::vector<int>{0, 2, 4, 6, 8}));
  EXPECT_EQ(space_timesteps(1000, "1000").size(), 1000u);
  for (const char* bad : {"", "ddim999", "0", "11", "6,5,1", "ddim", "x"}) EXPECT_GT(code_of([&] { space_timesteps(10, bad); }), 0) << bad;
  PurifyOptions o = with(20);
  o.respacing = "50";
  EXPECT_EQ(reverse_indices(o).size(), 20u);
  EXPECT_EQ(reverse_indices(o).back(), space_timesteps(1000, "50")[19]);
  o.t = 51;
  EXPECT_EQ(code_of([&] { reverse_indices(o); }), kUsage);
}

// The label lists that float32 times give: 100, 99, ..., 1, but 149, 148, 148, 147, ... from t* = 150.
TEST(ReverseSteps, LabelsOfTorchsde) {
  auto labels = [](int t, Labels kind) {
    PurifyOptions o = sampler("vpsde", t);
    o.labels = kind;
    std::vector<double> list;
    for (const ReverseStep& s : reverse_steps(o)) list.push_back(s.time);
    return list;
  };
  const std::vector<double> hundred = labels(100, Labels::TorchsdeFp32), odd = labels(150, Labels::TorchsdeFp32);
  ASSERT_EQ(hundred.size(), 100u);
  for (int k = 0; k < 100; ++k) EXPECT_EQ(hundred[k], 100 - k);
  ASSERT_EQ(odd.size(), 150u);
  EXPECT_EQ((std::vector<double>(odd.begin(), odd.begin() + 4)), (std::vector<double>{149, 148, 148, 147}));
  EXPECT_EQ(odd.back(), 1);
  const std::vector<double> exact = labels(150, Labels::Index), fractional = labels(150, Labels::Continuous);
  for (int k = 0; k < 150; ++k) {
    EXPECT_EQ(exact[k], 150 - k);
    EXPECT_NEAR(fractional[k], 0.999 * (150 - k), 1e-12);
  }
}

// Euler-Maruyama on the numbers: drift and noise of one step, and the sum of all times.
TEST(ReverseSteps, VpSteps) {
  const std::vector<ReverseStep> sde = reverse_steps(sampler("vpsde", 100)), ode = reverse_steps(sampler("vpode", 100));
  double variance = 0;
  for (size_t k = 0; k < sde.size(); ++k) {
    const double t = (100.0 - k) / 1000, h = k < 99 ? 1e-3 : 0.99e-3, beta = 0.1 + 19.9 * t;
    EXPECT_NEAR(sde[k].q, 1 + 0.5 * beta * h, 1e-15);
    EXPECT_NEAR(sde[k].r, -beta * h / std::sqrt(1 - std::exp(-9.95 * t * t - 0.1 * t)), 1e-14);
    EXPECT_NEAR(sde[k].s * sde[k].s, beta * h, 1e-15);
    EXPECT_NEAR(ode[k].r, sde[k].r / 2, 1e-15);
    EXPECT_EQ(ode[k].s, 0);
    EXPECT_EQ(ode[k].q, sde[k].q);
    variance += beta * h;
  }
  EXPECT_NEAR(variance, 0.1 * 0.1 + 9.95 * 0.01, 2e-3);
}

TEST(ReverseSteps, PublishedPosterior) {
  const std::vector<ReverseStep> large = reverse_steps(with(1000));
  PurifyOptions small_options = with(1000);
  small_options.variance = Variance::FixedSmall;
  const std::vector<ReverseStep> small = reverse_steps(small_options);
  ASSERT_EQ(large.size(), 1000u);
  auto at = [&](const std::vector<ReverseStep>& steps, int k) { return steps[999 - k]; };
  const struct {
    int k;
    double c1, c2;
  } golden[] = {{0, 1, 0},
                {1, .5452915, .4547085},
                {2, .3887068, .6112932},
                {10, .1362779, .8637221},
                {99, .0190763, .9808960},
                {149, .0128886, .9870213}};
  for (auto [k, c1, c2] : golden) {
    EXPECT_EQ(at(large, k).label, k);
    EXPECT_NEAR(at(large, k).p, c1, 6e-8) << k;
    EXPECT_NEAR(at(large, k).q, c2, 6e-8) << k;
  }
  const struct { int k; double ratio; } variance[] = {{1, .4547358}, {9, .8528453}, {99, .9819138}};
  for (auto [k, ratio] : variance) {
    EXPECT_NEAR(at(small, k).s * at(small, k).s / linear_schedule().beta[k], ratio, 6e-8) << k;
    EXPECT_NEAR(at(large, k).s * at(large, k).s, linear_schedule().beta[k], 1e-16) << k;
  }
  EXPECT_EQ(at(large, 0).s, 0);
  EXPECT_EQ(at(small, 0).s, 0);
  EXPECT_GT(at(large, 1).s, 0);
  for (const ReverseStep& s : large) EXPECT_TRUE(s.clip && !s.straight_through && s.r == 0);
}

// p x0 + q x with x0 = to_x0 x - from_eps eps is (x - beta / sqrt(1 - abar) eps) / sqrt(1 - beta), respaced or not.
TEST(ReverseSteps, BothFormsOfTheMean) {
  for (auto [t, n] : {std::pair{1000, 1000}, {100, 10}, {150, 50}, {1, 1}, {7, 1}}) {
    const std::vector<ReverseStep> steps = reverse_steps(with(t, n));
    const Schedule full = linear_schedule();
    ASSERT_EQ(static_cast<int>(steps.size()), n);
    for (int m = 0; m < n; ++m) {
      const int i = t - 1 - m * (t / n), before = i - t / n;
      const double abar = full.abar[i], beta = 1 - abar / (before >= 0 ? full.abar[before] : 1);
      EXPECT_EQ(steps[m].label, i);
      EXPECT_NEAR(steps[m].p * steps[m].to_x0 + steps[m].q, 1 / std::sqrt(1 - beta), 1e-11) << t << " " << i;
      EXPECT_NEAR(steps[m].p * steps[m].from_eps, beta / std::sqrt(1 - abar) / std::sqrt(1 - beta), 1e-9 * beta + 1e-14)
          << t << " " << i;
    }
  }
}

// From exact x0 and eps every eta step lands on sqrt(a') x0 + sqrt(1 - a' - s^2) eps, with clipping too.
TEST(ReverseSteps, EtaStepsKeepX0AndEps) {
  const Schedule full = linear_schedule();
  for (const std::string name : {"ddim", "eta:1", "eta:0.3"})
    for (Clip clip : {Clip::None, Clip::X0, Clip::StraightThrough})
      for (auto [t, n] : {std::pair{100, 10}, {10, 10}, {1000, 250}}) {
        PurifyOptions o = sampler(name, t, n);
        o.clip = clip;
        const std::vector<ReverseStep> steps = reverse_steps(o);
        for (int m = 0; m < n; ++m) {
          const double a = full.abar[steps[m].label], next = m + 1 < n ? full.abar[steps[m + 1].label] : 1;
          const double s = o.eta * std::sqrt((1 - a / next) * (1 - next) / (1 - a));
          EXPECT_NEAR(steps[m].s, s, 1e-15);
          EXPECT_NEAR(factors(steps[m], a).x0, std::sqrt(next), 1e-12) << name << " " << m;
          EXPECT_NEAR(factors(steps[m], a).e, std::sqrt(1 - next - s * s), 1e-12) << name << " " << m;
          EXPECT_EQ(steps[m].clip, clip != Clip::None);
          EXPECT_EQ(steps[m].straight_through, clip == Clip::StraightThrough);
        }
      }
}

// eta 1 between neighbours is the ancestral step with the posterior variance.
TEST(ReverseSteps, EtaOneIsFixedSmall) {
  PurifyOptions o = with(200);
  o.variance = Variance::FixedSmall;
  o.clip = Clip::None;
  const std::vector<ReverseStep> ddpm = reverse_steps(o), eta = reverse_steps(sampler("eta:1", 200)),
                                 ddim = reverse_steps(sampler("ddim", 200));
  for (size_t m = 0; m < ddpm.size(); ++m) {
    EXPECT_NEAR(ddpm[m].s, eta[m].s, 1e-12);
    EXPECT_NEAR(ddpm[m].p * ddpm[m].to_x0 + ddpm[m].q, eta[m].p * eta[m].to_x0, 1e-11);
    EXPECT_NEAR(-ddpm[m].p * ddpm[m].from_eps, eta[m].r - eta[m].p * eta[m].from_eps, 1e-11);
  }
  EXPECT_GT(std::abs(ddim[0].s - ddpm[0].s), 1e-3);  // control: DDIM is another sampler
}

TEST(PurifyOptions, IndicesAscendAndEndAtTStarMinusOne) {
  EXPECT_EQ(reverse_indices(with(5)), (std::vector<int>{0, 1, 2, 3, 4}));
  EXPECT_EQ(reverse_indices(with(100, 10)), (std::vector<int>{9, 19, 29, 39, 49, 59, 69, 79, 89, 99}));
  EXPECT_EQ(reverse_indices(with(1000, 1)), (std::vector<int>{999}));
  EXPECT_EQ(reverse_indices(with(1)), (std::vector<int>{0}));
}

TEST(PurifyOptions, BadValuesExit2) {
  for (auto [t, n] : {std::pair{0, 0}, {-5, 0}, {1001, 0}, {100, 3}, {10, 11}, {10, -2}, {7, 2}}) {
    const PurifyOptions o = with(t, n);
    EXPECT_EQ(code_of([&] { reverse_indices(o); }), kUsage) << t << " " << n;
    EXPECT_EQ(code_of([&] { reverse_steps(o); }), kUsage) << t << " " << n;
    EXPECT_EQ(code_of([&] { describe(o); }), kUsage) << t << " " << n;
  }
  EXPECT_EQ(code_of([] { reverse_indices(with(1000)); }), 0);
  PurifyOptions o;
  for (const char* text : {"", "DDPM", "euler", "eta", "eta:2", "eta:-0.1", "ddim:1"})
    EXPECT_EQ(code_of([&] { parse_sampler(text, o); }), kUsage) << text;
  for (const char* text : {"vpsde:1", "dpm21", "dpmsolver:order=4", "dpmsolver:method=x", "dpmsolver+", "dpmsolver++:grid"})
    EXPECT_EQ(code_of([&] { parse_sampler(text, o); }), kUsage) << text;
  for (const char* text : {"dpm20", "vpsde"}) {
    PurifyOptions clipped = sampler(text, 100);
    clipped.clip = Clip::X0;
    EXPECT_EQ(code_of([&] { reverse_steps(clipped); }), kUsage) << text;
  }
  EXPECT_EQ(code_of([] { reverse_indices(sampler("vpsde", 100, 50)); }), kUsage);
  EXPECT_EQ(code_of([] { reverse_indices(sampler("dpmsolver:order=3,steps=2", 100)); }), kUsage);
  for (const char* text : {"eta:", "eta:x", "eta:nan"}) EXPECT_GT(code_of([&] { parse_sampler(text, o); }), 0) << text;
}

TEST(PurifyOptions, Samplers) {
  PurifyOptions o = sampler("ddpm", 10);
  EXPECT_TRUE(o.sampler == SamplerKind::Ddpm && o.clip == Clip::X0 && o.forward == ForwardKind::Jump);
  o = sampler("ddim", 10);
  EXPECT_TRUE(o.sampler == SamplerKind::Eta && o.eta == 0 && o.clip == Clip::None && o.forward == ForwardKind::Jump);
  o = sampler("eta:1/4", 10);
  EXPECT_TRUE(o.sampler == SamplerKind::Eta && o.eta == 0.25 && o.clip == Clip::None);
  o = sampler("reverse", 10);
  EXPECT_TRUE(o.sampler == SamplerKind::Ddpm && o.clip == Clip::X0 && o.forward == ForwardKind::None);
}

TEST(PurifyOptions, DescribeSaysEverything) {
  auto says = [](const PurifyOptions& o, std::initializer_list<const char*> parts) {
    const std::string text = describe(o);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    for (const char* part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << " in: " << text;
  };
  says(with(100), {"t* 100", "forward jump", "abar[99] = 0.897018", "100 reverse steps", "indices 99 .. 0", "ddpm",
                   "fixedlarge", "clip x0"});
  PurifyOptions o = sampler("ddim", 100, 10);
  o.forward = ForwardKind::Steps;
  o.clip = Clip::StraightThrough;
  says(o, {"forward steps", "10 reverse steps", "indices 99 .. 9", "ddim", "clip straight-through"});
  EXPECT_EQ(describe(o).find("fixed"), std::string::npos);
  o = sampler("reverse", 10);
  o.scale = InputScale::SqrtAbar;
  o.variance = Variance::FixedSmall;
  o.clip = Clip::None;
  says(o, {"forward none", "sqrt(abar)", "fixedsmall", "clip none", "abar[9] = 0.998105"});
  says(sampler("eta:0.5", 10), {"eta 0.5"});
  says(sampler("dpm20", 100), {"20 network calls from t = 100/1000", "dpmsolver++ 2 multistep time", "abar[99]", "clip none"});
  o = sampler("vpsde", 150);
  o.labels = Labels::TorchsdeFp32;
  o.image_size = 224;
  says(o, {"150 steps from t = 150/1000", "vpsde", "torchsde in float32", "images of 224 resampled"});
  o = sampler("ddpm", 20);
  o.variance = Variance::Learned;
  o.respacing = "50";
  says(o, {"t* 20 of 50", "ddpm learned", "20 reverse steps at indices 387 .. 0"});
}

TEST(PurifyOptions, ErrorsNameTheirPlace) {
  for (auto [t, n] : {std::pair{0, 0}, {100, 3}}) {
    try {
      reverse_indices(with(t, n));
      FAIL() << t << " " << n;
    } catch (const Error& e) { EXPECT_FALSE(e.where.empty()) << e.what(); }
  }
}
