// Architectures by name: parameter counts by formula, state-dict keys, spelled-out forms, bad input.
#include <gtest/gtest.h>

#include <set>

#include "golden_file.h"
#include "io/scratch_folder.h"

using namespace purescope;

namespace {

int64_t conv(int64_t in, int64_t out, int64_t k, bool bias) { return out * in * k * k + (bias ? out : 0); }

// Conv 3 -> w; per group n blocks of two 3 x 3 convs with batch norms (2 c each), no shortcut parameters; linear.
int64_t resnet_count(int depth, int w) {
  const int n = (depth - 2) / 6;
  int64_t total = conv(3, w, 3, false) + 2 * w, in = w;
  for (int group = 0; group < 3; ++group)
    for (int block = 0; block < n; ++block) {
      const int64_t out = w << group;
      total += conv(in, out, 3, false) + conv(out, out, 3, false) + 4 * out;
      in = out;
    }
  return total + in * 10 + 10;
}

// Conv 3 -> 16; pre-activation blocks: bn in, conv, bn out, conv, 1 x 1 shortcut where the width changes; bn; linear.
int64_t wrn_count(int depth, int widen) {
  const int n = (depth - 4) / 6;
  int64_t total = conv(3, 16, 3, false), in = 16;
  for (int group = 0; group < 3; ++group)
    for (int layer = 0; layer < n; ++layer) {
      const int64_t out = (16 << group) * widen;
      total += 2 * in + conv(in, out, 3, false) + 2 * out + conv(out, out, 3, false) +
               (in == out ? 0 : conv(in, out, 1, false));
      in = out;
    }
  return total + 2 * in + in * 10 + 10;
}

int64_t unet_block(int64_t in, int64_t out, int64_t ch) {
  return 2 * in + conv(in, out, 3, true) + 4 * ch * out + out + 2 * out + conv(out, out, 3, true) +
         (in == out ? 0 : conv(in, out, 1, true));
}
int64_t unet_attention(int64_t c) { return 2 * c + 4 * conv(c, c, 1, true); }

int64_t unet_count(int64_t ch, std::vector<int> mult, int blocks, std::set<int> attn, int size) {
  int64_t total = 4 * ch * ch + 4 * ch + 16 * ch * ch + 4 * ch + conv(3, ch, 3, true), c = ch;
  std::vector<int64_t> skips = {ch};
  for (size_t level = 0; level < mult.size(); ++level) {
    for (int block = 0; block < blocks; ++block) {
      total += unet_block(c, ch * mult[level], ch) + (attn.count(size) ? unet_attention(ch * mult[level]) : 0);
      skips.push_back(c = ch * mult[level]);
    }
    if (level + 1 == mult.size()) break;
    total += conv(c, c, 3, true);
    skips.push_back(c);
    size /= 2;
  }
  total += 2 * unet_block(c, c, ch) + unet_attention(c);
  for (int level = static_cast<int>(mult.size()) - 1; level >= 0; --level) {
    for (int block = 0; block <= blocks; ++block) {
      total += unet_block(c + skips.back(), ch * mult[level], ch) +
               (attn.count(size) ? unet_attention(ch * mult[level]) : 0);
      skips.pop_back();
      c = ch * mult[level];
    }
    if (level > 0) total += conv(c, c, 3, true);
    size *= 2;
  }
  return total + 2 * c + conv(c, 3, 3, true);
}

}  // namespace

TEST(Zoo, ParameterCounts) {
  EXPECT_EQ(make_model("ddpm-cifar10").parameter_count(), 35746307);  // as published
  EXPECT_EQ(make_model("wrn-28-10").parameter_count(), 36479194);
  EXPECT_EQ(make_model("cifar-resnet-20").parameter_count(), 269722);
  EXPECT_EQ(make_model("adm-256").parameter_count(), 552814086);
  EXPECT_EQ(make_model("resnet50").parameter_count(), 25557032);
  EXPECT_EQ(make_model("ddpmpp-cifar10").parameter_count(), 106632579);
  EXPECT_EQ(make_model("adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown").parameter_count(), 681382);
  EXPECT_EQ(make_model("resnet:stem=16,planes=8-16-24-32,layers=2-1-1-1,classes=10").parameter_count(), 57658);
  EXPECT_EQ(make_model("ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16").parameter_count(), 702499);
  EXPECT_EQ(make_model("wrn:depth=10,widen=1").parameter_count(), 77850);
  for (int depth : {20, 32, 44, 56, 110})
    EXPECT_EQ(make_model("cifar-resnet-" + std::to_string(depth)).parameter_count(), resnet_count(depth, 16)) << depth;
  EXPECT_EQ(make_model("cifar-resnet:depth=14,width=8").parameter_count(), resnet_count(14, 8));
  EXPECT_EQ(make_model("wrn:depth=16,widen=4").parameter_count(), wrn_count(16, 4));
  EXPECT_EQ(make_model("wrn-28-10").parameter_count(), wrn_count(28, 10));
  EXPECT_EQ(make_model("ddpm-cifar10").parameter_count(), unet_count(128, {1, 2, 2, 2}, 2, {16}, 32));
  EXPECT_EQ(make_model("ddpm-unet:ch=48,mult=1-2-4,blocks=3,attn=8-16,size=32,groups=16").parameter_count(),
            unet_count(48, {1, 2, 4}, 3, {8, 16}, 32));
  EXPECT_NE(unet_count(48, {1, 2, 4}, 3, {8}, 32),
            unet_count(48, {1, 2, 4}, 3, {8, 16}, 32));  // the formula sees attention
}

