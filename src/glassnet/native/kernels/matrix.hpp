// The products of panels: Z = W^T A + b, its transpose, and the weight gradients A D^T.
//
// Every product sums in one order, whatever the tiles: over the inputs from the first on, and over
// samples per lane. The tiles only decide what stays in registers.
#pragma once

#include "kernels/math.hpp"

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

// Inputs that a product takes at a time: their part of a tile of A stays in the nearest cache.
inline constexpr std::size_t DEPTH = 64;

// Z[o .. o + O] for S vectors of samples. The sum goes on from Z where `b` is not given a row of.
template <class T, int O, int S>
void product_tile(Rows<T> A, std::size_t from, std::size_t to, Weights<T> W, const T* b,
                  std::size_t o, std::size_t sample, T* Z) {
  using V = Vec<T>;
  V acc[O][S];
  T* const z = Z + o * A.stride + sample;
#pragma GCC unroll 16
  for (int j = 0; j < O; ++j)
#pragma GCC unroll 16
    for (int s = 0; s < S; ++s)
      acc[j][s] = from > 0 ? V::load(z + j * A.stride + s * V::width) : V::all(b ? b[o + j] : T(0));
  for (std::size_t i = from; i < to; ++i) {
    V a[S];
#pragma GCC unroll 16
    for (int s = 0; s < S; ++s) a[s] = A.load(i, sample + s * V::width);
#pragma GCC unroll 16
    for (int j = 0; j < O; ++j) {
      V w = V::all(W(i, o + j));
#pragma GCC unroll 16
      for (int s = 0; s < S; ++s) acc[j][s] = fma(w, a[s], acc[j][s]);
    }
  }
#pragma GCC unroll 16
  for (int j = 0; j < O; ++j)
#pragma GCC unroll 16
    for (int s = 0; s < S; ++s) acc[j][s].store(z + j * A.stride + s * V::width);
}

// The same for all outputs. Few vectors of samples go with many outputs, so that there are always
// enough chains of sums to keep the processor busy.
template <class T, int S>
void product_columns(Rows<T> A, std::size_t from, std::size_t to, Weights<T> W, const T* b,
                     std::size_t outputs, std::size_t sample, T* Z) {
  constexpr int O = S * 8 <= REGISTERS - 8 ? 8 : 4;
  std::size_t o = 0;
  for (; o + O <= outputs; o += O) product_tile<T, O, S>(A, from, to, W, b, o, sample, Z);
  if (O > 4 && o + 4 <= outputs) {
    product_tile<T, 4, S>(A, from, to, W, b, o, sample, Z);
    o += 4;
  }
  switch (outputs - o) {
    case 3: return product_tile<T, 3, S>(A, from, to, W, b, o, sample, Z);
    case 2: return product_tile<T, 2, S>(A, from, to, W, b, o, sample, Z);
    case 1: return product_tile<T, 1, S>(A, from, to, W, b, o, sample, Z);
  }
}

inline constexpr int NARROW = 4;

// Calls f with n, from 1 to `most`, as a compile-time number.
template <int n> struct Number {
  static constexpr int value = n;
};
template <int most, class F> void with_number(std::size_t n, F f) {
  if constexpr (most > 1)
    if (n < most) return with_number<most - 1>(n, f);
  f(Number<most>());
}
template <class F> void with_narrow(std::size_t n, F f) { with_number<NARROW>(n, f); }

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
  constexpr std::size_t most = REGISTERS >= 32 ? 6 : 3;
  // Tiles as equal as can be: a narrow last one would leave the processor waiting.
  const std::size_t vectors = samples / Vec<T>::width, tiles = (vectors + most - 1) / most;
  for (std::size_t from = 0; from < inputs; from += DEPTH) {
    const std::size_t to = inputs - from < DEPTH ? inputs : from + DEPTH;
    for (std::size_t t = 0; t < tiles; ++t) {
      const std::size_t first = vectors * t / tiles, count = vectors * (t + 1) / tiles - first;
      const std::size_t s = first * Vec<T>::width;
      switch (count) {
        case 1: product_columns<T, 1>(A, from, to, W, b, outputs, s, Z); break;
        case 2: product_columns<T, 2>(A, from, to, W, b, outputs, s, Z); break;
        case 3: product_columns<T, 3>(A, from, to, W, b, outputs, s, Z); break;
        case 4: product_columns<T, most >= 4 ? 4 : 1>(A, from, to, W, b, outputs, s, Z); break;
        case 5: product_columns<T, most >= 5 ? 5 : 1>(A, from, to, W, b, outputs, s, Z); break;
        case 6: product_columns<T, most >= 6 ? 6 : 1>(A, from, to, W, b, outputs, s, Z); break;
      }
    }
  }
}

// Weight gradients, sum over samples of A[i] D[j], go to a sink that is called with each row's values:
// sink(i, j, count, values) for outputs j .. j + count of input i.

// An I x J tile of few outputs: summed per lane, the lanes folded at the end.
template <class T, int I, int J, class Sink>
void gradient_tile(Rows<T> A, std::size_t i0, Rows<T> D, std::size_t j0, std::size_t samples,
                   const Sink& sink) {
  using V = Vec<T>;
  constexpr int G = GROUP<T>;
  // As many lanes of the line at once as there are registers for; the rest in a pass of their own.
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
  for (int i = 0; i < I; ++i) {
    T values[J];
    for (int j = 0; j < J; ++j) values[j] = lane_sum(acc[i][j]);
    sink(i0 + i, j0, std::size_t(J), values);
  }
}

