// The arguments of the kernels: the network's shape, the packed data, and where results go.
//
// Everything here is the same for every instruction set and every number of threads. It fixes the
// order of every sum, which is why the bits of a result depend on neither:
//
//   samples -> chunks (at most 32) -> blocks -> lines of LANES samples
//
// A block's sums run per lane over its lines, the lanes are added in halves, blocks are added to
// their chunk in order, and chunks to the total in order.
#pragma once

#include <cstddef>
#include <cstdint>

#include "host/rules.hpp"

namespace glassnet {

// Samples in a line, which has the 64 bytes of a cache line whatever the width of the processor's registers.
template <class T> inline constexpr std::size_t LANES = 64 / sizeof(T);

// Elements that may be read behind a sample's.
template <class T> inline constexpr std::size_t BEYOND = 32 / sizeof(T);

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

// One hidden layer's dropout: a unit is kept where its word of 32 bits is at least `threshold`, and
// then multiplied by `scale`, 1/(1 - p). A threshold of 0 drops nothing.
struct Drop {
  std::uint64_t threshold;
  double scale;
};

// The masks of one pass. Unit o of hidden layer l takes for sample s of the batch, of `samples` in all,
// word number o * samples + s of the stream that seed, l and `number` name: it depends on no other
// thing, not on how samples are cut into blocks.
struct Masks {
  const Drop* layers = nullptr;  // [layers - 1]; null: the pass drops nothing
  std::uint64_t seed = 0, number = 0;
  std::size_t samples = 0;

