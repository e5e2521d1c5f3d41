// AVX2 with FMA: a line is two registers.
#pragma once

#include <immintrin.h>

#include "host/plan.hpp"

namespace glassnet::avx2 {

inline constexpr int REGISTERS = 16;
// Lines in a wide pack.
inline constexpr int WIDE = 2;
// Lines that go side by side through a long chain of operations.
inline constexpr int ABREAST = 1;

template <class T> struct Vec;

template <> struct Vec<double> {
  static constexpr int width = 4;
  __m256d v;
  static Vec all(double x) { return {_mm256_set1_pd(x)}; }
  static Vec load(const double* p) { return {_mm256_load_pd(p)}; }
  void store(double* p) const { _mm256_store_pd(p, v); }
  friend Vec operator+(Vec a, Vec b) { return {_mm256_add_pd(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_pd(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_pd(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm256_div_pd(a.v, b.v)}; }
};
using F64 = Vec<double>;
inline F64 fma(F64 a, F64 b, F64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
inline F64 fnma(F64 a, F64 b, F64 c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
inline F64 fnms(F64 a, F64 b, F64 c) { return {_mm256_fnmsub_pd(a.v, b.v, c.v)}; }
inline F64 min(F64 a, F64 b) { return {_mm256_min_pd(a.v, b.v)}; }
inline F64 max(F64 a, F64 b) { return {_mm256_max_pd(a.v, b.v)}; }
inline F64 if_ge(F64 a, F64 b, F64 x, F64 y) {
  return {_mm256_blendv_pd(y.v, x.v, _mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ))};
}
inline F64 if_gt(F64 a, F64 b, F64 x, F64 y) {
  return {_mm256_blendv_pd(y.v, x.v, _mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ))};
}
inline F64 if_eq(F64 a, F64 b, F64 x, F64 y) {
  return {_mm256_blendv_pd(y.v, x.v, _mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ))};
}
template <int bits> F64 shift_left(F64 a) {
  return {_mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(a.v), bits))};
}
template <int bits> F64 shift_right(F64 a) {
  return {_mm256_castsi256_pd(_mm256_srli_epi64(_mm256_castpd_si256(a.v), bits))};
}
inline F64 bit_and(F64 a, F64 b) { return {_mm256_and_pd(a.v, b.v)}; }
inline F64 bit_or(F64 a, F64 b) { return {_mm256_or_pd(a.v, b.v)}; }
inline double lane_sum(const F64 (&acc)[2]) {
  __m256d half = _mm256_add_pd(acc[0].v, acc[1].v);
  __m128d quarter = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  return _mm_cvtsd_f64(_mm_add_sd(quarter, _mm_unpackhi_pd(quarter, quarter)));
}

template <> struct Vec<float> {
  static constexpr int width = 8;
  __m256 v;
  static Vec all(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* p) { return {_mm256_load_ps(p)}; }
  void store(float* p) const { _mm256_store_ps(p, v); }
  friend Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
  friend Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
  friend Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
  friend Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
};
using F32 = Vec<float>;
inline F32 fma(F32 a, F32 b, F32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
inline F32 fnma(F32 a, F32 b, F32 c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
inline F32 fnms(F32 a, F32 b, F32 c) { return {_mm256_fnmsub_ps(a.v, b.v, c.v)}; }
inline F32 min(F32 a, F32 b) { return {_mm256_min_ps(a.v, b.v)}; }
inline F32 max(F32 a, F32 b) { return {_mm256_max_ps(a.v, b.v)}; }
inline F32 if_ge(F32 a, F32 b, F32 x, F32 y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ))};
}
inline F32 if_gt(F32 a, F32 b, F32 x, F32 y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ))};
}
inline F32 if_eq(F32 a, F32 b, F32 x, F32 y) {
  return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ))};
}
template <int bits> F32 shift_left(F32 a) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.v), bits))};
}
template <int bits> F32 shift_right(F32 a) {
  return {_mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a.v), bits))};
}
inline F32 bit_and(F32 a, F32 b) { return {_mm256_and_ps(a.v, b.v)}; }
inline F32 bit_or(F32 a, F32 b) { return {_mm256_or_ps(a.v, b.v)}; }
inline float lane_sum(const F32 (&acc)[2]) {
  __m256 half = _mm256_add_ps(acc[0].v, acc[1].v);
  __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
}

}  // namespace glassnet::avx2
