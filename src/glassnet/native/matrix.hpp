// The products of panels: Z = W^T A + b, its transpose, and the weight gradients A D^T.
//
// Every product sums in one order, whatever the tiles: over the inputs from the first on, and over
// samples per lane. The tiles only decide what stays in registers.
#pragma once

#include "math.hpp"

namespace glassnet::GLASSNET_ISA {

// A panel's row i is at data + i * stride.
template <class T> struct Rows {
  const T* data;
  std::size_t stride;
  Vec<T> load(std::size_t row, std::size_t sample) const {
    return Vec<T>::load(data + row * stride + sample);
  }
};

// The weight from input i to output o is data[i * in + o * out]: both W and its transpose.
template <class T> struct Weights {
  const T* data;
  std::size_t in, out;
  T operator()(std::size_t i, std::size_t o) const { return data[i * in + o * out]; }
};

template <class T, int O, int S>
void product_tile(Rows<T> A, std::size_t inputs, Weights<T> W, const T* b, std::size_t o,
                  std::size_t sample, T* Z, std::size_t stride) {
  using V = Vec<T>;
  V acc[O][S];
  for (int j = 0; j < O; ++j)
    for (int s = 0; s < S; ++s) acc[j][s] = V::all(b ? b[o + j] : T(0));
  for (std::size_t i = 0; i < inputs; ++i) {
    V a[S];
    for (int s = 0; s < S; ++s) a[s] = A.load(i, sample + s * V::width);
    for (int j = 0; j < O; ++j) {
      V w = V::all(W(i, o + j));
      for (int s = 0; s < S; ++s) acc[j][s] = fma(w, a[s], acc[j][s]);
    }
  }
  for (int j = 0; j < O; ++j)
    for (int s = 0; s < S; ++s) acc[j][s].store(Z + (o + j) * stride + sample + s * V::width);
}

template <class T, int O>
void product_rows(Rows<T> A, std::size_t inputs, Weights<T> W, const T* b, std::size_t o,
                  std::size_t samples, T* Z) {
  constexpr int width = Vec<T>::width, S = REGISTERS >= 32 ? 6 : 3;
  std::size_t s = 0;
  for (; s + S * width <= samples; s += S * width)
    product_tile<T, O, S>(A, inputs, W, b, o, s, Z, A.stride);
  for (; s < samples; s += width) product_tile<T, O, 1>(A, inputs, W, b, o, s, Z, A.stride);
}

inline constexpr std::size_t NARROW = 4;

// Calls f with 1, 2, 3 or 4 as a compile-time number.
template <int n> struct Number {
  static constexpr int value = n;
};
template <class F> void with_narrow(std::size_t n, F f) {
  switch (n) {
    case 1: return f(Number<1>());
    case 2: return f(Number<2>());
    case 3: return f(Number<3>());
    default: return f(Number<4>());
  }
}

// The same from N inputs to O outputs with all their weights in registers.
template <class T, int N, int O>
void narrow_product(Rows<T> A, Weights<T> W, const T* b, std::size_t o, std::size_t samples, T* Z) {
  using V = Vec<T>;
  V w[O][N], bias[O];
  for (int j = 0; j < O; ++j) {
    bias[j] = V::all(b ? b[o + j] : T(0));
    for (int i = 0; i < N; ++i) w[j][i] = V::all(W(i, o + j));
  }
  for (std::size_t s = 0; s < samples; s += V::width) {
    V a[N];
    for (int i = 0; i < N; ++i) a[i] = A.load(i, s);
    for (int j = 0; j < O; ++j) {
      V z = bias[j];
      for (int i = 0; i < N; ++i) z = fma(w[j][i], a[i], z);
      z.store(Z + (o + j) * A.stride + s);
    }
  }
}

// Z[o] = b[o] + sum_i W(i, o) A[i] for all outputs; b may be null. Panels share one stride.
template <class T>
void product(Rows<T> A, std::size_t inputs, Weights<T> W, const T* b, std::size_t outputs,
             std::size_t samples, T* Z) {
  if (inputs <= NARROW)
    return with_narrow(inputs, [&](auto n) {
      for (std::size_t o = 0; o < outputs; o += NARROW)
        with_narrow(outputs - o < NARROW ? outputs - o : NARROW, [&](auto m) {
          narrow_product<T, n.value, m.value>(A, W, b, o, samples, Z);
        });
    });
  std::size_t o = 0;
  for (; o + 4 <= outputs; o += 4) product_rows<T, 4>(A, inputs, W, b, o, samples, Z);
  switch (outputs - o) {
    case 3: return product_rows<T, 3>(A, inputs, W, b, o, samples, Z);
    case 2: return product_rows<T, 2>(A, inputs, W, b, o, samples, Z);
    case 1: return product_rows<T, 1>(A, inputs, W, b, o, samples, Z);
  }
}

// gradient[i * outputs + j] += sum over samples of A[i] D[j], for an I x J tile.
template <class T, int I, int J>
void gradient_tile(Rows<T> A, std::size_t i0, Rows<T> D, std::size_t j0, std::size_t samples,
                   double* gradient, std::size_t outputs) {
  using V = Vec<T>;
  constexpr int G = GROUP<T>;
  // As many lanes of the group at once as there are registers for; the rest in a pass of their own.
  constexpr int at_once = I * J * G <= REGISTERS - 4 ? G : 1;
  V acc[I][J][G];
  for (int first = 0; first < G; first += at_once) {
    V now[I][J][at_once];
    for (auto& row : now)
      for (auto& cell : row)
        for (V& one : cell) one = V::all(0);
    for (std::size_t s = first * V::width; s < samples; s += LANES<T>)
      for (int g = 0; g < at_once; ++g) {
        V d[J];
        for (int j = 0; j < J; ++j) d[j] = D.load(j0 + j, s + g * V::width);
        for (int i = 0; i < I; ++i) {
          V a = A.load(i0 + i, s + g * V::width);
          for (int j = 0; j < J; ++j) now[i][j][g] = fma(a, d[j], now[i][j][g]);
        }
      }
    for (int i = 0; i < I; ++i)
      for (int j = 0; j < J; ++j)
        for (int g = 0; g < at_once; ++g) acc[i][j][first + g] = now[i][j][g];
  }
  for (int i = 0; i < I; ++i)
    for (int j = 0; j < J; ++j)
      gradient[(i0 + i) * outputs + j0 + j] += double(lane_sum(acc[i][j]));
}

template <class T, int I>
void gradient_rows(Rows<T> A, std::size_t i, Rows<T> D, std::size_t outputs, std::size_t samples,
                   double* gradient) {
  constexpr int J = REGISTERS >= 32 ? 6 : 3;
  std::size_t j = 0;
  for (; j + J <= outputs; j += J) gradient_tile<T, I, J>(A, i, D, j, samples, gradient, outputs);
  for (; j + 2 <= outputs; j += 2) gradient_tile<T, I, 2>(A, i, D, j, samples, gradient, outputs);
  if (j < outputs) gradient_tile<T, I, 1>(A, i, D, j, samples, gradient, outputs);
}

template <class T>
void weight_gradient(Rows<T> A, std::size_t inputs, Rows<T> D, std::size_t outputs,
                     std::size_t samples, double* gradient) {
  std::size_t i = 0;
  for (; i + 4 <= inputs; i += 4) gradient_rows<T, 4>(A, i, D, outputs, samples, gradient);
  switch (inputs - i) {
    case 3: return gradient_rows<T, 3>(A, i, D, outputs, samples, gradient);
    case 2: return gradient_rows<T, 2>(A, i, D, outputs, samples, gradient);
    case 1: return gradient_rows<T, 1>(A, i, D, outputs, samples, gradient);
  }
}

}  // namespace glassnet::GLASSNET_ISA