  bool drops(std::size_t layer) const { return layers && layers[layer - 1].threshold > 0; }
};

template <class T> struct Plan {
  std::size_t layers;             // weight matrices
  const std::size_t* widths;      // [layers + 1]; a two-class softmax counts as one output
  const Activation* activations;  // [layers - 1]
  Loss loss;
  double loss_setting;  // cross_entropy: label_smoothing; huber: delta; quantile: level
  bool labels;    // cross_entropy: targets are class numbers, one value per sample
  bool weighted;  // samples have weights

  // The row of the scratch where layer l's panel begins: hidden layers, the output's error, then two
  // panels for the widest layer: a product, and errors by sample.
  const std::size_t* panels;  // [layers + 3]
  // The row where hidden layer l's derivative dH/dZ is kept, or NO_SLOPES; layers with dropout keep it.
  const std::size_t* slopes;  // [layers - 1]

  std::size_t samples;
  std::size_t block;   // samples in a block: the stride of every panel, a multiple of LANES
  std::size_t target_rows;

  // Panels, block after block; within one, a row of `block` samples per feature. Samples past the
  // last are 0.
  const T* X;        // [blocks][widths[0]][block]
  const T* Y;        // [blocks][target_rows][block]
  const T* weights;  // [blocks][block], where weighted

  Masks masks;
  double min_probability;  // see Rule
};

// Functions of this header are compiled for several instruction sets. They are static so that the
// linker cannot give one set's code to another, or to a processor that lacks it.
template <class T> static std::size_t samples_in(const Plan<T>& plan, std::size_t block) {
  const std::size_t begin = block * plan.block;
  if (begin >= plan.samples) return 0;
  return plan.samples - begin < plan.block ? plan.samples - begin : plan.block;
}

// One pass forward and back over one block: adds the block's gradient to `gradient` (parameters in
// the order W1, b1, W2, b2, ...), unless that is null, and returns its loss. `scratch` has room for the panels.
template <class T>
using Pass = double (*)(const Plan<T>& plan, const T* parameters, std::size_t block, T* scratch,
                        double* gradient);

// n values of z (a multiple of LANES) in place by their h; dh/dz into `slopes`.
template <class T>
using Activate = void (*)(Activation activation, std::size_t n, T* z, T* slopes);

// Which samples an update takes: rows order[start], order[start + 1], ... of the data, or rows start,
// start + 1, ... where there is no order.
struct BatchRows {
  const std::uint32_t* order;
  std::size_t start, rows;
  std::size_t before;  // samples of the batch that come before these
  Masks masks;
};

// The memory of one batch: everything that the first of its two steps leaves for the second.
template <class T> struct BatchPlan {
  std::size_t layers;
  const std::size_t* widths;  // as in a Plan
  const Activation* activations;
  Loss loss;
  double loss_setting;
  bool labels;

  std::size_t stride;       // of every panel: the samples that it has room for
  T* const* hidden;         // [layers] panels: the input, then hidden layers; each ends with a row of ones
  T* const* slopes;         // [layers] panels, from 1: dH/dZ, or null, as in a Plan
  T* const* errors;         // [layers + 1] panels, from 1: dJ/dZ
  T* const* rows;           // [layers + 1]: the same by sample, where outputs are many; else null
  T *targets, *weights;     // panels; weights null where unweighted
  // The data, a sample's columns side by side: its targets, its weight where weighted, its features. The
  // panels of the batch lie in the same order from `targets` on.
  const T* data;            // with BEYOND more at the end
  std::size_t columns;
  const T* zeros;           // a sample that is missing, and BEYOND more
  double min_probability;   // see Rule

  std::size_t row_stride(std::size_t l) const { return (widths[l] + LANES<T> - 1) / LANES<T> * LANES<T>; }
};

// See batch.hpp.
template <class T> struct BatchKernels {
  // parameters: [layers + 1], from 1, each layer's weights and then its biases
  void (*errors)(const BatchPlan<T>&, const BatchRows&, const T* const* parameters,
                 std::size_t begin, std::size_t end, std::size_t loss_block, double* losses);
  void (*gradient)(const BatchPlan<T>&, std::size_t l, std::size_t begin, std::size_t end,
                   std::size_t samples, T scale, bool add, T* gradient);
};

// A pair of layers in the Gauss-Newton matrix of many parameters. Its entry for the weights (i, o) of `layer`
// and (j, p) of `before` is a sum over samples of (h_i h_j) (sum_k d_o d_p), h the layers' inputs with a 1
// behind for the bias and d their errors: a matrix product of pairs of inputs and pairs of errors. Of one
// layer only pairs i >= j and o >= p are different ones. Some pairs lie in the lanes, the others are broadcast.
struct CurvatureBlock {
  std::size_t layer, before;
  std::size_t rows, columns;     // pairs that are broadcast, and those in the lanes
  bool errors_in_lanes;
  std::size_t first_row, first;  // where its sums begin, among all rows and all sums
};

// Where things lie in the scratch of a curvature kernel, in rows of `stride` samples, which are taken through
// at once. See curvature.hpp.
struct CurvaturePlan {
  std::size_t parameters, stride;
  bool many;                  // parameters: they are summed by blocks, else as the lower triangle
  const CurvatureBlock* blocks;
  std::size_t n_blocks;
  const std::size_t* hidden;  // [layers]: each layer's input, and a row of ones
  const std::size_t* slopes;  // [layers], from 1: dH/dZ
  std::size_t output, tails, weight, errors[2], spare;
  std::size_t jacobian;       // of few parameters
  const std::size_t* deltas;  // [layers + 1], from 1: each factor's errors of a layer; of many
  std::size_t tile, lanes, panels;  // pairs that are broadcast; those in the lanes, and the same by sample
};

// Pairs that are broadcast at a time, and lines of pairs in the lanes: enough that each pays for computing the
// others, and few enough that all stay in a second-level cache.
inline constexpr std::size_t CURVATURE_ROWS = 24, CURVATURE_GROUPS = 16;

template <class T> struct CurvatureKernels {
  void (*matrix)(const Plan<T>&, const CurvaturePlan&, const T* parameters, std::size_t block, std::size_t begin,
                 std::size_t end, T* scratch, double* sums);
  void (*product)(const Plan<T>&, const CurvaturePlan&, const T* parameters, const T* vector, std::size_t block,
                  T* scratch, double* sums);
};

enum class Link : std::uint8_t { softmax, logistic, identity, exp };
inline constexpr const char* LINK_NAMES[] = {"softmax", "logistic", "identity", "exp"};

// Prediction: the network as it stands, a two-class softmax with both of its outputs.
template <class T> struct ForwardPlan {
  std::size_t layers;
  const std::size_t* widths;
  const Activation* activations;
  Link link;
  std::size_t widest;  // of the layers, filled up to whole lines
  const T* parameters;
};

// Samples that go through as one block of panels. So few as FORWARD_ROWS go one at a time.
inline constexpr std::size_t FORWARD_BLOCK = 256;
template <class T> inline constexpr std::size_t FORWARD_ROWS = LANES<T> / 4;
// Two panels for the widest layer and a row, or three rows of that width.
template <class T> std::size_t forward_scratch(const ForwardPlan<T>& plan, std::size_t n) {
  return n <= FORWARD_ROWS<T> ? 3 * plan.widest : (2 * plan.widest + 1) * (FORWARD_BLOCK + LANES<T>);
}

// Rows of X [n][inputs] to rows of `out` [n][outputs].
template <class T>
using Forward = void (*)(const ForwardPlan<T>&, const T* X, std::size_t n, T* out, T* scratch);

// Everything that is compiled once per instruction set and precision.
template <class T> struct Kernels {
  Pass<T> pass;
  Activate<T> activate;
  BatchKernels<T> batch;
  Updates<T> updates;
  Forward<T> forward;
  CurvatureKernels<T> curvature;
  bool (*all_finite)(const T* x, std::size_t n);
  // See transpose.hpp.
  void (*transpose)(const T* x, std::size_t rows, std::size_t columns, T* to, std::size_t stride);
};

#define GLASSNET_KERNELS(isa)              \
  namespace isa {                          \
  extern const Kernels<float> kernels32;   \
  extern const Kernels<double> kernels64;  \
  }
GLASSNET_KERNELS(avx512)
GLASSNET_KERNELS(avx2)
GLASSNET_KERNELS(portable)
#undef GLASSNET_KERNELS

}  // namespace glassnet
