// The DDPM U-Net. Reads like its PyTorch original; every name is a state-dict key.
#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "models/zoo.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {
namespace {

std::string join(const std::vector<int>& values) {
  std::string text;
  for (int v : values) text += (text.empty() ? "" : "-") + std::to_string(v);
  return text;
}

struct Unet {
  const DdpmUnetConfig& config;
  Builder& b;
  Value temb;  // silu(time embedding), [4 ch]

  GroupNorm norm(int channels) const { return {.channels = channels, .groups = config.groups, .eps = 1e-6}; }
  GroupNorm norm_silu(int channels) const { GroupNorm s = norm(channels); s.silu = true; return s; }

  // h = conv2(silu(norm2(conv1(silu(norm1(x))) + temb_proj(silu(temb))))); x (or nin_shortcut(x)) + h.
  Value resnet_block(const std::string& at, Value x, int out) {
    Value h = b.group_norm(at + ".norm1", x, norm_silu(x.c));
    h = b.conv2d(at + ".conv1", h, {.in = x.c, .out = out}, true);
    h = b.add_channel(at + ".add_temb", h, b.linear(at + ".temb_proj", temb, {.in = 4 * config.ch, .out = out}));
    h = b.group_norm(at + ".norm2", h, norm_silu(out));
    h = b.conv2d(at + ".conv2", h, {.in = out, .out = out}, true);
    if (x.c != out) x = b.conv2d(at + ".nin_shortcut", x, {.in = x.c, .out = out, .kernel = 1, .pad_before = 0, .pad_after = 0}, true);
    return b.add(at + ".add", x, h);
  }

  // x + proj_out(attention(q, k, v of norm(x))), one head over all channels.
  Value attn_block(const std::string& at, Value x) {
    const Conv2d pointwise{.in = x.c, .out = x.c, .kernel = 1, .pad_before = 0, .pad_after = 0};
    const Value h = b.group_norm(at + ".norm", x, norm(x.c));
    const Value q = b.conv2d(at + ".q", h, pointwise, true);
    const Value k = b.conv2d(at + ".k", h, pointwise, true);
    const Value v = b.conv2d(at + ".v", h, pointwise, true);
    Value o = b.attention(at + ".attention", q, k, v, {.channels = x.c, .heads = 1, .scale = 1 / std::sqrt(double(x.c))});
    o = b.conv2d(at + ".proj_out", o, pointwise, true);
    return b.add(at + ".add", x, o);
  }

  bool attends(int resolution) const { return std::count(config.attn.begin(), config.attn.end(), resolution) > 0; }
};

}  // namespace

Model ddpm_unet(const DdpmUnetConfig& c) {
  const int levels = static_cast<int>(c.mult.size());
  if (levels < 1 || levels > 8 || c.size % (1 << (levels - 1)) != 0 || c.ch % 2 != 0 || c.ch < 4 || c.blocks < 1)
    fail(kUsage, "a U-Net with " + std::to_string(levels) + " levels needs an even ch of at least 4 and a size divisible by " + std::to_string(1 << (levels - 1)),
         "ddpm-unet", "for example ddpm-unet:ch=32,mult=1-2,blocks=1,attn=8,size=16");
  for (int at : c.attn) {
    bool level = false;
    for (int k = 0; k < levels; ++k) level = level || c.size >> k == at;
    if (!level)
      fail(kUsage, "attn=" + std::to_string(at) + " is not a resolution of this network", "ddpm-unet with size=" + std::to_string(c.size),
           "attention stands at " + std::to_string(c.size) + " or a halving of it that a level has");
  }
  Builder b("ddpm-unet:ch=" + std::to_string(c.ch) + ",mult=" + join(c.mult) + ",blocks=" + std::to_string(c.blocks) +
            (c.attn.empty() ? "" : ",attn=" + join(c.attn)) + ",size=" + std::to_string(c.size) +
            (c.groups == 32 ? "" : ",groups=" + std::to_string(c.groups)));
  const Value x = b.input(3, c.size, c.size), t = b.time();

  Unet u{c, b, {}};
  Value e = b.time_embedding("temb.sinusoid", t, {.dim = c.ch, .divisor = c.ch / 2 - 1, .sin_first = true});
  e = b.linear("temb.dense.0", e, {.in = c.ch, .out = 4 * c.ch});
  e = b.silu("temb.silu", e);
  e = b.linear("temb.dense.1", e, {.in = 4 * c.ch, .out = 4 * c.ch});
  u.temb = b.silu("temb.silu_out", e);

  Value h = b.conv2d("conv_in", x, {.in = 3, .out = c.ch}, true);
  std::vector<Value> skips = {h};
  for (int level = 0; level < levels; ++level) {
    const std::string down = "down." + std::to_string(level);
    for (int block = 0; block < c.blocks; ++block) {
      h = u.resnet_block(down + ".block." + std::to_string(block), h, c.ch * c.mult[level]);
      if (u.attends(h.h)) h = u.attn_block(down + ".attn." + std::to_string(block), h);
      skips.push_back(h);
    }
    if (level == levels - 1) break;
    h = b.conv2d(down + ".downsample.conv", h, {.in = h.c, .out = h.c, .stride = 2, .pad_before = 0, .pad_after = 1}, true);
    skips.push_back(h);
  }

  h = u.resnet_block("mid.block_1", h, h.c);
  h = u.attn_block("mid.attn_1", h);
  h = u.resnet_block("mid.block_2", h, h.c);

  for (int level = levels - 1; level >= 0; --level) {
    const std::string up = "up." + std::to_string(level);
    for (int block = 0; block <= c.blocks; ++block) {
      h = b.concat(up + ".concat." + std::to_string(block), h, skips.back());
      skips.pop_back();
      h = u.resnet_block(up + ".block." + std::to_string(block), h, c.ch * c.mult[level]);
      if (u.attends(h.h)) h = u.attn_block(up + ".attn." + std::to_string(block), h);
    }
    if (level == 0) break;
    h = b.upsample_nearest(up + ".upsample.nearest", h);
    h = b.conv2d(up + ".upsample.conv", h, {.in = h.c, .out = h.c}, true);
  }
  PURESCOPE_REQUIRE(skips.empty());

  h = b.group_norm("norm_out", h, u.norm_silu(h.c));
  return b.finish(b.conv2d("conv_out", h, {.in = h.c, .out = 3}, true));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
