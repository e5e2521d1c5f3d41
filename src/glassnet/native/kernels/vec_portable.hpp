// No intrinsics: a line is four vectors of 16 bytes in the notation that GCC and Clang share, which
// becomes NEON, SSE or scalar code. Each function is the twin of the intrinsic of the other two: the
// same operands, the same result, for NaN too (min and max give their second operand). Subnormal numbers
// are not promised: what only compares and passes on may flush them or not, but arithmetic leaves none.
#pragma once

#include <cmath>

#include "host/plan.hpp"

namespace glassnet::portable {

inline constexpr int REGISTERS = 32;
// Lines in a wide pack.
inline constexpr int WIDE = 1;
// Lines that go side by side through a long chain of operations.
inline constexpr int ABREAST = 1;

template <class T> struct Bits;
template <> struct Bits<double> {
  using type = std::int64_t;
  using Unsigned = std::uint64_t;
};
template <> struct Bits<float> {
  using type = std::int32_t;
  using Unsigned = std::uint32_t;
};

template <class T> struct Vec {
  static constexpr int width = 16 / sizeof(T);
  typedef T Values __attribute__((vector_size(16)));
  typedef typename Bits<T>::type Mask __attribute__((vector_size(16)));
  typedef typename Bits<T>::Unsigned Whole __attribute__((vector_size(16)));
  Values v;

  static Vec all(T x) { return {x - Values{}}; }
  static Vec load(const T* p) { return {*reinterpret_cast<const Values*>(p)}; }
  void store(T* p) const { *reinterpret_cast<Values*>(p) = v; }
  friend Vec operator+(Vec a, Vec b) { return {a.v + b.v}; }
  friend Vec operator-(Vec a, Vec b) { return {a.v - b.v}; }
  friend Vec operator*(Vec a, Vec b) { return {a.v * b.v}; }
  friend Vec operator/(Vec a, Vec b) { return {a.v / b.v}; }
};
template <class T> Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  for (int i = 0; i < Vec<T>::width; ++i) c.v[i] = std::fma(a.v[i], b.v[i], c.v[i]);
  return c;
}
template <class T> Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) { return fma(Vec<T>{-a.v}, b, c); }
template <class T> Vec<T> fnms(Vec<T> a, Vec<T> b, Vec<T> c) { return fma(Vec<T>{-a.v}, b, Vec<T>{-c.v}); }
template <class T> Vec<T> min(Vec<T> a, Vec<T> b) { return {a.v < b.v ? a.v : b.v}; }
template <class T> Vec<T> max(Vec<T> a, Vec<T> b) { return {a.v > b.v ? a.v : b.v}; }
template <class T> Vec<T> if_ge(Vec<T> a, Vec<T> b, Vec<T> x, Vec<T> y) {
  return {a.v >= b.v ? x.v : y.v};
}
template <class T> Vec<T> if_gt(Vec<T> a, Vec<T> b, Vec<T> x, Vec<T> y) {
  return {a.v > b.v ? x.v : y.v};
}
template <class T> Vec<T> if_eq(Vec<T> a, Vec<T> b, Vec<T> x, Vec<T> y) {
  return {a.v == b.v ? x.v : y.v};
}
template <int bits, class T> Vec<T> shift_left(Vec<T> a) {
  return {(typename Vec<T>::Values)((typename Vec<T>::Whole)a.v << bits)};
}
template <int bits, class T> Vec<T> shift_right(Vec<T> a) {
  return {(typename Vec<T>::Values)((typename Vec<T>::Whole)a.v >> bits)};
}
template <class T> Vec<T> bit_and(Vec<T> a, Vec<T> b) {
  return {(typename Vec<T>::Values)((typename Vec<T>::Whole)a.v & (typename Vec<T>::Whole)b.v)};
}
template <class T> Vec<T> bit_or(Vec<T> a, Vec<T> b) {
  return {(typename Vec<T>::Values)((typename Vec<T>::Whole)a.v | (typename Vec<T>::Whole)b.v)};
}
template <class T> T lane_sum(const Vec<T> (&acc)[4]) {
  const auto quarter = (acc[0].v + acc[2].v) + (acc[1].v + acc[3].v);
  if constexpr (sizeof(T) == 8) return quarter[0] + quarter[1];
  else return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

}  // namespace glassnet::portable
