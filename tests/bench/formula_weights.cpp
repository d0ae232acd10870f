// formula_weights ARCH FILE.safetensors INPUT.npy: writes a network with weights from the formula (net/params.h) as a file, with its
// architecture in the metadata, and one image in [0, 1] of its input size. For measurements that need real files.
#include <cstdio>

#include "core/check.h"
#include "io/npy.h"
#include "models/zoo.h"
#include "net/params.h"

using namespace purescope;

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: formula_weights ARCH FILE.safetensors INPUT.npy\n"), kUsage;
  try {
    const Model model = make_model(argv[1]);
    Params params(model);
    fill_by_formula(params, model);
    save_params(params, model, argv[2], {{"arch", model.arch}});
    const ValueInfo in = model.values[model.input];
    std::vector<float> x(static_cast<size_t>(in.c) * in.h * in.w);
    for (size_t i = 0; i < x.size(); ++i) x[i] = formula_value("input", i, 0.5, 0.5);
    write_npy(argv[3], {1, in.c, in.h, in.w}, x.data());
  } catch (const Error& e) {
    std::fprintf(stderr, "%s\n", e.message().c_str());
    return e.code;
  }
  return 0;
}
