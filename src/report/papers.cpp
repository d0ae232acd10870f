#include "report/papers.h"

#include <map>

namespace purescope {
namespace {

struct Row { const char* sampler; int t; double rate, pgd_fixed; };
// v2 Table 2; t* 200 and 300: v1 section 5.
constexpr Row kTable2[] = {
    {"ddpm", 10, .552, 0.1},    {"ddpm", 20, .420, 1.0},    {"ddpm", 50, .299, 8.6},     {"ddpm", 100, .231, 23.7},    {"ddpm", 150, .201, 35.3},
    {"ddpm", 200, .187, 39.5},  {"ddpm", 300, .185, 40.2},  {"reverse", 10, .461, 0.6},  {"reverse", 20, .355, 3.5},   {"reverse", 50, .248, 18.5},
    {"reverse", 100, .195, 34.9}, {"reverse", 150, .177, 43.0}, {"reverse", 200, .174, 46.5}, {"reverse", 300, .200, 42.6}, {"ddim", 10, .641, 0.1},
    {"ddim", 20, .499, 0.4},    {"ddim", 50, .364, 2.2},    {"ddim", 100, .281, 10.9},   {"ddim", 150, .241, 15.6}};

const Row* find_row(const std::string& sampler, int t) {
  for (const Row& r : kTable2)
    if (sampler == r.sampler && t == r.t) return &r;
  return nullptr;
}

}  // namespace

PapersNumber papers_rate(const std::string& sampler, int t) {
  const Row* r = find_row(sampler, t);
  return r ? PapersNumber{r->rate} : PapersNumber{};
}

PapersNumber papers_pgd_fixed(const std::string& sampler, int t) {
  const Row* r = find_row(sampler, t);
  return r ? PapersNumber{r->pgd_fixed} : PapersNumber{};
}

std::vector<int> papers_times(const std::string& sampler) {
  std::vector<int> times;
  for (const Row& r : kTable2)
    if (sampler == r.sampler) times.push_back(r.t);
  return times;
}

PapersPrediction papers_prediction(const std::string& sampler, bool imagenet) {
  static const std::map<std::string, PapersPrediction> cifar = {{"ddpm", {{85.5}, {.231, .046}, {27.8}, {26.0}, {23.7}}},
                                                               {"reverse", {{87.2}, {.195, .046}, {45.3}, {40.9}, {34.9}}},
                                                               {"ddim", {{87.5}, {.281, .048}, {10.2}, {10.6}, {10.9}}}};
  static const std::map<std::string, PapersPrediction> large = {{"ddpm", {{73.6}, {.147, .070}, {46.1}, {42.2}, {}}},
                                                               {"vpsde", {{75.4}, {.165, .059}, {40.1}, {38.0}, {}}},
                                                               {"dpm20", {{59.8}, {.337, .015}, {1.0}, {0.5}, {}}}};
  const auto& table = imagenet ? large : cifar;
  const auto found = table.find(sampler);
  return found == table.end() ? PapersPrediction{} : found->second;
}

PapersNumber papers_rate_by_magnitude(int of255) {
  static const std::map<int, PapersNumber> table = {{2, {.230, .047}}, {4, {.230, .046}}, {8, {.231, .046}}, {16, {.239, .049}}, {32, {.268, .057}}};
  const auto found = table.find(of255);
  return found == table.end() ? PapersNumber{} : found->second;
}

PapersNumber papers_rate_by_seed(int64_t seed) {
  static const std::map<int64_t, PapersNumber> table = {{0, {.2306, .0457}}, {123, {.2309, .0481}}, {295, {.2312, .0481}}};
  const auto found = table.find(seed);
  return found == table.end() ? PapersNumber{} : found->second;
}

PapersAdversarialRates papers_adversarial_rates(const std::string& sampler) {
  static const std::map<std::string, PapersAdversarialRates> table = {{"ddpm", {{.798, .124}, {.989, .201}, {.231, .046}}},
                                                                     {"reverse", {{.738, .106}, {.864, .151}, {.195, .046}}},
                                                                     {"ddim", {{.717, .119}, {.815, .140}, {.281, .048}}}};
  const auto found = table.find(sampler);
  return found == table.end() ? PapersAdversarialRates{} : found->second;
}

PapersNumber papers_randomness(const std::string& headline, bool imagenet) {
  static const std::map<std::string, PapersNumber> cifar = {{"clean, fixed", {85.8, 0.4}},  {"clean, free", {86.0, 0.8}},  {"robust, fixed", {23.7, 0.7}},
                                                            {"robust, free", {71.9, 0.2}},  {"robust, eot:15", {59.3}},    {"robust, transfer", {77.4, 0.36}}};
  static const std::map<std::string, PapersNumber> large = {{"clean, fixed", {68.5, 0.8}},  {"clean, free", {67.2, 2.4}},  {"robust, fixed", {29.5, 0.4}},
                                                            {"robust, free", {63.7, 1.2}},  {"robust, eot:15", {59.0}},    {"robust, transfer", {66.3, 2.32}}};
  const auto& table = imagenet ? large : cifar;
  const auto found = table.find(headline);
  return found == table.end() ? PapersNumber{} : found->second;
}

PapersNumber papers_correlation(const std::string& set) {
  if (set == "other") return {.0818, .0709};
  if (set.starts_with("eot")) return {.1682, .0976};
  return {};
}

}  // namespace purescope
