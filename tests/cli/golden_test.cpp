// forward, vjp, purify and gradient end to end through files, against PyTorch's float64 values in tests/golden. Bars:
// 1e-9 for double (two implementations of the same float64 arithmetic; they agree to about 1e-13), and for float a few
// times PyTorch's own float32 error.
#include "cli/program.h"
#include "core/hash.h"

using namespace purescope;

namespace {

struct Network {
  const char* name;
  std::string arch;
  const char* t;
  double float_bar;
};

// ReLU networks in float: a mask that flips moves single gradients (tests/golden/README.md).
const Network kNetworks[] = {
    {"ddpm_small", kDdpm, "3,867", 2e-5},
    {"ddpm_small_3_levels", "ddpm-unet:ch=32,mult=1-2-2,blocks=2,attn=8-4,size=16", "3,867", 2e-5},
    {"ddpm_small_16_groups", "ddpm-unet:ch=48,mult=1-2,blocks=1,attn=8,groups=16,size=16", "3,867", 2e-5},
    {"wrn_small", "wrn:depth=10,widen=1", nullptr, 2e-3},
    {"cifar_resnet_20", "cifar-resnet:depth=20", nullptr, 2e-3},
};

std::vector<std::string> network_args(const char* command, const Network& n, const std::string& real) {
  std::vector<std::string> args = {
      command, "--arch", n.arch, "--weights", "formula", "--input", golden(n.name) + ":input.x", "--real", real};
  if (n.t) args.insert(args.end(), {"--t", n.t});
  return args;
}

void add(std::vector<std::string>& args, std::initializer_list<std::string> more) { args.insert(args.end(), more); }

// Heads and summaries of all parameter gradients; those that are zero in theory must stay near zero.
void check_parameter_gradients(const Network& n, const std::string& path) {
  const Safetensors expected(golden(n.name)), got(path);
  const std::string head = "grad_head.f64.", summary = "grad_summary.f64.";
  size_t compared = 0;
  for (const TensorInfo& t : expected.tensors()) {
    if (t.name.rfind(head, 0) != 0) continue;
    const std::string key = t.name.substr(head.size());
    std::vector<double> values = tensor_values(path, key), sums = tensor_values(golden(n.name), summary + key),
                        first = tensor_values(golden(n.name), t.name);
    double sum = 0, squares = 0, magnitude = 0;
    for (double v : values) {
      sum += v;
      squares += v * v;
      magnitude += std::abs(v);
    }
    if (sums[2] < 1e-20) {
      EXPECT_TRUE(squares < 1e-20) << key << " " << squares;
      continue;
    }
    EXPECT_TRUE(std::abs(sum - sums[0]) <= 1e-9 * magnitude) << key;
    EXPECT_TRUE(std::abs(squares / sums[2] - 1) <= 1e-9) << key;
    values.resize(first.size());
    double error = 0;
    for (size_t i = 0; i < first.size(); ++i) error = std::max(error, std::abs(values[i] - first[i]));
    EXPECT_TRUE(error <= 1e-9 * std::sqrt(sums[2])) << key << " " << error;
    ++compared;
  }
  EXPECT_GE(compared, 10u);
}

}  // namespace

TEST(CliGolden, ForwardInDoubleAndFloat) {
  const ScratchFolder folder;
  for (const Network& n : kNetworks) {
    SCOPED_TRACE(n.name);
    for (const std::string real : {"f64", "f32"}) {
      std::vector<std::string> args = network_args("forward", n, real);
      add(args, {"--output", folder / "y.npy"});
      expect_success(args);
      EXPECT_EQ(read_npy(folder / "y.npy").dtype, real == "f64" ? Dtype::F64 : Dtype::F32);
      const double error = relative_l2(npy_values(folder / "y.npy"), tensor_values(golden(n.name), "out.f64"));
      EXPECT_TRUE(error <= (real == "f64" ? 1e-9 : 1e-5)) << real << " " << error;
    }
  }
}

TEST(CliGolden, VjpInDoubleAndFloat) {
  const ScratchFolder folder;
  for (const Network& n : kNetworks) {
    SCOPED_TRACE(n.name);
    for (const std::string real : {"f64", "f32"}) {
      std::vector<std::string> args = network_args("vjp", n, real);
      add(args, {"--cotangent", golden(n.name) + ":cotangent", "--output", folder / "dx.npy", "--dparams",
                 folder / "g.safetensors"});
      expect_success(args);
      const double error = relative_l2(npy_values(folder / "dx.npy"), tensor_values(golden(n.name), "grad_x.f64"));
      EXPECT_TRUE(error <= (real == "f64" ? 1e-9 : n.float_bar)) << real << " " << error;
      if (real == "f64") check_parameter_gradients(n, folder / "g.safetensors");
    }
  }
}

// The comparison itself must notice another t, and a gradient must not be compared with an output.
TEST(CliGolden, AnotherTimeIsNoticed) {
  const ScratchFolder folder;
  Network n = kNetworks[0];
  n.t = "3,866";
  std::vector<std::string> args = network_args("forward", n, "f64");
  add(args, {"--output", folder / "y.npy"});
  expect_success(args);
  EXPECT_FALSE(relative_l2(npy_values(folder / "y.npy"), tensor_values(golden(n.name), "out.f64")) <= 1e-5);
}

