// The base of full-batch and batch training: memory, the network's shape, its targets, and how a call ends.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "host/isa.hpp"
#include "host/team.hpp"

namespace glassnet {

// Zeroed memory that begins at a line's boundary.
template <class T> class Aligned {
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  std::unique_ptr<T, Free> memory;

 public:
  Aligned() = default;
  explicit Aligned(std::size_t n)
      : memory(static_cast<T*>(::operator new(std::max<std::size_t>(n, 1) * sizeof(T),
                                              std::align_val_t(64)))) {
    std::memset(static_cast<void*>(memory.get()), 0, n * sizeof(T));
  }
  T* get() const { return memory.get(); }
};

struct Shape {
  std::vector<std::size_t> sizes;
  std::vector<Activation> activations;
  Loss loss;
  std::size_t samples;
  bool labels, weighted;
  double loss_setting = 0;  // see Plan
  std::vector<double> dropout = {};  // each hidden layer's probability, or none at all
  std::size_t whole = 0;  // of a partial problem: the number of all samples; else 0

  // Whether hidden layer l keeps its derivative in a panel: its output times a mask does not give it.
  bool keeps_slope(std::size_t l) const {
    return stores_slope(activations[l - 1]) || (!dropout.empty() && dropout[l - 1] > 0);
  }
  std::vector<Drop> drops() const {
    std::vector<Drop> all;
    for (double p : dropout) all.push_back({std::uint64_t(std::ceil(p * 0x1p32)), 1 / (1 - p)});
    return all;
  }
};

// Which masks a training pass draws. Masks are numbered from 1; number 0 is a pass without.
struct Draw {
  std::uint64_t seed = 0, number = 0;
};

// Targets as the kernel wants them: one class of a pair, and labels smoothed, but for class numbers of
// three classes and more, which stay numbers.
template <class T> class PackedTargets {
  const std::int64_t* labels;
  const T* y;
  std::size_t outputs, first;
  T keep = 1, share = 0;

 public:
  PackedTargets(const Shape& shape, bool pair, const std::int64_t* labels, const T* y)
      : labels(labels), y(y), outputs(shape.sizes.back()), first(pair ? 1 : 0) {
    const bool numbers = shape.labels && !pair;
    if (shape.loss != Loss::cross_entropy || numbers || shape.loss_setting == 0) return;
    keep = T(1 - shape.loss_setting);
    share = T(shape.loss_setting / double(outputs));
  }
  T operator()(std::size_t row, std::size_t k) const {
    return keep * (labels ? T(labels[row]) : y[row * outputs + first + k]) + share;
  }
};

// Whether that byte is set, which another thread may be doing right now.
inline bool is_set(const std::uint8_t* stop) { return stop && __atomic_load_n(stop, __ATOMIC_RELAXED) != 0; }

struct Outcome {
  std::size_t updates = 0;
  bool diverged = false;
};

// What the full batch and batches have in common: the network as the kernels see it.
template <class T> class Net {
 protected:
  Shape shape;
  // A softmax over two classes depends on the difference of its two Z alone, so the kernel gets one
  // output, with binary cross-entropy, whose weights are that difference.
  bool pair;
  std::vector<std::size_t> widths;   // the kernel's
  std::vector<std::size_t> offsets;  // of each layer's parameters, from 1; its end is the next one's begin
  std::size_t n_parameters, target_rows;
  std::vector<Drop> drops;
  Aligned<T> mask;  // 1 for weights, 0 for biases
  Isa isa;

  Net(Shape given, const std::string& isa_name)
      : shape(std::move(given)),
        pair(shape.loss == Loss::cross_entropy && shape.sizes.back() == 2),
        widths(shape.sizes),
        drops(shape.drops()),
        isa(choose_isa(isa_name)) {
    if (pair) widths.back() = 1;
    target_rows = shape.labels ? 1 : widths.back();
    offsets.assign(2, 0);
    for (std::size_t l = 1; l < shape.sizes.size(); ++l)
      offsets.push_back(offsets[l] + (shape.sizes[l - 1] + 1) * shape.sizes[l]);
    n_parameters = offsets.back();
    mask = Aligned<T>(n_parameters);
    for (std::size_t l = 1; l < shape.sizes.size(); ++l)
      std::fill_n(mask.get() + offsets[l], shape.sizes[l - 1] * shape.sizes[l], T(1));
  }

  std::size_t layers() const { return widths.size() - 1; }
  // The kernel's loss.
  Loss loss_kind() const { return pair ? Loss::binary_cross_entropy : shape.loss; }
  // The terms of the loss's second derivative by Z.
  std::size_t factors() const { return loss_kind() == Loss::cross_entropy ? widths.back() - 1 : widths.back(); }
  // Weights and bias of each output of the last layer.
  std::size_t last_units() const { return widths[widths.size() - 2] + 1; }
  // The kernel's last layer of a pair of classes.
  void last_of_pair(const T* theta, T* to) const {
    const T* from = theta + offsets[layers()];
    for (std::size_t i = 0; i < last_units(); ++i) to[i] = from[2 * i + 1] - from[2 * i];
  }
  const Updates<T>& updates() const { return isa.template kernels<T>().updates; }

 public:
  const char* isa_name() const { return isa.name; }
  const Shape& description() const { return shape; }
  std::size_t parameters() const { return n_parameters; }

  // Update number t of parameters and the optimizer's state, [the rule's state_rows][parameters]. Clips the
  // gradient in place. `squares` has room for as many values as the widest layer has units.
  void update(const Rule& rule, double rate, std::int64_t t, T* theta, T* state, T* gradient,
              double* squares) const {
    const Updates<T>& updates = this->updates();
    double scale = 1;
    if (rule.clips())
      scale = clip_scale(rule, sum_over_ranges(n_parameters, [&](std::size_t begin, std::size_t end) {
        return updates.clip(rule, gradient, begin, end);
      }));
    updates.update({&rule, rate, t, scale, theta, state, n_parameters, gradient, mask.get()}, 0, n_parameters);
    if (rule.max_norm < INFINITE)
      for (std::size_t l = 1; l < shape.sizes.size(); ++l)
        updates.constrain(theta + offsets[l], shape.sizes[l - 1], shape.sizes[l], rule.max_norm, squares);
    if (rule.averages())
      updates.average(rule, theta, state + (rule.state_rows() - 1) * n_parameters, 0, n_parameters);
  }
};

}  // namespace glassnet