TEST(Zoo, KeysOfTheOriginals) {
  std::set<std::string> unet, wrn, resnet;
  for (const ParamInfo& p : make_model("ddpm-cifar10").params) unet.insert(p.key);
  for (const ParamInfo& p : make_model("wrn-28-10").params) wrn.insert(p.key);
  for (const ParamInfo& p : make_model("cifar-resnet-20").params) resnet.insert(p.key);
  for (const char* key : {"temb.dense.0.weight", "conv_in.bias", "down.1.attn.1.proj_out.weight",
                          "down.2.downsample.conv.weight", "mid.attn_1.q.bias", "up.1.block.2.nin_shortcut.weight",
                          "up.3.upsample.conv.bias", "norm_out.weight", "conv_out.weight"})
    EXPECT_EQ(unet.count(key), 1u) << key;
  for (const char* key : {"conv1.weight", "block1.layer.0.convShortcut.weight", "block3.layer.3.bn2.running_var",
                          "bn1.bias", "fc.weight"})
    EXPECT_EQ(wrn.count(key), 1u) << key;
  for (const char* key :
       {"conv1.weight", "bn1.running_mean", "layer2.0.conv1.weight", "layer3.2.bn2.bias", "linear.bias"})
    EXPECT_EQ(resnet.count(key), 1u) << key;
  EXPECT_EQ(wrn.count("conv1.bias") + resnet.count("layer2.0.shortcut.weight"), 0u);
}

// The spelled-out form of a model names the same model again.
TEST(Zoo, SpelledOutFormIsReadAgain) {
  std::vector<std::string> names = preset_names();
  for (const char* form :
       {"ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4-8,size=8,groups=4", "wrn:depth=16,widen=2,classes=4,size=16",
        "cifar-resnet:depth=8,width=4,classes=4,size=16", "ddpm-unet:ch=32,mult=1,blocks=2,size=8",
        "adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown",
        "adm:ch=16,mult=1-2,blocks=1,head=8,size=8,groups=8", "resnet:stem=8,planes=4-8,layers=1-2,classes=4,size=20",
        "ddpmpp:nf=16,mult=1-2,blocks=1,attn=8-4,size=8"})
    names.push_back(form);
  for (const std::string& name : names) {
    const Model first = make_model(name), second = make_model(first.arch);
    EXPECT_EQ(first.arch, second.arch);
    ASSERT_EQ(first.params.size(), second.params.size()) << name;
    for (size_t i = 0; i < first.params.size(); ++i) {
      EXPECT_EQ(first.params[i].key, second.params[i].key);
      EXPECT_EQ(first.params[i].shape, second.params[i].shape);
    }
    EXPECT_EQ(first.steps.size(), second.steps.size());
    EXPECT_EQ(is_purifier(first), name.rfind("ddpm", 0) == 0 || name.rfind("adm", 0) == 0) << name;
  }
}

TEST(Zoo, BadArchitecturesExit2WithASuggestion) {
  for (const char* arch : {"",
                           "resnet-20",
                           "wrn-28-11",
                           "DDPM-CIFAR10",
                           "ddpm-unet:ch=abc",
                           "ddpm-unet:ch",
                           "ddpm-unet:ch=32,width=3",
                           "ddpm-unet:ch=-4",
                           "ddpm-unet:ch=0",
                           "ddpm-unet:ch=32-64",
                           "ddpm-unet:ch=33,mult=1,blocks=1,size=8",
                           "ddpm-unet:ch=32,mult=1-2-2,blocks=1,size=10",
                           "ddpm-unet:ch=48,mult=1-2,blocks=1,size=16",
                           "wrn:depth=11,widen=1",
                           "wrn:depth=10,widen=0",
                           "wrn:depth=4",
                           "wrn:depth=10,size=30",
                           "cifar-resnet:depth=21",
                           "cifar-resnet:depth=2",
                           "adm:ch=32,mult=1,blocks=1,head=16,size=8,learn-sigmas",
                           "adm:ch=32,mult=1-1,blocks=1,attn=3,head=16,size=8",
                           "resnet:stem=8,planes=4-8,layers=1,classes=4",
                           "ddpmpp:nf=30,mult=1,blocks=1,size=8",
                           "cifar-resnet:depth=99999999999"}) {
    std::string message;
    EXPECT_EQ(exit_code_of([&] { make_model(arch); }, &message), kUsage) << "'" << arch << "'";
    EXPECT_TRUE(message.find("cifar") != std::string::npos || message.find("ddpm-unet:") != std::string::npos ||
                message.find("wrn:") != std::string::npos || message.find("adm") != std::string::npos ||
                message.find("resnet:") != std::string::npos || message.find("ddpmpp:") != std::string::npos || message.find("groups") != std::string::npos) << message;
  }
  EXPECT_EQ(exit_code_of([] { make_model("wrn:depth=10,widen=1"); }), 0);  // a good one passes
}

// An even ch of 2 makes the divisor of the time embedding, ch / 2 - 1, zero: the output would be NaN.
TEST(Zoo, ArchitecturesThatCannotWorkExit2) {
  EXPECT_EQ(exit_code_of([] { make_model("ddpm-unet:ch=2,mult=1,blocks=1,size=4,groups=2"); }), kUsage);
  // No level of this network has resolution 7 (it has 8 and 4): the attention asked for would silently not be there.
  EXPECT_EQ(exit_code_of([] { make_model("ddpm-unet:ch=8,mult=1-2,blocks=1,attn=7,size=8,groups=4"); }), kUsage);
}
