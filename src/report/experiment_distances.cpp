// distances: how far from the clean image a chain goes, state by state, from adversarial and uniform starts.
#include <algorithm>
#include <cmath>

#include "report/experiment_curves.h"
#include "report/experiment_list.h"

namespace purescope {
namespace {

// At the start, at most on the way, at the end.
struct PapersDistances {
  double l2[3], l2_sd[3], linf[3], linf_sd[3];
};
// v2 Tables S8, S9 (CIFAR-10, DDPM, 8/255), the uniform rows under their right magnitudes. l-inf of the start: without deviation.
struct PapersWay {
  const char* start;
  PapersDistances d;
};
constexpr double kNone = kNoNumber;
constexpr PapersWay kPapers[] = {
    {"bpda", {{1.027, 8.976, 3.606}, {.023, .118, .607}, {.031, .601, .313}, {kNone, .051, .053}}},
    {"bpda-eot", {{1.072, 8.992, 3.607}, {.046, .116, .615}, {.031, .603, .316}, {kNone, .051, .053}}},
    {"pgd", {{1.077, 8.980, 3.646}, {.040, .118, .614}, {.031, .606, .317}, {kNone, .050, .055}}},
    {"pgd-eot", {{1.188, 8.999, 3.695}, {.072, .115, .617}, {.031, .606, .319}, {kNone, .050, .053}}},
    {"uniform1", {{1.004, 8.979, 3.598}, {.009, .113, .618}, {.031, .605, .314}, {kNone, .050, .052}}},
    {"uniform4", {{4.015, 9.699, 3.823}, {.034, .124, .640}, {.125, .647, .330}, {kNone, .054, .055}}},
    {"uniform8", {{8.030, 11.715, 5.258}, {.065, .145, .714}, {.251, .735, .425}, {kNone, .052, .059}}},
    {"uniform16", {{16.051, 17.622, 9.307}, {.129, .184, .581}, {.502, .941, .623}, {kNone, .057, .054}}}};
// v2 Table S7, ImageNet at 4/255 and t* 150, measured at 224 x 224.
constexpr PapersWay kPapersImageNet[] = {
    {"bpda", {{3.537, 61.116, 17.712}, {.079, .738, 4.851}, {.016, .832, .422}, {kNone, .059, .077}}},
    {"bpda-eot", {{3.772, 61.078, 17.694}, {.139, .762, 4.838}, {.016, .839, .418}, {kNone, .060, .084}}}};
constexpr double kImageNetBudget = 4 / 255.;
// v2 Table 1, PGD start, by sampler; without deviations.
struct PapersEnd {
  const char* sampler;
  PapersDistances d;
  double ssim_start, ssim_end;
};
constexpr PapersDistances ends(double l2_start, double l2_end, double linf_start, double linf_end) {
  return {{l2_start, kNone, l2_end}, {kNone, kNone, kNone}, {linf_start, kNone, linf_end}, {kNone, kNone, kNone}};
}
constexpr PapersEnd kTable1[] = {{"ddpm", ends(1.077, 3.641, .031, .316), .965, .796},
                                 {"reverse", ends(1.149, 3.078, .031, .270), .965, .837},
                                 {"ddim", ends(1.080, 2.810, .031, .242), .964, .869}};

const PapersEnd* table1(const std::string& start, const std::string& sampler) {
  for (const PapersEnd& e : kTable1)
    if (start == "pgd" && sampler == e.sampler) return &e;
  return nullptr;
}

const std::vector<std::string> kAttacks = {"pgd", "pgd-eot", "bpda", "bpda-eot"};

std::string start_words(const std::string& start, double eps) {
  if (!start.starts_with("uniform"))
    return start == "pgd" ? "PGD" : start == "pgd-eot" ? "PGD-EOT" : start == "bpda" ? "BPDA" : "BPDA-EOT";
  return "uniform " + number_words(std::stod(start.substr(7)) * eps * 255, 0) + "/255";
}

Passes walk_passes(const ExperimentOptions& o, int sampler, int t, const std::string& start) {
  const Passes chain = chain_passes(o, sampler, t);
  if (start.starts_with("uniform")) return chain;
  // BPDA runs the chain forward only; the classifier goes both ways.
  const Passes gradient = start.starts_with("bpda") ? chain + Passes{0, 0, 0, 1} : gradient_passes(o, sampler, t);
  return gradient * (o.run.pgd.steps * o.run.pgd.restarts * (start.ends_with("-eot") ? o.run.attack.eot.draws : 1.)) +
         chain * 2;
}

double at_most(const std::vector<double>& c) { return *std::max_element(c.begin(), c.end()); }

// One start at one sampler: the groups of walk:START.
struct Walk {
  std::string start;
  RecordGroup group;
  Curves place, l2, linf, ssim;
};

std::vector<Walk> walks_of(const std::vector<JsonObject>& records) {
  std::vector<std::string> starts;
  for (const JsonObject& r : records)
    if (const std::string s = r.has("start") ? r.get_string("start") : "";
        !s.empty() && std::find(starts.begin(), starts.end(), s) == starts.end())
      starts.push_back(s);
  std::sort(starts.begin(), starts.end(), [](const std::string& a, const std::string& b) {
    const bool ua = a.starts_with("uniform"), ub = b.starts_with("uniform");
    if (ua != ub) return ub;
    return ua ? std::stod(a.substr(7)) < std::stod(b.substr(7)) : a < b;
  });
  std::vector<Walk> walks;
  for (const std::string& start : starts)
    for (RecordGroup& g : record_groups(records, "walk:" + start)) {
      Walk w{start, g, curves_of(g, "place"), curves_of(g, "l2"), curves_of(g, "linf"), curves_of(g, "ssim")};
      walks.push_back(std::move(w));
    }
  return walks;
}

// The papers' row for a start: table S7 at its budget, else tables S8 and S9 for DDPM, else table 1; null if there is none.
const PapersDistances* papers_distances(const std::string& start, const std::string& sampler, double eps) {
  if (std::abs(eps - kImageNetBudget) < 1e-6) {
    for (const PapersWay& way : kPapersImageNet)
      if (start == way.start && sampler == "ddpm") return &way.d;
    return nullptr;
  }
  for (const PapersWay& way : kPapers)
    if (start == way.start && sampler == "ddpm") return &way.d;
  const PapersEnd* end = table1(start, sampler);
  return end ? &end->d : nullptr;
}

void distance_table(const std::vector<Walk>& walks, bool l2, Section& s) {
  const std::string name = l2 ? "l2" : "l-inf";
  ResultTable t{name + " distance to the clean image: at the start, at most on the way, at the end",
                std::string("Mean +- standard deviation over images, 95 % interval of the mean, [0,1] units. Papers, with their networks: CIFAR-10 (3072 "
                            "values), or at 4/255 ImageNet (150528 values)") +
                    (l2 ? "; lengths of l2 grow with the square root of the number of values." : "."),
                {{"sampler"}, {"start"}, {name + " start"}, {name + " most"}, {name + " end"},
                 {"start, papers"}, {"most, papers"}, {"end, papers"}},
                {}};
  for (const Walk& w : walks) {
    const Curves& c = l2 ? w.l2 : w.linf;
    std::vector<Cell> row = {word_cell(sampler_words(w.group.sampler)), word_cell(start_words(w.start, w.group.eps)),
                             mean_cell(column_of(c, 0)), mean_cell(per_image(c, at_most)), mean_cell(last_of(c))};
    const PapersDistances* p = papers_distances(w.start, w.group.sampler, w.group.eps);
    for (int k = 0; k < 3; ++k)
      row.push_back(p ? papers_cell(l2 ? p->l2[k] : p->linf[k], l2 ? p->l2_sd[k] : p->linf_sd[k]) : papers_cell(kNoNumber));
    t.rows.push_back(row);
  }
  s.tables.push_back(t);
}

void similarity_table(const std::vector<Walk>& walks, Section& s) {
  ResultTable t{"Structural similarity to the clean image",
                "SSIM with an 11 x 11 Gaussian window, value range 1; papers: v2 Table 1 (PGD start).",
                {{"sampler"}, {"start"}, {"SSIM start"}, {"SSIM end"}, {"SSIM start, papers"}, {"SSIM end, papers"}},
                {}};
  for (const Walk& w : walks) {
    const PapersEnd* p = table1(w.start, w.group.sampler);
    t.rows.push_back({word_cell(sampler_words(w.group.sampler)), word_cell(start_words(w.start, w.group.eps)),
                      mean_cell(column_of(w.ssim, 0)), mean_cell(last_of(w.ssim)),
                      papers_cell(p ? p->ssim_start : kNoNumber), papers_cell(p ? p->ssim_end : kNoNumber)});
  }
  s.tables.push_back(t);
}

void way_plot(const std::vector<Walk>& walks, const std::string& title, const std::string& unit, Curves Walk::*curve,
              Section& s) {
  Plot plot;
  plot.title = title;
  plot.note = sampler_words(walks[0].group.sampler) + ". Band: 95 % interval of the mean over images.";
  plot.x = {"diffusion steps: forward, then reverse"};
  plot.y = {unit};
  for (const Walk& w : walks)
    if (w.group.sampler == walks[0].group.sampler && w.group.seed == walks[0].group.seed)
      plot.series.push_back(curve_series(start_words(w.start, w.group.eps), w.place[0], w.*curve));
  s.plots.push_back(plot);
}

void distance_findings(const std::vector<Walk>& walks, Section& s) {
  std::vector<const Walk*> uniform;
  for (const Walk& w : walks) {
    const std::vector<double> start = column_of(w.l2, 0), end = last_of(w.l2);
    if (w.start.starts_with("uniform") && w.group.sampler == walks[0].group.sampler &&
        w.group.seed == walks[0].group.seed)
      uniform.push_back(&w);
    if (w.start != "pgd") continue;
    const int sign = difference_sign(start, end);
    s.findings.push_back(
        sampler_words(w.group.sampler) + ", from PGD starts: the l2 distance to the clean image goes from " +
        spread_words(start, 3) + " to " + spread_words(end, 3) +
        (sign > 0   ? ": purified images are farther from the clean image than adversarial ones, as in the papers."
         : sign < 0 ? ": purified images are nearer to the clean image than adversarial ones, unlike in the papers."
                    : ": the interval of the difference, " + difference_words(start, end, 3) + ", holds 0."));
  }
  std::string shrinking;
  for (const Walk* w : uniform)
    if (shrinking.empty() && difference_sign(column_of(w->l2, 0), last_of(w->l2)) < 0)
      shrinking = start_words(w->start, w->group.eps);
  if (uniform.size() > 1)
    s.findings.push_back(
        shrinking.empty()
            ? "None of the uniform magnitudes measured is brought nearer to the clean image by purification (" +
                  sampler_words(walks[0].group.sampler) + ")."
            : "The smallest uniform start that purification brings nearer to the clean image is " + shrinking + " (" +
                  sampler_words(walks[0].group.sampler) + ", n " + std::to_string(uniform[0]->group.records.size()) +
                  "; in the papers' tables it is 32/255, which they label 16/255).");
}

}  // namespace

std::vector<ExperimentUnit> distances_units(const ExperimentOptions& o) {
  std::vector<ExperimentUnit> units;
  const int t = single_time(o);
  for (int64_t seed : o.run.seeds)
    for (int sampler = 0; sampler < static_cast<int>(o.samplers.size()); ++sampler) {
      std::vector<std::string> starts;
      for (double m : o.inside.magnitudes)
        if (sampler == 0 || m == 1) starts.push_back("uniform" + json_number(m));
      for (const std::string& attack : kAttacks)
        if (sampler == 0 || attack == "pgd") starts.push_back(attack);
      for (const std::string& start : starts)
        units.push_back(inside_unit(o, "walk:" + start, seed, t, sampler,
                                    start.starts_with("uniform") ? o.images : o.attack_images,
                                    walk_passes(o, sampler, t, start)));
    }
  return units;
}

void distances_judge(const std::vector<JsonObject>& records, Section& s) {
  const std::vector<Walk> walks = walks_of(records);
  if (walks.empty()) return;
  distance_findings(walks, s);
  distance_table(walks, true, s);
  distance_table(walks, false, s);
  similarity_table(walks, s);
  way_plot(walks, "l2 distance to the clean image along the chain", "l2 distance, [0,1] units", &Walk::l2, s);
  way_plot(walks, "l-inf distance along the chain", "l-inf distance, [0,1] units", &Walk::linf, s);
  if (std::isfinite(mean(last_of(walks[0].ssim))))
    way_plot(walks, "Structural similarity along the chain", "SSIM", &Walk::ssim, s);
}

}  // namespace purescope
