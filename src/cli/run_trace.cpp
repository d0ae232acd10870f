#include "cli/run_trace.h"

#include <algorithm>

#include "cli/commands.h"

namespace purescope {
inline namespace PURESCOPE_REAL_NS {

Trace trace_network(const LoadedNet& loaded, View x, const std::vector<int64_t>& t) {
  Net net = loaded.make_net();
  net.plan(x.n, Mode::Forward);
  transfer(x, net.input());
  if (loaded.model.time >= 0) {
    std::vector<real> times;
    for (int n = 0; n < x.n; ++n) times.push_back(static_cast<real>(t[t.size() == 1 ? 0 : n]));
    from_host(times.data(), net.time());
  }
  Trace trace;
  net.on_step = [&](int i) {
    const Step& s = loaded.model.steps[i];
    const View v = net.value(s.out);
    const std::vector<real> values = to_host(v);
    trace.push_back(
        {s.name, op_name(s), source_line(s.file, s.line), {v.n, v.c, v.h, v.w}, {values.begin(), values.end()}});
  };
  net.forward();
  return trace;
}

// The trace that `compare` asks for: --input, or value i = formula of the name "input" (in [0, 1] for classifiers, else
// unit variance).
Trace trace_for_compare(const CompareOptions& o) {
  const LoadedNet loaded = load_network(o.net, o.common);
  std::vector<int64_t> t = o.t;
  if (t.empty()) t = {37};
  if (!o.input.empty()) {
    const Buffer x = read_images(o.input, loaded.image(), "--input", o.common, false);
    return trace_network(loaded, x.view(), t);
  }
  const ValueInfo image = loaded.image();
  Buffer x(1, image.c, image.h, image.w, Device::Cpu);
  const bool diffusion = is_purifier(loaded.model);
  for (size_t i = 0; i < x.size(); ++i)
    x.data()[i] = diffusion ? formula_value("input", i, 0, 1.7320508075688772) : formula_value("input", i, 0.5, 0.5);
  return trace_network(loaded, x.view(), t);
}

}  // namespace PURESCOPE_REAL_NS
}  // namespace purescope
