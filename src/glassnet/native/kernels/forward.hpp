// Prediction: from rows of X to rows of Y_hat, by the same products and activations as training.
//
// Many samples go through as panels. A few would fill only some of a panel's lanes: they go one at
// a time, with a layer's outputs in the lanes. Both sum in the same order.
#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/heads.hpp"
#include "kernels/transpose.hpp"

namespace glassnet::GLASSNET_ISA {

// e^(z - max z), by outputs in rows of `stride`, whole lines of samples.
template <class T> void softmax_panel(T* Z, std::size_t classes, std::size_t samples, std::size_t stride) {
  for_packs<T>(0, samples, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
    using P = decltype(pack);
    T* z = Z + s;
    P m = P::load(z), sum = P::all(0);
    for (std::size_t c = 1; c < classes; ++c) m = max(m, P::load(z + c * stride));
    for (std::size_t c = 0; c < classes; ++c) {
      P e = exp(expand(reduce_negative(P::load(z + c * stride) - m)));
      sum = sum + e;
      e.store(z + c * stride);
    }
    for (std::size_t c = 0; c < classes; ++c) (P::load(z + c * stride) / sum).store(z + c * stride);
  });
}

// The same of one sample, whose outputs lie side by side.
template <class T> void softmax_row(T* z, std::size_t classes) {
  T m = z[0], sum = 0;
  for (std::size_t c = 1; c < classes; ++c) m = m > z[c] ? m : z[c];
  const Pack<T, 1> most = Pack<T, 1>::all(m);
  for (std::size_t c = 0; c < classes; c += LANES<T>)
    exp(expand(reduce_negative(Pack<T, 1>::load(z + c) - most))).store(z + c);
  for (std::size_t c = 0; c < classes; ++c) sum += z[c];
  for (std::size_t c = 0; c < classes; ++c) z[c] /= sum;
}

// The links that take each output for itself; whole lines.
template <class T> void link(Link link, std::size_t n, T* z) {
  if (link == Link::logistic) activate<T>(Logistic(), n, z, static_cast<T*>(nullptr));
  if (link == Link::exp)
    for_packs<T>(0, n, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
      exp_anywhere(pack.load(z + s)).store(z + s);
    });
}

template <class T> T fused(T a, T b, T c) {
  if constexpr (sizeof(T) == 8) return __builtin_fma(a, b, c);
  else return __builtin_fmaf(a, b, c);
}

// Whether all are finite: one more in the exponent of an infinity or NaN, all ones, reaches the sign.
template <class T> bool all_finite(const T* x, std::size_t n) {
  using Bits = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  constexpr Bits one = Bits(1) << (sizeof(T) == 8 ? 52 : 23);
  Bits all = 0;
  for (std::size_t i = 0; i < n; ++i) all |= (__builtin_bit_cast(Bits, x[i]) & (Bits(-1) >> 1)) + one;
  return all >> (8 * sizeof(T) - 1) == 0;
}

// z += W h for N inputs, one after the other: their rows are w, w + outputs, ...
template <int N, class T>
void add_inputs(const T* __restrict w, const T* __restrict h, std::size_t outputs, T* __restrict z) {
  for (std::size_t o = 0; o < outputs; ++o) {
    T sum = z[o];
#pragma GCC unroll 8
    for (int n = 0; n < N; ++n) sum = fused(w[std::size_t(n) * outputs + o], h[n], sum);
    z[o] = sum;
  }
}

template <class T> void forward_row(const ForwardPlan<T>& plan, const T* x, T* out, T* scratch) {
  const std::size_t layers = plan.layers, room = plan.widest;
  const T* parameters = plan.parameters;
  T* const slopes = scratch + 2 * room;
  for (std::size_t l = 1; l <= layers; ++l) {
    const std::size_t inputs = plan.widths[l - 1], outputs = plan.widths[l];
    const std::size_t whole = (outputs + LANES<T> - 1) / LANES<T> * LANES<T>;
    T* z = scratch + (l % 2) * room;
    std::copy_n(parameters + inputs * outputs, outputs, z);
    std::fill(z + outputs, z + whole, T(0));
    std::size_t i = 0;
    for (; i + 8 <= inputs; i += 8) add_inputs<8>(parameters + i * outputs, x + i, outputs, z);
    for (; i < inputs; ++i) add_inputs<1>(parameters + i * outputs, x + i, outputs, z);
    if (l < layers) activate_vector<T>(plan.activations[l - 1], whole, z, slopes);
    parameters += (inputs + 1) * outputs;
    x = z;
  }
  T* z = scratch + (layers % 2) * room;
  const std::size_t outputs = plan.widths[layers];
  if (plan.link == Link::softmax) softmax_row(z, outputs);
  else link<T>(plan.link, (outputs + LANES<T> - 1) / LANES<T> * LANES<T>, z);
  std::copy_n(z, outputs, out);
}

// Up to FORWARD_BLOCK samples.
template <class T>
void forward_panels(const ForwardPlan<T>& plan, const T* X, std::size_t n, T* out, T* scratch) {
  constexpr std::size_t stride = FORWARD_BLOCK + LANES<T>;
  const std::size_t layers = plan.layers, padded = (n + LANES<T> - 1) / LANES<T> * LANES<T>;
  const std::size_t room = plan.widest * stride;
  const T* parameters = plan.parameters;
  T* H = scratch;
  const std::size_t inputs = plan.widths[0];
  // What is missing repeats the last sample.
  transpose_rows<T, false>([&](std::size_t s) GLASSNET_LAMBDA { return X + (s < n ? s : n - 1) * inputs; }, 0,
                    padded, inputs, H, stride);
  T* const slopes = scratch + 2 * room;
  for (std::size_t l = 1; l <= layers; ++l) {
    const std::size_t before = plan.widths[l - 1], outputs = plan.widths[l];
    T* Z = scratch + (l % 2) * room;
    product(Rows<T>{H, stride}, before, Weights<T>{parameters, outputs, 1}, parameters + before * outputs,
            outputs, padded, Z);
    if (l < layers)
      for (std::size_t o = 0; o < outputs; ++o)
        activate_vector<T>(plan.activations[l - 1], padded, Z + o * stride, slopes);
    parameters += (before + 1) * outputs;
    H = Z;
  }
  const std::size_t outputs = plan.widths[layers];
  if (plan.link == Link::softmax) softmax_panel<T>(H, outputs, padded, stride);
  else
    for (std::size_t o = 0; o < outputs; ++o) link<T>(plan.link, padded, H + o * stride);
  for (std::size_t s = 0; s < n; ++s)
    for (std::size_t o = 0; o < outputs; ++o) out[s * outputs + o] = H[o * stride + s];
}

template <class T> void forward(const ForwardPlan<T>& plan, const T* X, std::size_t n, T* out, T* scratch) {
  const std::size_t inputs = plan.widths[0], outputs = plan.widths[plan.layers];
  if (n <= FORWARD_ROWS<T>) {
    for (std::size_t s = 0; s < n; ++s) forward_row(plan, X + s * inputs, out + s * outputs, scratch);
    return;
  }
  for (std::size_t s = 0; s < n; s += FORWARD_BLOCK)
    forward_panels(plan, X + s * inputs, std::min(FORWARD_BLOCK, n - s), out + s * outputs, scratch);
}

}  // namespace glassnet::GLASSNET_ISA
