// The ADM U-Net of guided-diffusion (Dhariwal and Nichol 2021). Reads like its PyTorch original; every name is a state-dict key.
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
  const AdmUnetConfig& config;
  Builder& b;
  Value emb;  // silu(time embedding), [4 ch]

  GroupNorm norm(int channels) const { return {.channels = channels, .groups = config.groups, .eps = 1e-5}; }
  GroupNorm norm_silu(int channels) const { GroupNorm s = norm(channels); s.silu = true; return s; }
  static Conv2d pointwise(int in, int out) { return {.in = in, .out = out, .kernel = 1, .pad_before = 0, .pad_after = 0}; }

  Value resample(const std::string& name, Value x, Resample how) {
    return how == Resample::Up ? b.upsample_nearest(name, x) : how == Resample::Down ? b.avg_pool(name, x) : x;
  }

  // h = conv(R(silu(norm(x)))); with scale-shift h = norm(h) (1 + scale) + shift, else h = norm(h + e); out = skip(R(x)) + conv(silu(h)).
  Value res_block(const std::string& at, Value x, int out, Resample how = Resample::None) {
    Value h = b.group_norm(at + ".in_layers.0", x, norm_silu(x.c));
    h = resample(at + ".h_upd", h, how);
    x = resample(at + ".x_upd", x, how);
    h = b.conv2d(at + ".in_layers.2", h, {.in = x.c, .out = out}, true);
    const Value e = b.linear(at + ".emb_layers.1", emb, {.in = 4 * config.ch, .out = config.scale_shift ? 2 * out : out});
    if (config.scale_shift) {
      h = b.scale_shift(at + ".scale_shift", b.group_norm(at + ".out_layers.0", h, norm(out)), e);
      h = b.silu(at + ".out_silu", h);
    } else {
      h = b.group_norm(at + ".out_layers.0", b.add_channel(at + ".add_emb", h, e), norm_silu(out));
    }
    h = b.conv2d(at + ".out_layers.3", h, {.in = out, .out = out}, true);
    if (x.c != out) x = b.conv2d(at + ".skip_connection", x, pointwise(x.c, out), true);
    return b.add(at + ".add", x, h);
  }

  // x + proj_out(attention(qkv(norm(x)))), heads of `head` channels; q, k, v of a head lie together.
  Value attention_block(const std::string& at, Value x) {
    if (x.c % config.head != 0)
      fail(kUsage, at + ": " + std::to_string(x.c) + " channels do not divide into heads of " + std::to_string(config.head), "adm", "choose another head=");
    Value h = b.group_norm(at + ".norm", x, norm(x.c));
    h = b.conv1d(at + ".qkv", h, {.in = x.c, .out = 3 * x.c});
    h = b.attention_packed(at + ".attention", h, {.channels = x.c, .heads = x.c / config.head, .scale = 1 / std::sqrt(double(config.head))});
    h = b.conv1d(at + ".proj_out", h, {.in = x.c, .out = x.c});
    return b.add(at + ".add", x, h);
  }

  // Halves or doubles the resolution at the end of a level.
  Value change_level(const std::string& at, Value x, Resample how) {
    if (config.resblock_updown) return res_block(at, x, x.c, how);
    if (how == Resample::Down) return b.conv2d(at + ".op", x, {.in = x.c, .out = x.c, .stride = 2}, true);
    return b.conv2d(at + ".conv", b.upsample_nearest(at + ".nearest", x), {.in = x.c, .out = x.c}, true);
  }

  bool attends(Value x) const { return std::count(config.attn.begin(), config.attn.end(), config.size / x.h) > 0; }
};

void check(const AdmUnetConfig& c, int levels) {
  if (levels < 1 || levels > 10 || c.size % (1 << (levels - 1)) != 0 || c.ch % 2 != 0 || c.blocks < 1)
    fail(kUsage, "an ADM U-Net with " + std::to_string(levels) + " levels needs an even ch and a size divisible by " + std::to_string(1 << (levels - 1)),
         "adm", "for example adm:ch=32,mult=2-1,blocks=1,attn=2,head=16,size=16,learn-sigma,scale-shift,resblock-updown");
  for (int ds : c.attn)
    if (ds < 1 || ds >= 1 << levels || (ds & (ds - 1)) != 0)
      fail(kUsage, "attn=" + std::to_string(ds) + " is not a down-sampling factor of this network", "adm with " + std::to_string(levels) + " levels",
           "attention stands at factors 1, 2, 4, ... up to " + std::to_string(1 << (levels - 1)));
}

}  // namespace

Model adm_unet(const AdmUnetConfig& c) {
  const int levels = static_cast<int>(c.mult.size());
  check(c, levels);
  Builder b("adm:ch=" + std::to_string(c.ch) + ",mult=" + join(c.mult) + ",blocks=" + std::to_string(c.blocks) +
            (c.attn.empty() ? "" : ",attn=" + join(c.attn)) + ",head=" + std::to_string(c.head) + ",size=" + std::to_string(c.size) +
            (c.groups == 32 ? "" : ",groups=" + std::to_string(c.groups)) + (c.learn_sigma ? ",learn-sigma" : "") +
            (c.scale_shift ? ",scale-shift" : "") + (c.resblock_updown ? ",resblock-updown" : ""));
  const Value x = b.input(3, c.size, c.size), t = b.time();

  Unet u{c, b, {}};
  Value e = b.time_embedding("time_embed.sinusoid", t, {.dim = c.ch, .divisor = c.ch / 2, .sin_first = false});
  e = b.silu("time_embed.1", b.linear("time_embed.0", e, {.in = c.ch, .out = 4 * c.ch}));
  e = b.linear("time_embed.2", e, {.in = 4 * c.ch, .out = 4 * c.ch});
  u.emb = b.silu("emb_layers.0", e);

  const int first = c.ch * c.mult[0];
  Value h = b.conv2d("input_blocks.0.0", x, {.in = 3, .out = first}, true);
  std::vector<Value> skips = {h};
  auto input_block = [&] { return "input_blocks." + std::to_string(skips.size()) + "."; };
  for (int level = 0; level < levels; ++level) {
    for (int block = 0; block < c.blocks; ++block) {
      const std::string at = input_block();
      h = u.res_block(at + "0", h, c.ch * c.mult[level]);
      if (u.attends(h)) h = u.attention_block(at + "1", h);
      skips.push_back(h);
    }
    if (level == levels - 1) break;
    h = u.change_level(input_block() + "0", h, Resample::Down);
    skips.push_back(h);
  }

  h = u.res_block("middle_block.0", h, h.c);
  h = u.attention_block("middle_block.1", h);
  h = u.res_block("middle_block.2", h, h.c);

  for (int level = levels - 1, index = 0; level >= 0; --level)
    for (int block = 0; block <= c.blocks; ++block, ++index) {
      const std::string at = "output_blocks." + std::to_string(index) + ".";
      h = b.concat(at + "concat", h, skips.back());
      skips.pop_back();
      h = u.res_block(at + "0", h, c.ch * c.mult[level]);
      const bool attends = u.attends(h);
      if (attends) h = u.attention_block(at + "1", h);
      if (level > 0 && block == c.blocks) h = u.change_level(at + (attends ? "2" : "1"), h, Resample::Up);
    }
  PURESCOPE_REQUIRE(skips.empty());

  h = b.group_norm("out.0", h, u.norm_silu(h.c));
  return b.finish(b.conv2d("out.2", h, {.in = h.c, .out = c.learn_sigma ? 6 : 3}, true));
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
