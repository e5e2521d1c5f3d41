// What a kernel is told: the network's shape, the packed data, and where results go.
//
// Everything here is the same for every instruction set and every number of threads. It fixes the
// order of every sum, which is why the bits of a result depend on neither:
//
//   samples -> chunks (at most 64) -> blocks -> groups of LANES samples
//
// A block's sums run per lane over its groups, the lanes are folded in halves, blocks are added to
// their chunk in order, and chunks to the total in order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace glassnet {

// Samples in a group: 64 bytes, whatever the width of the processor's registers.
template <class T> inline constexpr std::size_t LANES = 64 / sizeof(T);

enum class Activation : std::uint8_t {
  logistic, tanh, relu, leaky_relu, elu, selu, gelu, gelu_tanh, silu, softplus, softsign, identity
};
inline constexpr const char* ACTIVATION_NAMES[] = {
    "logistic", "tanh", "relu", "leaky_relu", "elu",      "selu",
    "gelu",     "gelu_tanh", "silu", "softplus",   "softsign", "identity"};

// Whether the derivative is stored on the way forward, because the output does not give it
// (accurately). The structs in functions.hpp say the same as `from_output`, and are checked against this.
constexpr bool stores_slope(Activation activation) {
  switch (activation) {
    case Activation::logistic:
    case Activation::tanh:
    case Activation::relu:
    case Activation::leaky_relu:
    case Activation::identity: return false;
    default: return true;
  }
}

enum class Loss : std::uint8_t {
  cross_entropy, binary_cross_entropy, squared_error, absolute_error, huber, quantile, poisson
};
inline constexpr const char* LOSS_NAMES[] = {
    "cross_entropy", "binary_cross_entropy", "squared_error", "absolute_error",
    "huber",         "quantile",             "poisson"};

inline constexpr std::size_t NO_SLOPES = std::size_t(-1);

template <class T> struct Plan {
  std::size_t layers;             // weight matrices
  const std::size_t* widths;      // [layers + 1]; a two-class softmax counts as one output
  const Activation* activations;  // [layers - 1]
  Loss loss;
  double loss_setting;  // cross_entropy: label_smoothing; huber: delta; quantile: level
  bool labels;    // cross_entropy: targets are class numbers, one value per sample
  bool weighted;  // samples have weights

  // The row of the scratch where layer l's panel begins: hidden layers, the output's error, then one
  // panel as wide as the widest layer.
  const std::size_t* panels;  // [layers + 2]
  // The row where hidden layer l's derivative dH/dZ is kept, or NO_SLOPES.
  const std::size_t* slopes;  // [layers - 1]

  std::size_t samples;
  std::size_t block;   // samples in a block: the stride of every panel, a multiple of LANES
  std::size_t target_rows;

  // Panels, block after block; within one, a row of `block` samples per feature. Samples past the
  // last are 0.
  const T* X;        // [blocks][widths[0]][block]
  const T* Y;        // [blocks][target_rows][block]
  const T* weights;  // [blocks][block], where weighted
};

// Functions of this header are compiled for several instruction sets. They are static so that the
// linker cannot give one set's code to another, or to a processor that lacks it.
template <class T> static std::size_t samples_in(const Plan<T>& plan, std::size_t block) {
  const std::size_t begin = block * plan.block;
  if (begin >= plan.samples) return 0;
  return plan.samples - begin < plan.block ? plan.samples - begin : plan.block;
}

// One pass forward and back over one block: adds the block's gradient to `gradient` (parameters in
// the order W1, b1, W2, b2, ...) and returns its loss. `scratch` has room for the panels.
template <class T>
using Pass = double (*)(const Plan<T>& plan, const T* parameters, std::size_t block, T* scratch,
                        double* gradient);

// n values of z (a multiple of LANES) in place by their h; dh/dz into `slopes`.
template <class T>
using Activate = void (*)(Activation activation, std::size_t n, T* z, T* slopes);

namespace avx512 {
extern const Pass<float> pass32;
extern const Pass<double> pass64;
extern const Activate<float> activate32;
extern const Activate<double> activate64;
}  // namespace avx512
namespace avx2 {
extern const Pass<float> pass32;
extern const Pass<double> pass64;
extern const Activate<float> activate32;
extern const Activate<double> activate64;
}  // namespace avx2
namespace portable {
extern const Pass<float> pass32;
extern const Pass<double> pass64;
extern const Activate<float> activate32;
extern const Activate<double> activate64;
}  // namespace portable

}  // namespace glassnet
