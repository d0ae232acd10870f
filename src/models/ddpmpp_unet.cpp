// The DDPM++ "deep" network of score-SDE (Song et al. 2021; NCSNpp with biggan blocks, no FIR). All modules of the original stand in one
// list, all_modules.0, .1, ..., in the order of execution; the names here are those state-dict keys.
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

enum class Resample { None, Down, Up };

struct Unet {
  const DdpmppUnetConfig& config;
  Builder& b;
  Value temb;      // silu(time embedding), [4 nf]
  int modules = 0; // number of the next module

  std::string next() { return "all_modules." + std::to_string(modules++); }
  GroupNorm norm(int channels) const { return {.channels = channels, .groups = std::min(channels / 4, 32), .eps = 1e-6}; }
  GroupNorm norm_silu(int channels) const { GroupNorm s = norm(channels); s.silu = true; return s; }

  // (x + h) / sqrt(2).
  Value join_skip(const std::string& at, Value x, Value h) { return b.scale(at + ".rescale", b.add(at + ".add", x, h), 1 / std::sqrt(2.0)); }

  Value resample(const std::string& name, Value x, Resample how) {
    return how == Resample::Up ? b.upsample_nearest(name, x) : how == Resample::Down ? b.avg_pool(name, x) : x;
  }

  // h = Conv_1(silu(norm(Conv_0(R(silu(norm(x)))) + Dense_0(silu(temb))))); the skip is resampled raw, then Conv_2 where anything changed.
  Value res_block(Value x, int out, Resample how = Resample::None) {
    const std::string at = next();
    const int in = x.c;
    Value h = b.group_norm(at + ".GroupNorm_0", x, norm_silu(in));
    h = resample(at + ".h_resample", h, how);
    x = resample(at + ".x_resample", x, how);
    h = b.conv2d(at + ".Conv_0", h, {.in = in, .out = out}, true);
    h = b.add_channel(at + ".add_temb", h, b.linear(at + ".Dense_0", temb, {.in = 4 * config.nf, .out = out}));
    h = b.group_norm(at + ".GroupNorm_1", h, norm_silu(out));
    h = b.conv2d(at + ".Conv_1", h, {.in = out, .out = out}, true);
    if (in != out || how != Resample::None)
      x = b.conv2d(at + ".Conv_2", x, {.in = in, .out = out, .kernel = 1, .pad_before = 0, .pad_after = 0}, true);
    return join_skip(at, x, h);
  }

  // One head over all channels; NIN_0, 1, 2 give q, k, v.
  Value attention(Value x) {
    const std::string at = next();
    const Linear square{.in = x.c, .out = x.c};
    const Value h = b.group_norm(at + ".GroupNorm_0", x, norm(x.c));
    const Value q = b.nin(at + ".NIN_0", h, square), k = b.nin(at + ".NIN_1", h, square), v = b.nin(at + ".NIN_2", h, square);
    const Value o = b.attention(at + ".attention", q, k, v, {.channels = x.c, .heads = 1, .scale = 1 / std::sqrt(double(x.c))});
    return join_skip(at, x, b.nin(at + ".NIN_3", o, square));
  }

  bool attends(Value x) const { return std::count(config.attn.begin(), config.attn.end(), x.h) > 0; }
};

}  // namespace

Model ddpmpp_unet(const DdpmppUnetConfig& c) {
  const int levels = static_cast<int>(c.mult.size());
  if (levels < 1 || levels > 8 || c.size % (1 << (levels - 1)) != 0 || c.nf % 4 != 0 || c.nf < 4 || c.blocks < 1)
    fail(kUsage, "a DDPM++ network with " + std::to_string(levels) + " levels needs nf a multiple of 4 and a size divisible by " + std::to_string(1 << (levels - 1)),
         "ddpmpp", "for example ddpmpp:nf=32,mult=1-2,blocks=1,attn=8,size=16");
  Builder b("ddpmpp:nf=" + std::to_string(c.nf) + ",mult=" + join(c.mult) + ",blocks=" + std::to_string(c.blocks) +
            (c.attn.empty() ? "" : ",attn=" + join(c.attn)) + ",size=" + std::to_string(c.size));
  b.ignore("sigmas");
  const Value x = b.input(3, c.size, c.size), t = b.time();

  Unet u{c, b, {}};
  Value e = b.time_embedding("sinusoid", t, {.dim = c.nf, .divisor = c.nf / 2 - 1, .sin_first = true});
  e = b.silu("temb_silu", b.linear(u.next(), e, {.in = c.nf, .out = 4 * c.nf}));
  e = b.linear(u.next(), e, {.in = 4 * c.nf, .out = 4 * c.nf});
  u.temb = b.silu("temb_silu_out", e);

  Value h = b.conv2d(u.next(), x, {.in = 3, .out = c.nf}, true);
  std::vector<Value> skips = {h};
  for (int level = 0; level < levels; ++level) {
    for (int block = 0; block < c.blocks; ++block) {
      h = u.res_block(h, c.nf * c.mult[level]);
      if (u.attends(h)) h = u.attention(h);
      skips.push_back(h);
    }
    if (level == levels - 1) break;
    h = u.res_block(h, h.c, Resample::Down);
    skips.push_back(h);
  }

  h = u.res_block(h, h.c);
  h = u.attention(h);
  h = u.res_block(h, h.c);

  for (int level = levels - 1; level >= 0; --level) {
    for (int block = 0; block <= c.blocks; ++block) {
      h = b.concat("concat." + std::to_string(level) + "." + std::to_string(block), h, skips.back());
      skips.pop_back();
      h = u.res_block(h, c.nf * c.mult[level]);
    }
    if (u.attends(h)) h = u.attention(h);  // once per level, unlike the way down
    if (level > 0) h = u.res_block(h, h.c, Resample::Up);
  }
  PURESCOPE_REQUIRE(skips.empty());

  h = b.group_norm(u.next(), h, u.norm_silu(h.c));
  return b.finish(b.conv2d(u.next(), h, {.in = h.c, .out = 3}, true));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