template <class T, int J, class Sink>
void gradient_columns(Rows<T> A, std::size_t begin, std::size_t end, Rows<T> D, std::size_t j,
                      std::size_t samples, const Sink& sink) {
  std::size_t i = begin;
  for (; i + 4 <= end; i += 4) gradient_tile<T, 4, J>(A, i, D, j, samples, sink);
  switch (end - i) {
    case 3: return gradient_tile<T, 3, J>(A, i, D, j, samples, sink);
    case 2: return gradient_tile<T, 2, J>(A, i, D, j, samples, sink);
    case 1: return gradient_tile<T, 1, J>(A, i, D, j, samples, sink);
  }
}

// Inputs begin .. end, to at most NARROW outputs.
template <class T, class Sink>
void narrow_gradient(Rows<T> A, std::size_t begin, std::size_t end, Rows<T> D, std::size_t outputs,
                     std::size_t samples, const Sink& sink) {
  constexpr int J = REGISTERS >= 32 ? 4 : 2;
  std::size_t j = 0;
  for (; j + J <= outputs; j += J) gradient_columns<T, J>(A, begin, end, D, j, samples, sink);
  if (J > 3 && outputs - j == 3) return gradient_columns<T, 3>(A, begin, end, D, j, samples, sink);
  if (J > 2 && outputs - j == 2) return gradient_columns<T, 2>(A, begin, end, D, j, samples, sink);
  if (outputs > j) gradient_columns<T, 1>(A, begin, end, D, j, samples, sink);
}

// An I x J tile of many outputs, which lie in the lanes: D[s] holds a sample's errors side by side, and
// each weight has one sum over the samples from the first on. Nothing is folded at the end, which
// matters where a batch has few samples.
template <class T, int I, int J, class Sink>
void wide_gradient_tile(Rows<T> A, std::size_t i0, Rows<T> D, std::size_t j0, std::size_t outputs,
                        std::size_t samples, const Sink& sink) {
  using V = Vec<T>;
  V acc[I][J];
#pragma GCC unroll 16
  for (int i = 0; i < I; ++i)
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) acc[i][j] = V::all(0);
  const T* a = A.data + i0 * A.stride;
  const T* d = D.data + j0;
  for (std::size_t s = 0; s < samples; ++s, d += D.stride) {
    V e[J];
#pragma GCC unroll 16
    for (int j = 0; j < J; ++j) e[j] = V::load(d + j * V::width);
#pragma GCC unroll 16
    for (int i = 0; i < I; ++i) {
      V one = V::all(a[i * A.stride + s]);
#pragma GCC unroll 16
      for (int j = 0; j < J; ++j) acc[i][j] = fma(one, e[j], acc[i][j]);
    }
  }
  alignas(64) T values[J * V::width];
  const std::size_t count = outputs - j0 < J * V::width ? outputs - j0 : J * V::width;
  for (int i = 0; i < I; ++i) {
    for (int j = 0; j < J; ++j) acc[i][j].store(values + j * V::width);
    sink(i0 + i, j0, count, values);
  }
}

// Rows in tiles as equal as can be: one of few rows takes as long as one of many.
template <class T, int J, class Sink>
void wide_gradient_columns(Rows<T> A, std::size_t begin, std::size_t end, Rows<T> D, std::size_t j,
                           std::size_t outputs, std::size_t samples, const Sink& sink) {
  constexpr int I = REGISTERS >= 32 ? (J <= 2 ? 12 : J == 3 ? 8 : 6) : J == 1 ? 8 : 4;
  const std::size_t rows = end - begin, tiles = (rows + I - 1) / I;
  for (std::size_t t = 0; t < tiles; ++t) {
    const std::size_t first = rows * t / tiles, count = rows * (t + 1) / tiles - first;
    with_number<I>(count, [&](auto n) {
      wide_gradient_tile<T, n.value, J>(A, begin + first, D, j, outputs, samples, sink);
    });
  }
}

// Inputs begin .. end; D is [samples][outputs, filled up with zeros to whole lines].
template <class T, class Sink>
void wide_gradient(Rows<T> A, std::size_t begin, std::size_t end, Rows<T> D, std::size_t outputs,
                   std::size_t samples, const Sink& sink) {
  constexpr std::size_t J = REGISTERS >= 32 ? 4 : 3;
  const std::size_t vectors = (outputs + Vec<T>::width - 1) / Vec<T>::width;
  const std::size_t tiles = (vectors + J - 1) / J;
  for (std::size_t t = 0; t < tiles; ++t) {
    const std::size_t first = vectors * t / tiles, count = vectors * (t + 1) / tiles - first;
    const std::size_t j = first * Vec<T>::width;
    switch (count) {
      case 1: wide_gradient_columns<T, 1>(A, begin, end, D, j, outputs, samples, sink); break;
      case 2: wide_gradient_columns<T, 2>(A, begin, end, D, j, outputs, samples, sink); break;
      case 3: wide_gradient_columns<T, 3>(A, begin, end, D, j, outputs, samples, sink); break;
      case 4: wide_gradient_columns<T, J >= 4 ? 4 : 1>(A, begin, end, D, j, outputs, samples, sink); break;
    }
  }
}

}  // namespace glassnet::GLASSNET_ISA
