// e^x far below and above the normal range, log(1 + x), and the Gaussian's tail: what activations and
// losses need beyond math.hpp's exp and log, to a few units in the last place.
#pragma once

#include "kernels/math.hpp"

namespace glassnet::GLASSNET_ISA {

template <class T> struct Special;

// `tail` is (u + 4) Q(u) by powers of t = (u - 4) / (u + 4), see gaussian_tail below; computed by
// tools/gaussian_tail.py.
template <> struct Special<double> {
  static constexpr int lift = 64;
  static constexpr double up = 0x1p64, down = 0x1p-64;
  static constexpr double lowest = -752, highest = 710;  // e^lowest is 0, e^highest infinite
  static constexpr double huge = 0x1p1000;
  static constexpr double last_normal = 38.75;       // e^(-u^2/2) is 0 from there on
  static constexpr double last_tanh = 21.75;         // and so is e^-w(u), see GeluTanh
  static constexpr double tail[] = {
      0.75528513041575149325,   -0.60789664197189210796,  0.38713740074221454721,
      -0.18652185795965720076,  0.060396574890936264282,  -0.0075401889667284498713,
      -0.0034796923673883844162, 0.0016308184576158087701, 0.00013334431236708112847,
      -0.00023109493541021952892, -1.9082583174347645229e-6, 0.000035144687320663269164,
      7.1666619378219320311e-7, -5.9201774301040393075e-6, -6.2969778280402463192e-7,
      1.0215622012930907094e-6, 2.7180954941831504981e-7, -1.5497431587308392032e-7,
      -8.5417149459131429901e-8, 1.3285909329606024256e-8, 1.9627084481329454024e-8,
      1.9182297145703236588e-9, -2.5246704210551829426e-9, -7.2705429108152281642e-10};
  // 2 sqrt(2 / pi) and 0.044715 times that, each in two parts.
  static constexpr double linear = 1.5957691216057308, linear_low = -9.96930880911092e-17;
  static constexpr double cubic = 0.07135481627260025, cubic_low = -6.175149918155315e-19;
};

template <> struct Special<float> {
  static constexpr int lift = 32;
  static constexpr float up = 0x1p32f, down = 0x1p-32f;
  static constexpr float lowest = -109, highest = 89;
  static constexpr float huge = 0x1p100f;
  static constexpr float last_normal = 14.6f;
  static constexpr float last_tanh = 11;
  static constexpr float tail[] = {
      0.75528513051f,    -0.60789665804f,   0.38713737952f,   -0.18652130171f,
      0.060397341425f,   -0.0075452727324f, -0.0034883282636f, 0.0016460881936f,
      0.00016971247762f, -0.00023404601875f, -5.2425462612e-5f};
  static constexpr float linear = 1.5957692f, linear_low = -4.534068e-08f;
  static constexpr float cubic = 0.071354814f, cubic_low = 2.3988325e-09f;
};

// e^(x + low) for x <= 0 and a low part of at most a unit in x's last place, times 2^lift: it is a
// normal number wherever a small factor times e^x is one. NaN passes.
template <class P> GLASSNET_INLINE Expanded<P> lifted_exp(P x, const P& low) {
  using T = typename P::Scalar;
  using C = Constants<T>;
  using S = Special<T>;
  x = max(P::all(S::lowest), x);
  const P rounder = P::all(C::rounder + S::lift);
  P rounded = fma(x, P::all(C::log2e), rounder);
  P n = rounded - rounder;
  P r = fnma(n, P::all(C::ln2_lo), fnma(n, P::all(C::ln2_hi), x));
  return expand(Reduced<P>{shift_left<C::mantissa>(rounded), r + low});
}
template <class P> GLASSNET_INLINE P lower(const P& x) {
  return x * P::all(Special<typename P::Scalar>::down);
}

// e^x for any x: 0 below the normal numbers, infinite above the largest.
template <class P> GLASSNET_INLINE P exp_anywhere(P x) {
  using T = typename P::Scalar;
  using C = Constants<T>;
  using S = Special<T>;
  const P zero = P::all(0);
  x = min(P::all(S::highest), max(P::all(S::lowest), x));
  // The scale is kept away from both ends, by a power of two that is put back at last.
  const P rounder = if_gt(x, zero, P::all(C::rounder - S::lift), P::all(C::rounder + S::lift));
  P rounded = fma(x, P::all(C::log2e), rounder);
  P n = rounded - rounder;
  P r = fnma(n, P::all(C::ln2_lo), fnma(n, P::all(C::ln2_hi), x));
  P e = exp(expand(Reduced<P>{shift_left<C::mantissa>(rounded), r}));
  return e * if_gt(x, zero, P::all(S::up), P::all(S::down));
}

// log(1 + x) for x from 0 to 1.
template <class P> GLASSNET_INLINE P log1p(const P& x) {
  using T = typename P::Scalar;
  using C = Constants<T>;
  const P one = P::all(1), zero = P::all(0), limit = P::all(T(0.41421356237309505));
  // Above sqrt(2) - 1 it is log 2 + log((1 + x) / 2); either way f = argument - 1 is exact.
  P two = if_gt(x, limit, one, zero);
  P f = if_gt(x, limit, (x - one) * P::all(T(0.5)), x);
  P s = f / (P::all(2) + f);
  P z = s * s;
  P small = fnma(z, polynomial(C::log, z, z * z), f);
  return fma(two, P::all(C::ln2_hi), fnma(s, small, fma(two, P::all(C::ln2_lo), f)));
}

// Q(u) = e^(u^2/2) Phi(-u) for u >= 0, Phi the normal distribution function.
template <class P> GLASSNET_INLINE P gaussian_tail(const P& u) {
  const P four = P::all(4), inverse = P::all(1) / (u + four);
  P t = (u - four) * inverse;
  return polynomial(Special<typename P::Scalar>::tail, t, t * t) * inverse;
}

}  // namespace glassnet::GLASSNET_ISA