// Passes of one image give the same bytes as one pass of all, dx and parameter gradients alike.
TEST(CliGolden, BatchOfOneGivesTheSameBytes) {
  const ScratchFolder folder;
  std::string dx[2], g[2];
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> args = network_args("vjp", kNetworks[0], "f32");
    add(args, {"--cotangent", golden("ddpm_small") + ":cotangent", "--output", folder / "dx.npy", "--dparams",
               folder / "g.safetensors", "--batch", i ? "1" : "8", "--threads", i ? "1" : "2"});
    expect_success(args);
    dx[i] = slurp(folder / "dx.npy");
    g[i] = slurp(folder / "g.safetensors");
  }
  EXPECT_EQ(dx[0], dx[1]);
  EXPECT_EQ(g[0], g[1]);
}

namespace {

struct Chain {
  const char* name;
  std::vector<std::string> flags;
};

const std::vector<std::string> kStrided = {"--t", "100", "--steps-reverse", "10"};

std::vector<Chain> chains() {
  auto with = [](std::vector<std::string> base, std::initializer_list<std::string> more) {
    base.insert(base.end(), more);
    return base;
  };
  const std::vector<std::string> ten = {"--t", "10"};
  return {
      {"ddpm_clip_fixedlarge", ten},
      {"ddpm_clip_fixedsmall", with(ten, {"--variance", "fixedsmall"})},
      {"ddpm_noclip_x0_form", with(ten, {"--clip", "none"})},
      {"ddpm_noclip_eps_form", with(ten, {"--clip", "none"})},
      {"ddpm_straight_through", with(ten, {"--clip", "straight-through"})},
      {"ddpm_multi_step_forward", with(ten, {"--forward", "steps"})},
      {"ddpm_respaced_10_of_100", kStrided},
      {"ddpm_respaced_10_of_100_noclip", with(kStrided, {"--clip", "none"})},
      {"reverse_only", with(ten, {"--sampler", "reverse"})},
      {"reverse_only_scaled", with(ten, {"--forward", "none", "--scale", "sqrt_abar"})},
      {"ddim_clip", with(ten, {"--sampler", "ddim", "--clip", "x0"})},
      {"ddim_straight_through", with(ten, {"--sampler", "ddim", "--clip", "straight-through"})},
      {"ddim_noclip", with(ten, {"--sampler", "ddim"})},
      {"ddim_strided_clip", with(kStrided, {"--sampler", "ddim", "--clip", "x0"})},
      {"ddim_strided_noclip", with(kStrided, {"--sampler", "ddim"})},
      {"eta1_noclip", with(ten, {"--sampler", "eta:1"})},
      {"eta1_strided_noclip", with(kStrided, {"--sampler", "eta:1"})},
  };
}

// noise.forward of the case where it has its own, the rest from chain_inputs: one file, as --noise wants it.
std::string noise_file(const std::string& name, const ScratchFolder& folder) {
  const Safetensors own(golden(name)), shared(golden("chain_inputs"));
  const TensorInfo* forward = own.find("noise.forward");
  if (!forward) return shared.path();
  const TensorInfo* reverse = shared.find("noise.reverse");
  write_safetensors(folder / "noise.safetensors",
                    {{"noise.forward", Dtype::F32, forward->shape, own.data(*forward)},
                     {"noise.reverse", Dtype::F32, reverse->shape, shared.data(*reverse)}},
                    {});
  return folder / "noise.safetensors";
}

std::vector<double> as_network_domain(std::vector<double> x) {
  for (double& v : x) v = 2 * v - 1;
  return x;
}

}  // namespace

TEST(CliGolden, PurifyAndGradient) {
  const ScratchFolder folder;
  for (const Chain& c : chains()) {
    SCOPED_TRACE(c.name);
    const std::string file = std::string("chain_") + c.name;
    std::vector<std::string> common = {"-p",
                                       "formula",
                                       "--purifier-arch",
                                       kDdpm,
                                       "--input",
                                       golden("chain_inputs") + ":x",
                                       "--noise",
                                       noise_file(file, folder),
                                       "--real",
                                       "f64"};
    common.insert(common.end(), c.flags.begin(), c.flags.end());
    std::vector<std::string> purify = common, gradient = common;
    purify.insert(purify.begin(), "purify");
    add(purify, {"--output", folder / "y.npy"});
    expect_success(purify);
    double error =
        relative_l2(as_network_domain(npy_values(folder / "y.npy")), tensor_values(golden(file), "purified.f64"));
    EXPECT_TRUE(error <= 1e-9) << "purified " << error;
    gradient.insert(gradient.begin(), "gradient");
    add(gradient, {"-c", "formula", "--classifier-arch", kWrn, "--labels", golden("chain_inputs") + ":label",
                   "--output", folder / "g.npy", "--purified", folder / "p.npy"});
    const ProgramRun run = expect_success(gradient);
    error = relative_l2(npy_values(folder / "g.npy"), tensor_values(golden(file), "grad_x.f64"));
    EXPECT_TRUE(error <= 1e-9) << "gradient " << error;
    EXPECT_EQ(slurp(folder / "p.npy"), slurp(folder / "y.npy"));
    ASSERT_EQ(run.out.rfind("loss ", 0), 0u) << run.out;
    const double loss = tensor_values(golden(file), "loss.f64").at(0);
    EXPECT_TRUE(std::abs(std::stod(run.out.substr(5)) / loss - 1) <= 1e-9) << run.out << loss;
  }
}
