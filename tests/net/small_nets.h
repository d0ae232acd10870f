// The networks that the tests of this folder work on: small, odd in every size, together with every kind of step and of
// fan-in.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "golden_file.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

// Every kind of step once or more, on 7 x 5 images: a value with three readers, x + x, an attention whose inputs share
// a reader, a value that only the time leads to, concat of one value with itself.
inline Model mixed_model(bool relu) {
  Builder b(relu ? "mixed-relu" : "mixed-smooth");
  const Value x = b.input(3, 7, 5), t = b.time();
  Value e = b.time_embedding("sinusoid", t, {.dim = 6, .divisor = 2, .sin_first = true});
  e = b.silu("e_silu", b.linear("e", e, {.in = 6, .out = 4}));
  Value h = b.normalize("normalize", x, {{0.5f, 0.4f, 0.3f}, {0.25f, 0.5f, 0.75f}});
  h = b.conv2d("conv_in", h, {.in = 3, .out = 4}, true);
  h = b.add_channel("add_time", h, e);
  const Value n = b.group_norm("norm", h, {.channels = 4, .groups = 2, .eps = 1e-6});
  const Conv2d pointwise{.in = 4, .out = 4, .kernel = 1, .pad_before = 0, .pad_after = 0};
  const Value q = b.conv2d("q", n, pointwise, true), k = b.conv2d("k", n, pointwise, false);
  Value o = b.attention("attention", q, k, n, {.channels = 4, .heads = 2, .scale = 0.7});
  h = b.add("residual", h, o);
  h = b.add("twice", h, h);
  h = b.batch_norm("bn", h, {.channels = 4, .eps = 1e-5});
  h = relu ? b.relu("act", h) : b.silu("act", h);
  Value s = b.subsample_pad("subsample", h, {.stride = 2, .before = 1, .after = 1});  // 6 x 4 x 3
  Value d = b.conv2d("down", h, {.in = 4, .out = 6, .stride = 2}, false);
  h = b.concat("concat", b.add("join", s, d), d);
  h = b.upsample_nearest("up", b.concat("same", h, h));  // 24 x 8 x 6
  h = b.conv2d("mix", h, {.in = 24, .out = 5, .stride = 2, .pad_before = 0, .pad_after = 1}, true);
  h = relu ? b.relu("act2", h) : b.silu("act2", h);
  return b.finish(b.linear("head", b.global_avg_pool("pool", h), {.in = 5, .out = 7}));
}

struct NamedModel { std::string name; std::function<Model()> make; bool smooth; };

inline std::vector<NamedModel> small_models() {
  return {
      {"mixed_smooth", [] { return mixed_model(false); }, true},
      {"mixed_relu", [] { return mixed_model(true); }, false},
      {"unet", [] { return make_model("ddpm-unet:ch=8,mult=1-2,blocks=1,attn=4,size=8,groups=4"); }, true},
      {"unet_3_levels", [] { return make_model("ddpm-unet:ch=12,mult=1-1-2,blocks=2,attn=3-12,size=12,groups=3"); },
       true},
      {"wrn", [] { return make_model("wrn:depth=10,widen=1,size=12,classes=5"); }, false},
      {"resnet", [] { return make_model("cifar-resnet:depth=8,width=6,size=12"); }, false},
      {"adm", [] { return make_model("adm:ch=8,mult=1-2,blocks=1,attn=1-2,head=4,size=8,groups=4,learn-sigma,scale-shift,resblock-updown"); },
       true},
      {"ddpmpp", [] { return make_model("ddpmpp:nf=8,mult=1-2,blocks=1,attn=8,size=8"); }, true},
      {"bottleneck", [] { return make_model("resnet:stem=6,planes=3-5,layers=1-2,classes=4,size=20"); }, false},
      {"resnet_batch_statistics", [] { return make_model("cifar-resnet:depth=8,width=6,size=12", true); }, false},
  };
}

struct Pass { std::vector<real> out, dx; std::vector<std::vector<real>> dparams; };

// Forward and (unless the plan is Forward) backward of images first, first + 1, ...
inline Pass run_pass(Net& net, int first_image = 0) {
  Pass pass;
  fill_inputs(net, first_image);
  net.forward();
  pass.out = values_of(net.output());
  if (net.current_plan().mode == Mode::Forward) return pass;
  if (net.current_plan().mode == Mode::Training) net.grads().fill_zero();
  fill_cotangent(net, first_image);
  net.backward();
  pass.dx = values_of(net.input_grad());
  if (net.current_plan().mode == Mode::Training)
    for (int p = 0; p < net.grads().count(); ++p) pass.dparams.push_back(values_of(net.grads().view(p)));
  return pass;
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
