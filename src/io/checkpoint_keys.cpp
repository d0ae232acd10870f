#include "io/checkpoint_keys.h"

#include <algorithm>
#include <unordered_set>

#include "core/check.h"
#include "io/text.h"

namespace purescope {

namespace {

bool starts_with(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// "ema.shadow_params.3": a list entry has no name of its own.
bool is_unnamed(const std::string& name) {
  const size_t dot = name.rfind('.');
  return starts_with(name, "ema.shadow_params.") && name.find_first_not_of("0123456789", dot + 1) == name.npos;
}

bool has_section(const Checkpoint& c, const std::string& section) {
  if (std::find(c.sections.begin(), c.sections.end(), section) == c.sections.end()) return false;
  return std::any_of(c.tensors.begin(), c.tensors.end(),
                     [&](const auto& t) { return starts_with(t.name, section + "."); });
}

std::string choose(const Checkpoint& c, const std::string& take) {
  const std::vector<std::string> known = {"state_dict", "model", "ema"};
  if (take != "auto") {
    if (std::find(known.begin(), known.end(), take) == known.end())
      fail(kUsage, "unknown part of a checkpoint: " + printable(take), c.path,
           "take auto, state_dict, model, ema or none");
    if (has_section(c, take)) return take;
    std::string list;
    for (const std::string& s : c.sections) list.append(list.empty() ? "" : ", ").append(printable(s));
    fail(kBadInput, "the checkpoint has no part named " + take, c.path,
         "its parts: " + (list.empty() ? "none, the tensors lie at the top" : list));
  }
  for (const std::string& section : known) {
    const bool named = std::any_of(c.tensors.begin(), c.tensors.end(), [&](const auto& t) {
      return starts_with(t.name, section + ".") && !is_unnamed(t.name);
    });
    if (named && has_section(c, section)) return section;
  }
  return "";
}

}  // namespace

std::string KeyChoice::text() const {
  std::string text = section.empty() ? "whole file" : "part " + section;
  text += ": " + std::to_string(kept) + " tensors kept, " + std::to_string(left_out) + " left out";
  for (const auto& [prefix, count] : stripped) text += "; prefix " + prefix + " removed from " + std::to_string(count);
  return text;
}

KeyChoice clean_keys(Checkpoint& c, const std::string& take) {
  KeyChoice choice;
  choice.kept = c.tensors.size();
  if (take == "none") return choice;
  choice.section = choose(c, take);
  if (!choice.section.empty()) {
    const std::string prefix = choice.section + ".";
    std::erase_if(c.tensors, [&](const CheckpointTensor& t) { return !starts_with(t.name, prefix); });
    for (CheckpointTensor& t : c.tensors)
      if (!is_unnamed(t.name)) t.name.erase(0, prefix.size());
  }
  choice.left_out = choice.kept - c.tensors.size();
  choice.kept = c.tensors.size();
  for (const std::string prefix : {"module.", "model."}) {
    size_t count = 0;
    for (CheckpointTensor& t : c.tensors)
      if (starts_with(t.name, prefix) && t.name.size() > prefix.size()) { t.name.erase(0, prefix.size()); ++count; }
    if (count) choice.stripped.emplace_back(prefix, count);
  }
  std::unordered_set<std::string> seen;
  for (const CheckpointTensor& t : c.tensors)
    if (!seen.insert(t.name).second)
      fail(kBadInput, "two tensors are named " + printable(t.name) + " after their prefixes are removed", c.path,
           "convert with the raw names (take none)");
  return choice;
}

}  // namespace purescope
