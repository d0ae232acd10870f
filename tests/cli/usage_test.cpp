// Wrong flags, values and configuration files: exit codes and what the three lines say.
#include "cli/program.h"

using namespace purescope;

namespace {

std::vector<std::string> forward_with(std::initializer_list<std::string> more) {
  std::vector<std::string> args = {"forward", "--weights", "formula",  "--arch",      kWrn,
                                   "--input", "none.npy",  "--output", "none.out.npy"};
  args.insert(args.end(), more);
  return args;
}
std::vector<std::string> purify_with(std::initializer_list<std::string> more) {
  std::vector<std::string> args = {
      "purify",   "-p",          "formula", "--purifier-arch", kDdpm, "--input", golden("chain_inputs") + ":x",
      "--output", "none.out.npy"};
  args.insert(args.end(), more);
  return args;
}

}  // namespace

TEST(CliUsage, HelpAndVersion) {
  const ProgramRun help = expect_success({"--help"});
  for (const char* command :
       {"purify", "forward", "vjp", "gradient", "explain", "compare", "selftest", "convert", "inspect", "train"})
    EXPECT_NE(help.out.find(std::string("  ") + command), std::string::npos) << command;
  const ProgramRun forward = expect_success({"forward", "--help"});
  EXPECT_LT(forward.out.find("Examples:"), forward.out.find("--weights FILE"));
  EXPECT_NE(expect_success({"--help-all"}).out.find("--steps-reverse"), std::string::npos);
  EXPECT_EQ(expect_success({"--version"}).out.rfind("purescope ", 0), 0u);
  const std::string presets = expect_success({"--list-presets"}).out;
  for (const char* name : {"cifar10-ddpm", "cifar10-reverse", "cifar10-ddim", "cifar10-scoresde-vp", "imagenet-guided", "imagenet-vpsde", "imagenet-dpm20"}) {
    const size_t at = presets.find(std::string(name) + "\n    stands for: ");
    ASSERT_NE(at, std::string::npos) << name;
    EXPECT_NE(presets.substr(at, presets.find("means:", at) - at).find("Table"), std::string(name) == "cifar10-scoresde-vp" ? 0 : std::string::npos) << name;
  }
  EXPECT_NE(presets.find("t* 150, forward jump to abar[149] = 0.788321, 150 reverse steps at indices 149 .. 0, ddpm learned, clip x0"), std::string::npos) << presets;
  const std::string version = expect_success({"version", "--json"}).out;
  EXPECT_EQ(version.rfind("{\"program\":\"purescope\"", 0), 0u);
  EXPECT_NE(version.find("\"commit\":\""), std::string::npos) << version;
  EXPECT_NE(version.find("\"blas\":\"OpenBLAS "), std::string::npos) << version;
  EXPECT_EQ(run_program({}).code, 2);
}

TEST(CliUsage, TyposGetASuggestion) {
  expect_failure({"forwrd"}, 2, "unknown command 'forwrd'", "did you mean 'forward'?");
  expect_failure({"zzzzzz"}, 2, "unknown command 'zzzzzz'", "--help");
  expect_failure(forward_with({"--thraeds", "2"}), 2, "unknown option --thraeds", "did you mean --threads?");
  expect_failure(forward_with({"--qqqqqqq"}), 2, "unknown option --qqqqqqq", "purescope forward --help");
  expect_failure(purify_with({"--clip", "nome"}), 2, "unknown value 'nome'", "did you mean none?");
  expect_failure(forward_with({"stray"}), 2, "stray");
}

TEST(CliUsage, MissingAndRepeatedOptions) {
  expect_failure({"forward", "--weights", "formula", "--arch", kWrn, "--output", "y.npy"}, 2, "--input is missing");
  expect_failure({"forward", "--arch", kWrn, "--input", "x.npy", "--output", "y.npy"}, 2, "--weights is missing");
  expect_failure({"forward", "--weights", "formula", "--input", "x.npy", "--output", "y.npy"}, 2, "--arch");
  expect_failure(forward_with({"--input"}), 2, "--input");
  expect_failure(forward_with({"--real", "f32", "--real", "f64"}), 2, "--real");
  expect_failure({"compare", "f32"}, 2, "B");
}

TEST(CliUsage, ScalarsAndDevices) {
  expect_failure(forward_with({"--real", "f16"}), 2, "unknown value 'f16'");
  expect_failure(forward_with({"--math", "quick"}), 2, "unknown value 'quick'");
  expect_failure(forward_with({"--precision", "tf16"}), 2, "unknown value 'tf16'");
  expect_failure(forward_with({"--precision", "tf32"}), 2, "add --math fast");
  expect_failure(forward_with({"--precision", "tf32", "--math", "fast"}), 69, "the CPU has no arithmetic in tf32");
  expect_failure(forward_with({"--precision", "bf16", "--math", "fast", "--device", "emulated", "--real", "f64"}), 2, "use --real f32");
  expect_failure(forward_with({"--math", "fast", "--device", "emulated", "--real", "f64"}), 2, "built for float");
  expect_failure(forward_with({"--device", "cuda"}), 69, "built without CUDA");
  expect_failure(forward_with({"--device", "cuda:1"}), 69, "built without CUDA");
  expect_failure(forward_with({"--device", "tpu"}), 2, "unknown device 'tpu'");
  expect_failure(forward_with({}), 2, "unknown device 'tpu'", "", {"PURESCOPE_DEVICE=tpu"});
  expect_failure({"compare", "f32", "cuda", "--arch", kWrn}, 69, "built without CUDA");
  expect_failure({"compare", "tf32", "f32", "--arch", kWrn}, 69, "the CPU has no arithmetic in tf32");
}

