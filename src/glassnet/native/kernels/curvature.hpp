// The Gauss-Newton matrix G = sum over samples of w J^T H J, and its product with a vector. J is dZ/dtheta of
// a sample, H the second derivative of its loss by Z, written as sum_k f_k f_k^T.
//
// Some samples of a block go forward once. For each k the seeds sqrt(w) f_k then go back like an error. Where the
// parameters are few, each gets a row with its entry of sqrt(w) J^T f_k at each sample, and G is the product of
// those rows with themselves, with the samples in the lanes. Where they are many, the errors of all k are multiplied
// with each other first, and then with products of inputs, with pairs in the lanes: see CurvatureBlock. That is one
// product for all k, and half the work for two parameters of one layer. The scratch holds these samples only, so
// that memory does not grow with the data.
#pragma once

#include "kernels/forward.hpp"

namespace glassnet::GLASSNET_ISA {

template <class T> class CurvaturePass {
  const Plan<T>& plan;
  const CurvaturePlan& room;
  const T* parameters;
  T* const scratch;
  const std::size_t stride;
  std::size_t padded = 0;

 public:
  CurvaturePass(const Plan<T>& plan, const CurvaturePlan& room, const T* parameters, T* scratch)
      : plan(plan), room(room), parameters(parameters), scratch(scratch), stride(room.stride) {}

  // Rows begin .. end of the sums (see CurvatureSums), to which those of the block are added.
  void matrix(std::size_t block, std::size_t begin, std::size_t end, double* sums) {
    const std::size_t terms = factors();
    each_part(block, [&] {
      square_root_of_weights();
      output_factors();
      for (std::size_t k = 0; k < terms; ++k) {
        if (room.many) {
          errors_of_all_layers(k);
        } else {
          seed(k, row(room.errors[0]));
          rows_of_jacobian();
          add_products(begin, end, sums);
        }
      }
      if (room.many && terms > 0) add_blocks(begin, end, sums);
    });
  }

  // G times `vector`, added to sums [parameters].
  void product_with(std::size_t block, const T* vector, double* sums) {
    each_part(block, [&] {
      T* const R = tangents(vector);
      output_product(R);
      gradient(R, sums);
    });
  }

 private:
  T* row(std::size_t r) const { return scratch + r * stride; }
  T* hidden(std::size_t l) const { return row(room.hidden[l]); }
  T* slopes(std::size_t l) const { return row(room.slopes[l]); }
  std::size_t outputs() const { return plan.widths[plan.layers]; }
  std::size_t size_of(std::size_t l) const { return (plan.widths[l - 1] + 1) * plan.widths[l]; }
  std::size_t factors() const { return plan.loss == Loss::cross_entropy ? outputs() - 1 : outputs(); }

  // Takes the block forward, `stride` samples at a time, and calls f after each.
  template <class F> void each_part(std::size_t block, const F& f) {
    const std::size_t rows = samples_in(plan, block);
    for (std::size_t from = 0; from < rows; from += stride) {
      const std::size_t count = rows - from < stride ? rows - from : stride;
      padded = (count + LANES<T> - 1) / LANES<T> * LANES<T>;
      for (std::size_t i = 0; i < plan.widths[0]; ++i)
        std::copy_n(plan.X + (block * plan.widths[0] + i) * plan.block + from, padded, hidden(0) + i * stride);
      T* w = row(room.weight);
      for (std::size_t s = 0; s < padded; ++s)
        w[s] = s >= count ? T(0) : plan.weighted ? plan.weights[block * plan.block + from + s] : T(1);
      const T* at = parameters;
      for (std::size_t l = 1; l < plan.layers; at += size_of(l), ++l) {
        forward(l, at, hidden(l));
        with_activation(plan.activations[l - 1], [&](auto g) {
          for (std::size_t o = 0; o < plan.widths[l]; ++o)
            activate<T>(g, padded, hidden(l) + o * stride, slopes(l) + o * stride);
        });
      }
      forward(plan.layers, at, row(room.output));
      f();
    }
  }

  void forward(std::size_t l, const T* at, T* Z) {
    const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
    product(Rows<T>{hidden(l - 1), stride}, inputs, Weights<T>{at, outputs, 1}, at + inputs * outputs, outputs,
            padded, Z);
  }

  void square_root_of_weights() {
    T* w = row(room.weight);
    for (std::size_t s = 0; s < padded; ++s) w[s] = root(w[s]);
  }
  static T root(T x) {
    if constexpr (sizeof(T) == 8) return __builtin_sqrt(x);
    else return __builtin_sqrtf(x);
  }

  // From Z, in its place: the softmax and the sums of what is behind each class; else the one root that an
  // output has.
  void output_factors() {
    T* const Z = row(room.output);
    const std::size_t n = outputs();
    if (plan.loss == Loss::cross_entropy) {
      softmax_panel<T>(Z, n, padded, stride);
      T* const Q = row(room.tails);
      std::fill_n(Q + (n - 1) * stride, padded, T(0));
      for (std::size_t c = n - 1; c-- > 0;)
        for (std::size_t s = 0; s < padded; ++s)
          Q[c * stride + s] = Q[(c + 1) * stride + s] + Z[(c + 1) * stride + s];
      return;
    }
    for (std::size_t o = 0; o < n; ++o) {
      T* const z = Z + o * stride;
      if (plan.loss == Loss::squared_error) std::fill_n(z, padded, T(1));
      if (plan.loss == Loss::poisson)
        for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
          exp_anywhere(pack.load(z + s) * pack.all(T(0.5))).store(z + s);
        });
      if (plan.loss == Loss::binary_cross_entropy)
        for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
          using P = decltype(pack);
          P t = exp(expand(reduce_negative(bit_or(P::load(z + s), P::all(T(-0.0))) * P::all(T(0.5)))));
          (t / fma(t, t, P::all(1))).store(z + s);
        });
    }
  }

  // sqrt(w) f_k into a panel of errors; see factors.py.
  void seed(std::size_t k, T* E) {
    constexpr T least = std::numeric_limits<T>::min();
    const T* const w = row(room.weight);
    const T* const Z = row(room.output);
    const std::size_t n = outputs();
    for (std::size_t o = 0; o < n; ++o)
      if (o != k) std::fill_n(E + o * stride, padded, T(0));
    if (plan.loss != Loss::cross_entropy) {
      for (std::size_t s = 0; s < padded; ++s) E[k * stride + s] = w[s] * Z[k * stride + s];
      return;
    }
    const T* const Q = row(room.tails);
    for (std::size_t s = 0; s < padded; ++s) {
      const T p = Z[k * stride + s], q = Q[k * stride + s] > least ? Q[k * stride + s] : least;
      E[k * stride + s] = w[s] * root(p * (q / (p + q)));
    }
    for (std::size_t c = k + 1; c < n; ++c)
      for (std::size_t s = 0; s < padded; ++s) {
        const T q = Q[k * stride + s] > least ? Q[k * stride + s] : least;
        E[c * stride + s] = -E[k * stride + s] * (Z[c * stride + s] / q);
      }
  }

  // From layer l's error D to the error of the layer before, in `to`; `at` is where layer l's parameters begin.
  void back(std::size_t l, const T* at, const T* D, T* to) {
    const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
    product(Rows<T>{D, stride}, outputs, Weights<T>{at, 1, outputs}, static_cast<const T*>(nullptr), inputs,
            padded, to);
    const T* const S = slopes(l - 1);
    for (std::size_t i = 0; i < inputs; ++i)
      for (std::size_t s = 0; s < padded; ++s) to[i * stride + s] *= S[i * stride + s];
  }

  void rows_of_jacobian() {
    T* const D[2] = {row(room.errors[0]), row(room.errors[1])};
    std::size_t at = room.parameters;
    for (std::size_t l = plan.layers, side = 0; l >= 1; --l, side = 1 - side) {
      const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
      at -= size_of(l);
      T* to = row(room.jacobian + at);
      for (std::size_t i = 0; i < inputs; ++i)
        for (std::size_t o = 0; o < outputs; ++o, to += stride) {
          const T *h = hidden(l - 1) + i * stride, *d = D[side] + o * stride;
          for (std::size_t s = 0; s < padded; ++s) to[s] = h[s] * d[s];
        }
      for (std::size_t o = 0; o < outputs; ++o) std::copy_n(D[side] + o * stride, padded, to + o * stride);
      if (l > 1) back(l, parameters + at, D[side], D[1 - side]);
    }
  }

  void add_products(std::size_t begin, std::size_t end, double* sums) {
    const std::size_t n = room.parameters;
    auto sink = [&](std::size_t i, std::size_t j, std::size_t count, const T* values) GLASSNET_LAMBDA {
      double* to = sums + (i - begin) * n + j;
      for (std::size_t k = 0; k < count; ++k) to[k] += double(values[k]);
    };
    const Rows<T> J{row(room.jacobian), stride};
    for (std::size_t i = begin; i < end; i += 4) {
      const std::size_t to = i + 4 < end ? i + 4 : end;
      narrow_gradient<T>(J, i, to, J, to, padded, sink);
    }
  }

  // ---- Many parameters ---------------------------------------------------------------------------------

  T* deltas(std::size_t l, std::size_t k) const { return row(room.deltas[l] + k * plan.widths[l]); }

  void errors_of_all_layers(std::size_t k) {
    seed(k, deltas(plan.layers, k));
    std::size_t at = room.parameters;
    for (std::size_t l = plan.layers; l > 1; --l) {
      at -= size_of(l);
      back(l, parameters + at, deltas(l, k), deltas(l - 1, k));
    }
  }

  void add_blocks(std::size_t begin, std::size_t end, double* sums) {
    for (std::size_t l = 0; l < plan.layers; ++l) std::fill_n(hidden(l) + plan.widths[l] * stride, padded, T(1));
    for (std::size_t b = 0; b < room.n_blocks; ++b) {
      const CurvatureBlock& block = room.blocks[b];
      const std::size_t last = block.first_row + block.rows;
      const std::size_t from = begin > block.first_row ? begin : block.first_row, to = end < last ? end : last;
      if (from >= to) continue;
      add_block(block, from - block.first_row, to - block.first_row, sums);
      sums += (to - from) * block.columns;
    }
  }

  // A block's rows begin .. end. Some pairs for the lanes are made and turned, then all that are broadcast, a
  // few at a time, are multiplied with them.
  void add_block(const CurvatureBlock& block, std::size_t begin, std::size_t end, double* sums) {
    constexpr std::size_t side = 4 * LANES<T>, most = CURVATURE_GROUPS * LANES<T>;
    T *const in_lanes = row(room.lanes), *const panels = row(room.panels), *const tile = row(room.tile);
    for (std::size_t c = 0; c < block.columns; c += most) {
      const std::size_t columns = block.columns - c < most ? block.columns - c : most;
      const std::size_t filled = (columns + LANES<T> - 1) / LANES<T> * LANES<T>;
      pairs(block, block.errors_in_lanes, c, columns, in_lanes);
      for (std::size_t r = columns; r < filled; ++r) std::fill_n(in_lanes + r * stride, padded, T(0));
      for (std::size_t p = 0; p < filled; p += side)
        transpose_panel<T>(in_lanes + p * stride, stride, filled - p < side ? filled - p : side, 0, padded,
                           panels + p * stride, side);
      for (std::size_t r = begin; r < end; r += CURVATURE_ROWS) {
        const std::size_t rows = end - r < CURVATURE_ROWS ? end - r : CURVATURE_ROWS;
        pairs(block, !block.errors_in_lanes, r, rows, tile);
        for (std::size_t p = 0; p < columns; p += side) {
          double* const at = sums + (r - begin) * block.columns + c + p;
          const std::size_t count = columns - p < side ? columns - p : side;
          wide_gradient<T>(Rows<T>{tile, stride}, 0, rows, Rows<T>{panels + p * stride, side}, count, padded,
                           [&](std::size_t i, std::size_t j, std::size_t many, const T* values) GLASSNET_LAMBDA {
                             double* const to = at + i * block.columns + j;
                             for (std::size_t k = 0; k < many; ++k) to[k] += double(values[k]);
                           });
        }
      }
    }
  }

  // Pairs number first, first + 1, ... of a block's errors, or of its inputs, a row each.
  void pairs(const CurvatureBlock& block, bool errors, std::size_t first, std::size_t count, T* to) const {
    const std::size_t l = block.layer, m = block.before;
    const std::size_t across = errors ? plan.widths[m] : plan.widths[m - 1] + 1;
    std::size_t a = first / across, b = first % across;
    if (l == m)
      for (a = 0, b = first; b > a;) b -= ++a;
    for (std::size_t r = 0; r < count; ++r, to += stride) {
      if (errors) {
        product_of_errors(l, a, m, b, to);
      } else {
        const T *const one = hidden(l - 1) + a * stride, *const other = hidden(m - 1) + b * stride;
        for (std::size_t s = 0; s < padded; ++s) to[s] = one[s] * other[s];
      }
      if (++b > (l == m ? a : across - 1)) {
        ++a;
        b = 0;
      }
    }
  }

  // The sum over k of a unit's error times another's.
  void product_of_errors(std::size_t l, std::size_t o, std::size_t m, std::size_t p, T* to) const {
    const std::size_t terms = factors();
    const T *const one = deltas(l, 0) + o * stride, *const other = deltas(m, 0) + p * stride;
    const std::size_t next = plan.widths[l] * stride, other_next = plan.widths[m] * stride;
    for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
      using P = decltype(pack);
      P sum = P::load(one + s) * P::load(other + s);
      for (std::size_t k = 1; k < terms; ++k)
        sum = fma(P::load(one + k * next + s), P::load(other + k * other_next + s), sum);
      sum.store(to + s);
    });
  }

  // dZ along the vector, layer by layer: R_l = R_(l-1) W_l + H_(l-1) V_l + v_l, then times the slopes.
  T* tangents(const T* vector) {
    T *before = row(room.errors[0]), *now = row(room.errors[1]), *spare = row(room.spare);
    std::size_t at = 0;
    for (std::size_t l = 1; l <= plan.layers; at += size_of(l), ++l) {
      const std::size_t outputs = plan.widths[l];
      forward(l, vector + at, now);
      if (l > 1) {
        product(Rows<T>{before, stride}, plan.widths[l - 1], Weights<T>{parameters + at, outputs, 1},
                static_cast<const T*>(nullptr), outputs, padded, spare);
        for (std::size_t o = 0; o < outputs; ++o)
          for (std::size_t s = 0; s < padded; ++s) now[o * stride + s] += spare[o * stride + s];
      }
      if (l < plan.layers)
        for (std::size_t o = 0; o < outputs; ++o)
          for (std::size_t s = 0; s < padded; ++s) now[o * stride + s] *= slopes(l)[o * stride + s];
      T* const free = before;
      before = now;
      now = free;
    }
    return before;
  }

  // w H R in place of R.
  void output_product(T* R) {
    T* const Z = row(room.output);
    const T* const w = row(room.weight);
    const std::size_t n = outputs();
    if (plan.loss == Loss::cross_entropy) {
      softmax_panel<T>(Z, n, padded, stride);
      for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
        using P = decltype(pack);
        P mean = P::all(0), weight = P::load(w + s);
        for (std::size_t c = 0; c < n; ++c)
          mean = fma(P::load(Z + c * stride + s), P::load(R + c * stride + s), mean);
        for (std::size_t c = 0; c < n; ++c)
          (weight * P::load(Z + c * stride + s) * (P::load(R + c * stride + s) - mean)).store(R + c * stride + s);
      });
      return;
    }
    output_factors();
    for (std::size_t o = 0; o < n; ++o)
      for (std::size_t s = 0; s < padded; ++s) {
        const T f = Z[o * stride + s];
        R[o * stride + s] = w[s] * (f * (f * R[o * stride + s]));
      }
  }

  // As in a pass back, from the errors D of the last layer, one of the two panels of errors.
  void gradient(T* D, double* sums) {
    T* other = D == row(room.errors[0]) ? row(room.errors[1]) : row(room.errors[0]);
    std::size_t at = room.parameters;
    for (std::size_t l = plan.layers; l >= 1; --l) {
      const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
      at -= size_of(l);
      double* const to = sums + at;
      narrow_gradient<T>(Rows<T>{hidden(l - 1), stride}, 0, inputs, Rows<T>{D, stride}, outputs, padded,
                         [&](std::size_t i, std::size_t j, std::size_t count, const T* values) GLASSNET_LAMBDA {
                           for (std::size_t k = 0; k < count; ++k) to[i * outputs + j + k] += double(values[k]);
                         });
      for (std::size_t o = 0; o < outputs; ++o) {
        LaneSum<T> sum;
        for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
          sum.add(pack.load(D + o * stride + s));
        });
        to[inputs * outputs + o] += sum.total();
      }
      if (l > 1) back(l, parameters + at, D, other);
      T* const free = D;
      D = other;
      other = free;
    }
  }
};

template <class T>
void gauss_newton(const Plan<T>& plan, const CurvaturePlan& room, const T* parameters, std::size_t block,
                  std::size_t begin, std::size_t end, T* scratch, double* sums) {
  CurvaturePass<T>(plan, room, parameters, scratch).matrix(block, begin, end, sums);
}

template <class T>
void gauss_newton_product(const Plan<T>& plan, const CurvaturePlan& room, const T* parameters, const T* vector,
                          std::size_t block, T* scratch, double* sums) {
  CurvaturePass<T>(plan, room, parameters, scratch).product_with(block, vector, sums);
}

}  // namespace glassnet::GLASSNET_ISA
