// What the checks say of a network and of an optimizer.
#pragma once

#include <sstream>

#include "checks.hpp"
#include "host/problem.hpp"

namespace glassnet {

inline std::string name_of(const Shape& shape) {
  std::ostringstream name;
  for (std::size_t l = 0; l < shape.sizes.size(); ++l) name << (l > 0 ? "-" : "") << shape.sizes[l];
  for (Activation activation : shape.activations) name << ' ' << ACTIVATION_NAMES[int(activation)];
  name << ' ' << LOSS_NAMES[int(shape.loss)] << " n=" << shape.samples;
  if (shape.labels) name << " labels";
  if (shape.weighted) name << " weighted";
  for (double p : shape.dropout) name << " dropout=" << p;
  return name.str();
}

inline std::string name_of(const Rule& rule) {
  return std::string(OPTIMIZER_NAMES[int(rule.kind)]) + (rule.flag ? " flag" : "");
}

// Every optimizer, with its flag and without, and every penalty and bound.
inline std::vector<Rule> every_rule() {
  std::vector<Rule> all;
  for (std::size_t kind = 0; kind < std::size(OPTIMIZER_NAMES); ++kind)
    for (bool flag : {false, true})
      all.push_back({Optimizer(kind), {0.9, 0.99, 1e-8, 0.004}, flag, 0.01, 0.5, 0.1, 1e-3, 1e-2, 1.5});
  return all;
}

inline double setting_of(Loss loss) {
  return loss == Loss::huber ? 0.5 : loss == Loss::quantile ? 0.9 : 0;
}
// Counts near 0 pull outputs down; a step as large as the others' would throw e^z up first.
inline double rate_for(Loss loss) { return loss == Loss::poisson ? 1e-3 : 0.02; }

}  // namespace glassnet