// Cases 79 to 83 of the list of bad inputs, on the command line and in a configuration file.
TEST(CliUsage, BadValues) {
  expect_failure(purify_with({"--sampler", "eta:8/0"}), 2, "8/0");                               // 81
  expect_failure({"compare", "f32", "f64", "--arch", kWrn, "--tol", "8/0"}, 2, "8/0", "--tol");  // 81
  expect_failure(purify_with({"--steps-reverse", "-5"}), 2, "-5", "--steps-reverse");            // 82
  expect_failure(purify_with({"--t", "-1"}), 2, "-1", "--t");
  expect_failure(purify_with({"--t", "0"}), 2, "0", "--t");
  expect_failure(purify_with({"--t", "1001"}), 2, "1001", "--t");
  expect_failure(purify_with({"--t", "ten"}), 2, "ten", "--t");  // 80
  expect_failure(purify_with({"--t", "10,20"}), 2, "2 values", "one t*");
  expect_failure(purify_with({"--t", "100", "--steps-reverse", "7"}), 2, "does not divide");
  expect_failure(purify_with({"--seed", "18446744073709551616"}), 2, "18446744073709551616", "--seed");  // 83
  expect_failure(purify_with({"--seed", "1.5"}), 2, "1.5", "--seed");
  expect_failure(purify_with({"--threads", "0"}), 2, "0", "--threads");
  expect_failure(purify_with({"--noise-rng", "dice"}), 2, "dice");
  expect_failure(purify_with({"--sampler", "euler"}), 2, "euler");
  expect_failure(purify_with({"--sampler", "reverse", "--forward", "jump"}), 2, "--sampler reverse");
  expect_failure(purify_with({"--scale", "sqrt_abar"}), 2, "--scale");
  expect_failure({"explain", "--arch", "resnet-51"}, 2, "unknown architecture", "presets");
  expect_failure({"explain", "--arch", "wrn:deph=10"}, 2, "unknown key");
  EXPECT_FALSE(std::filesystem::exists("none.out.npy"));
}

TEST(CliUsage, ConfigurationFile) {
  const ScratchFolder folder;
  auto with = [&](const std::string& text) {
    spit(folder / "c.toml", text);
    return std::vector<std::string>{"compare", "f32", "f64", "--config", folder / "c.toml"};
  };
  // File values count, a command's own table wins over the top, the command line wins over both.
  EXPECT_EQ(expect_success(with("# small\narch = \"" + kWrn + "\"\n[compare]\ntol = 1e-3  # loose\n")).code, 0);
  EXPECT_EQ(run_program(with("arch = \"" + kWrn + "\"\ntol = 1\n[compare]\ntol = 1e-12\n")).code, 1);
  std::vector<std::string> line = with("arch = \"nonsense\"\n[train]\nsteps = 5\n");
  line.insert(line.end(), {"--arch", kWrn});
  EXPECT_EQ(expect_success(line).code, 0);
  expect_failure(with("arhc = \"" + kWrn + "\"\n"), 2, "unknown key 'arhc'", "line 1");  // 79
  expect_failure(with("\n[compare]\nthreads = \"many\"\n"), 2, "many", "line 3");        // 80
  expect_failure(with("tol = \"8/0\"\n"), 2, "8/0", "line 1");                           // 81
  expect_failure(with("json = 3\n"), 2, "not true or false", "line 1");                  // 80
  EXPECT_EQ(expect_success(with("arch = \"" + kWrn + "\"\njson = false\n")).out.find('{'), std::string::npos);
  EXPECT_EQ(expect_success(with("arch = \"" + kWrn + "\"\njson = true\n")).out.find('{'), 0u);
  expect_failure(with("tol = {a = 1}\n"), 2, "cannot read the value", "line 1");
  expect_failure(with("tol = 1\ntol = 2\n"), 2, "given twice", "line 2");
  expect_failure(with("[compair]\n"), 2, "no command", "line 1");
  expect_failure(with("what is this\n"), 2, "not a `key = value` line", "line 1");
  expect_failure({"compare", "f32", "f64", "--config", folder / "none.toml"}, 66, "none.toml");
}

TEST(CliUsage, ConfigurationOfPurify) {
  const ScratchFolder folder;
  spit(folder / "c.toml", "[purify]\nsteps_reverse = -5\n");  // 82
  expect_failure(purify_with({"--config", folder / "c.toml"}), 2, "-5", "line 2");
  spit(folder / "c.toml", "[purify]\nseed = [18446744073709551616]\n");  // 83
  expect_failure(purify_with({"--config", folder / "c.toml"}), 2, "18446744073709551616", "line 2");
}
