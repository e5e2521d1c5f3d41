// The arguments of an update: the optimizer with its settings, penalties and bounds.
//
// Everything here is the same for every instruction set and every number of threads. Parameters are
// updated one by one, and sums over them run over fixed ranges, added in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace glassnet {

inline constexpr double INFINITE = std::numeric_limits<double>::infinity();

// Parameters in a range. Each range has a chain of sums of its own, so that threads may divide the ranges.
inline constexpr std::size_t RANGE = 4096;

enum class Optimizer : std::uint8_t {
  sgd, rmsprop, adagrad, adadelta, adam, amsgrad, adamw, nadam, lion
};
inline constexpr const char* OPTIMIZER_NAMES[] = {"sgd",  "rmsprop", "adagrad", "adadelta", "adam",
                                                  "amsgrad", "adamw", "nadam", "lion"};
// How many values each keeps for every parameter, in the order of its `state_names`.
inline constexpr std::size_t STATE_ROWS[] = {1, 3, 1, 2, 2, 3, 2, 2, 1};

struct Rule {
  Optimizer kind = Optimizer::sgd;
  double coefficients[6] = {};  // in the order of the Python class's `coefficients`
  bool flag = false;            // nesterov, centered, epsilon_hat
  double weight_decay = 0;      // decoupled
  double clip_value = INFINITE, clip_norm = INFINITE;
  double l1 = 0, l2 = 0;
  double max_norm = INFINITE;
  double average = 0;  // what the running mean of the parameters keeps of itself; 0: there is none
  // scikit-learn's conventions, see optim/loss_conventions.py.
  bool average_penalties = false;  // a batch's penalties are divided by its weights
  double min_probability = 0;      // the least probability that the reported loss counts
  double loss_scale = 1;           // the factor of the data's loss in the reported loss

  bool clips() const { return clip_value < INFINITE || clip_norm < INFINITE; }
  bool penalizes() const { return l1 != 0 || l2 != 0; }
  bool averages() const { return average != 0; }
  // The optimizer's own, then the mean.
  std::size_t state_rows() const { return STATE_ROWS[std::size_t(kind)] + (averages() ? 1 : 0); }
};

// One update of some parameters.
template <class T> struct Step {
  const Rule* rule;
  double rate;
  std::int64_t t;      // its number, from 1
  double scale;        // of the gradient, from clip_norm
  T* theta;
  T* state;
  std::size_t stride;  // between the state's rows
  const T* gradient;   // already clipped by value
  const T* mask;       // 1 for weights, 0 for biases
};

template <class T> struct Updates {
  // Updates the parameters begin to end; each by itself, so that any split gives the same bits.
  void (*update)(const Step<T>& step, std::size_t begin, std::size_t end);
  // Adds l2 W + l1 sign(W) to the gradient, if there is one; l2/2 sum W^2 + l1 sum |W| over a range.
  double (*penalize)(const Rule& rule, const T* theta, const T* mask, T* gradient,
                     std::size_t begin, std::size_t end);
  // Clips by value, in place; the sum of squares over a range of what is left.
  double (*clip)(const Rule& rule, T* gradient, std::size_t begin, std::size_t end);
  // Scales every column of W [inputs][units] that is longer than max_norm back to it. `squares` has
  // room for `units` values.
  void (*constrain)(T* W, std::size_t inputs, std::size_t units, double max_norm, double* squares);
  // The running mean of the parameters begin to end, after an update.
  void (*average)(const Rule& rule, const T* theta, T* mean, std::size_t begin, std::size_t end);
};

// The sum over all ranges of n parameters of sum(begin, end), in order.
template <class Sum> double sum_over_ranges(std::size_t n, const Sum& sum) {
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += RANGE)
    total += sum(begin, begin + RANGE < n ? begin + RANGE : n);
  return total;
}

// What to multiply a gradient by whose squares add up to `squares`.
inline double clip_scale(const Rule& rule, double squares) {
  const double length = __builtin_sqrt(squares);
  return length > rule.clip_norm ? rule.clip_norm / length : 1.0;
}

}  // namespace glassnet
