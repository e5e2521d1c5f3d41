// One pass forward and back over one block of samples.
//
// A block is small enough to stay in the nearest cache while it goes through one simple loop after
// the other. On the way back, layers of at most NARROW outputs take one fused loop, since their
// products are cheaper than storing and loading a panel; wider ones go through matrix.hpp. Both sum in
// the same order.
#pragma once

#include <algorithm>

#include "kernels/dropout.hpp"
#include "kernels/shallow.hpp"
#include "kernels/transpose.hpp"

namespace glassnet::GLASSNET_ISA {

template <class T> class BlockPass {
  const Plan<T>& plan;
  const T* parameters;
  const std::size_t first, rows, padded, stride;
  T* const scratch;
  double* gradient;

 public:
  BlockPass(const Plan<T>& plan, const T* parameters, std::size_t block, T* scratch,
            double* gradient)
      : plan(plan),
        parameters(parameters),
        first(block),
        rows(samples_in(plan, block)),
        padded((rows + LANES<T> - 1) / LANES<T> * LANES<T>),
        stride(plan.block),
        scratch(scratch),
        gradient(gradient) {}

  // A null gradient asks for the loss alone.
  double run() {
    if (rows == 0) return 0;
    std::size_t at = 0;  // where layer l's parameters begin
    for (std::size_t l = 1; l < plan.layers; ++l) {
      forward(l, at);
      at += size_of(l);
    }
    double loss = head(at);
    if (!gradient) return loss;
    for (std::size_t l = plan.layers; l > 1; --l) {
      backward(l, at);
      at -= size_of(l - 1);
    }
    weight_gradient(1, gradient);
    return loss;
  }

 private:
  std::size_t size_of(std::size_t l) const { return (plan.widths[l - 1] + 1) * plan.widths[l]; }
  // Layer l's output; once that is used up, its error takes the same place.
  T* panel(std::size_t l) const { return scratch + plan.panels[l - 1] * stride; }
  Rows<T> input(std::size_t l) const {
    return {l == 1 ? plan.X + first * plan.widths[0] * stride : panel(l - 1), stride};
  }
  // Where hidden layer l keeps dH/dZ, or null where it does not.
  T* slope_panel(std::size_t l) const {
    return plan.slopes[l - 1] == NO_SLOPES ? nullptr : scratch + plan.slopes[l - 1] * stride;
  }
  Rows<T> error(std::size_t l) const { return {panel(l), stride}; }
  Weights<T> weights(std::size_t l, std::size_t at) const {
    return {parameters + at, plan.widths[l], 1};
  }
  const T* bias(std::size_t l, std::size_t at) const {
    return parameters + at + plan.widths[l - 1] * plan.widths[l];
  }
  double* bias_gradient(std::size_t l, std::size_t at) const {
    return gradient + at + plan.widths[l - 1] * plan.widths[l];
  }

  void forward(std::size_t l, std::size_t at) {
    const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
    T* H = panel(l);
    product(input(l), inputs, weights(l, at), bias(l, at), outputs, padded, H);
    T* const S = slope_panel(l);
    with_activation(plan.activations[l - 1], [&](auto f) {
      for (std::size_t o = 0; o < outputs; ++o)
        activate<T>(f, padded, H + o * stride, S ? S + o * stride : nullptr);
    });
    if (plan.masks.drops(l))
      for (std::size_t o = 0; o < outputs; ++o)
        drop(plan.masks, l, o, first * stride, padded, H + o * stride, S + o * stride);
  }

  // The output layer's Z, its loss, its error and the gradient of its biases.
  double head(std::size_t at) {
    const std::size_t l = plan.layers, inputs = plan.widths[l - 1], outputs = plan.widths[l];
    T* output = panel(l);
    product(input(l), inputs, weights(l, at), bias(l, at), outputs, padded, output);
    const Lines<T> lines(0, padded, rows, plan.weighted ? plan.weights + first * stride : nullptr);
    const double loss = output_errors<T>(
        plan, output, plan.Y + first * plan.target_rows * stride, outputs, stride, lines,
        [&](std::size_t o, const LaneSum<T>& sum) {
          if (gradient) bias_gradient(l, at)[o] += sum.total();
        });
    if (gradient && plan.loss == Loss::cross_entropy)
      for (std::size_t o = 0; o < outputs; ++o) {
        LaneSum<T> sum;
        for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
          sum.add(pack.load(output + o * stride + s));
        });
        bias_gradient(l, at)[o] += sum.total();
      }
    return loss;
  }

  // From layer l's error: the gradient of its weights, the error of the layer before (in the place
  // of that layer's output) and the gradient of that layer's biases.
  void backward(std::size_t l, std::size_t at) {
    const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
    const Rows<T> D = error(l);
    const Weights<T> W = weights(l, at);
    T* H = panel(l - 1);
    double* before = bias_gradient(l - 1, at - size_of(l - 1));
    const T* const S = slope_panel(l - 1);
    with_slope(plan.activations[l - 2], S != nullptr, [&](auto activation) {
      if (outputs <= NARROW) {
        with_narrow(outputs, [&](auto n) {
          // Several units at once, since each sum waits for itself.
          constexpr std::size_t most = REGISTERS >= 32 ? NARROW / n.value : 1;
          for (std::size_t i = 0; i < inputs; i += most)
            with_narrow(std::min(most, inputs - i), [&](auto units) {
              if constexpr (units.value <= most)
                narrow_backward<n.value, units.value>(activation, i, W, D, H + i * stride,
                                                      S ? S + i * stride : nullptr,
                                                      gradient + at + i * outputs, before + i);
            });
        });
      } else {
        weight_gradient(l, gradient + at);
        T* spare = panel(plan.layers + 1);
        const Weights<T> transposed{W.data, W.out, W.in};
        product(D, outputs, transposed, static_cast<const T*>(nullptr), inputs, padded, spare);
        for (std::size_t i = 0; i < inputs; ++i) {
          LaneSum<T> sum;
          for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
            const std::size_t to = i * stride + s;
            auto d = back_through(activation, pack.load(spare + to), H, S, to);
            d.store(H + to);
            sum.add(d);
          });
          before[i] += sum.total();
        }
      }
    });
  }

  void weight_gradient(std::size_t l, double* sums) {
    const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
    auto sink = [&](std::size_t i, std::size_t j, std::size_t count, const T* values) GLASSNET_LAMBDA {
      double* to = sums + i * outputs + j;
      for (std::size_t k = 0; k < count; ++k) to[k] += double(values[k]);
    };
    if (outputs <= NARROW) return narrow_gradient<T>(input(l), 0, inputs, error(l), outputs, padded, sink);
    const Rows<T> by_sample{panel(plan.layers + 2), (outputs + LANES<T> - 1) / LANES<T> * LANES<T>};
    T* to = panel(plan.layers + 2);
    if (outputs < by_sample.stride)
      for (std::size_t s = 0; s < padded; ++s)
        std::fill(to + s * by_sample.stride + outputs, to + (s + 1) * by_sample.stride, T(0));
    transpose_panel<T>(error(l).data, stride, outputs, 0, padded, to, by_sample.stride);
    wide_gradient<T>(input(l), 0, inputs, by_sample, outputs, padded, sink);
  }

  // U units from i on, whose panels begin at H and S, through N outputs.
  template <int N, int U, class A>
  void narrow_backward(A activation, std::size_t i, Weights<T> W, Rows<T> D, T* H, const T* S,
                       double* weight_sums, double* bias_sums) {
    LaneSum<T> sums[U], products[U][N];
    T w[U][N];
    for (int u = 0; u < U; ++u)
      for (int j = 0; j < N; ++j) w[u][j] = W(i + u, j);
    for_packs<T>(0, padded, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
      using P = decltype(pack);
      P d[N];
      for (int j = 0; j < N; ++j) d[j] = P::load(D.data + j * D.stride + s);
      for (int u = 0; u < U; ++u) {
        const std::size_t at = u * stride + s;
        P h = P::load(H + at), v = P::all(0);
        for (int j = 0; j < N; ++j) {
          products[u][j].add_product(h, d[j]);
          v = fma(P::all(w[u][j]), d[j], v);
        }
        P e = back_through(activation, v, H, S, at);
        e.store(H + at);
        sums[u].add(e);
      }
    });
    for (int u = 0; u < U; ++u) {
      for (int j = 0; j < N; ++j) weight_sums[u * N + j] += products[u][j].total();
      bias_sums[u] += sums[u].total();
    }
  }
};

template <class T>
double pass(const Plan<T>& plan, const T* parameters, std::size_t block, T* scratch,
            double* gradient) {
  if (ShallowPass<T>::takes(plan)) return ShallowPass<T>(plan, parameters, block, scratch, gradient).run();
  return BlockPass<T>(plan, parameters, block, scratch, gradient).run();
}

}  // namespace glassnet::GLASSNET_ISA
