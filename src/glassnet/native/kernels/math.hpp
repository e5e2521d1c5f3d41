// exp, expm1 and log on vectors, and sums over the lanes of a line.
//
// Compiled once per instruction set, in that set's namespace (GLASSNET_ISA). Only explicit fma and
// contraction off (see CMakeLists.txt), so that each set rounds at the same places.
#pragma once

#include <iterator>
#include <utility>

// Formulas are small and everything in them must end up in registers. Where the processor has no fma
// each one is a call, and inlining would only make compiling slow.
#if defined(__FP_FAST_FMA)
#define GLASSNET_INLINE [[gnu::always_inline]] inline
#define GLASSNET_LAMBDA __attribute__((always_inline))
#else
#define GLASSNET_INLINE inline
#define GLASSNET_LAMBDA
#endif

namespace glassnet::GLASSNET_ISA {

// Vectors in a line.
template <class T> inline constexpr int GROUP = LANES<T> / Vec<T>::width;

// N lines side by side. Formulas are written for packs, and N is chosen so that a processor always
// has independent work while one chain of operations waits.
template <class T, int N> struct Pack {
  using Scalar = T;
  static constexpr int vectors = N * GROUP<T>, samples = N * int(LANES<T>);
  Vec<T> v[vectors];

  // {f(0), f(1), ...} with the loop written out: GCC 12 leaves an array that a loop walks in memory.
  template <class F> GLASSNET_INLINE static Pack make(const F& f) {
    return spelled_out(f, std::make_integer_sequence<int, vectors>());
  }
  GLASSNET_INLINE static Pack all(T x) {
    const Vec<T> same = Vec<T>::all(x);
    return make([&](int) GLASSNET_LAMBDA { return same; });
  }
  GLASSNET_INLINE static Pack load(const T* p) {
    return make([&](int i) GLASSNET_LAMBDA { return Vec<T>::load(p + i * Vec<T>::width); });
  }
  GLASSNET_INLINE void store(T* p) const {
    make([&](int i) GLASSNET_LAMBDA { return v[i].store(p + i * Vec<T>::width), v[i]; });
  }
  GLASSNET_INLINE friend Pack operator+(const Pack& a, const Pack& b) {
    return make([&](int i) GLASSNET_LAMBDA { return a.v[i] + b.v[i]; });
  }
  GLASSNET_INLINE friend Pack operator-(const Pack& a, const Pack& b) {
    return make([&](int i) GLASSNET_LAMBDA { return a.v[i] - b.v[i]; });
  }
  GLASSNET_INLINE friend Pack operator*(const Pack& a, const Pack& b) {
    return make([&](int i) GLASSNET_LAMBDA { return a.v[i] * b.v[i]; });
  }
  GLASSNET_INLINE friend Pack operator/(const Pack& a, const Pack& b) {
    return make([&](int i) GLASSNET_LAMBDA { return a.v[i] / b.v[i]; });
  }

 private:
  template <class F, int... i>
  GLASSNET_INLINE static Pack spelled_out(const F& f, std::integer_sequence<int, i...>) {
    return {{f(i)...}};
  }
};
#define GLASSNET_PACKED(f)                                                    \
  template <class T, int N, class... More>                                     \
  GLASSNET_INLINE Pack<T, N> f(const Pack<T, N>& a, const More&... more) {     \
    return Pack<T, N>::make([&](int i) GLASSNET_LAMBDA { return f(a.v[i], more.v[i]...); }); \
  }
GLASSNET_PACKED(min)
GLASSNET_PACKED(max)
GLASSNET_PACKED(bit_and)
GLASSNET_PACKED(bit_or)
GLASSNET_PACKED(fma)
GLASSNET_PACKED(fnma)
GLASSNET_PACKED(fnms)
GLASSNET_PACKED(if_ge)
GLASSNET_PACKED(if_gt)
GLASSNET_PACKED(if_eq)
template <int bits, class T, int N> GLASSNET_INLINE Pack<T, N> shift_left(const Pack<T, N>& a) {
  return Pack<T, N>::make([&](int i) GLASSNET_LAMBDA { return shift_left<bits>(a.v[i]); });
}
template <int bits, class T, int N> GLASSNET_INLINE Pack<T, N> shift_right(const Pack<T, N>& a) {
  return Pack<T, N>::make([&](int i) GLASSNET_LAMBDA { return shift_right<bits>(a.v[i]); });
}

// Calls f(pack type, first sample) over samples begin to end, whole lines: wide packs, then what is
// left line by line.
template <class T, class F> GLASSNET_INLINE void for_packs(std::size_t begin, std::size_t end, const F& f) {
  std::size_t s = begin;
  for (; s + WIDE * LANES<T> <= end; s += WIDE * LANES<T>) f(Pack<T, WIDE>(), s);
  for (; s < end; s += LANES<T>) f(Pack<T, 1>(), s);
}

// The same for long chains of operations: last(middle(first(pack type, sample)), sample) for every line.
// One chain would leave most of the processor waiting. Where there are registers enough, ABREAST lines go
// side by side; then each round does the last step of one line, the middle one of the next and the first
// one of the next but one.
template <class T, int abreast, class First, class Middle, class Last>
GLASSNET_INLINE void for_chains(std::size_t begin, std::size_t end, const First& first, const Middle& middle,
                                const Last& last) {
  constexpr std::size_t step = LANES<T>;
  using One = Pack<T, 1>;
  std::size_t s = begin;
  if constexpr (abreast > 1)
    for (; s + abreast * step <= end; s += abreast * step)
      last(middle(first(Pack<T, abreast>(), s)), s);
  if (s + step >= end) {
    if (s < end) last(middle(first(One(), s)), s);
    return;
  }
  auto two = middle(first(One(), s));
  auto one = first(One(), s + step);
  for (; s + 2 * step < end; s += step) {
    last(two, s);
    two = middle(one);
    one = first(One(), s + 2 * step);
  }
  last(two, s);
  last(middle(one), s + step);
}

template <class T> struct Constants;

// The polynomials are near-minimax: the Chebyshev interpolants, computed in 60 digits, of
//   expm1:  (e^r - 1 - r) / r^2                  for |r| <= ln(2)/2
//   coth:   (r coth(r/2) - 2) / r^2 in t = r^2    for |r| <= ln(2)/2
//   log:    (2 atanh(s) - 2 s) / s^3 in z = s^2  for |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)
template <> struct Constants<double> {
  static constexpr int mantissa = 52;
  // Adding it rounds to a whole number n and leaves n plus the exponent's bias in the low bits.
  static constexpr double rounder = 0x1.8p52 + 1023;
  static constexpr double log2e = 0x1.71547652b82fep+0;
  static constexpr double ln2_hi = 0x1.62e42fefa39efp-1, ln2_lo = 2.3190468138462996e-17;
  static constexpr double largest = 708;  // e^+-708 are normal numbers
  static constexpr double expm1[] = {
      0.50000000000000010221,    0.16666666666666667453,   0.041666666666624127873,
      0.0083333333333300618325,  0.0013888888917213716901, 0.00019841269863053616878,
      0.000024801521295954375131, 2.7557268459997064772e-6, 2.7620088445409748161e-7,
      2.5100385495510319078e-8};
  static constexpr double coth[] = {0.16666666666666661543, -0.0027777777777564486538,
                                    0.000066137564716653568171, -1.6534060099911120064e-6,
                                    4.1437694230358818004e-8};
  static constexpr double log[] = {0.66666666666666697077, 0.39999999999898890514,
                                   0.28571428626253837606, 0.22222211089379496214,
                                   0.18182892432536871201, 0.15331611722055007885,
                                   0.14617807153417324964};
  static constexpr std::uint64_t mantissa_mask = 0x000fffffffffffff;
  static constexpr double two_to_mantissa = 0x1p52;
  static constexpr double product_bits = 1000;  // a running product stays below 2^1000
};

template <> struct Constants<float> {
  static constexpr int mantissa = 23;
  static constexpr float rounder = 0x1.8p23f + 127;
  static constexpr float log2e = 1.44269504f;
  static constexpr float ln2_hi = 0.693147182f, ln2_lo = -1.90465430e-9f;
  static constexpr float largest = 87;
  static constexpr float expm1[] = {0.5f, 0.1666657699f, 0.041666554617f, 0.0083631790527f,
                                    0.0013926183588f};
  static constexpr float coth[] = {0.16666654769f, -0.0027698538078f};
  static constexpr float log[] = {0.66666685095f, 0.39988757717f, 0.2958098593f};
  static constexpr std::uint32_t mantissa_mask = 0x007fffff;
  static constexpr float two_to_mantissa = 0x1p23f;
  static constexpr double product_bits = 120;
};

// c[0] + c[1] x + c[2] x^2 + ...; even and odd powers in chains of their own, which wait half as long.
template <class T, int n, class P> GLASSNET_INLINE P polynomial(const T (&c)[n], P x, P x2) {
  constexpr int even = (n - 1) / 2 * 2, odd = n / 2 * 2 - 1;
  P p = P::all(c[even]), q = P::all(c[odd]);
  for (int i = even - 2; i >= 0; i -= 2) p = fma(p, x2, P::all(c[i]));
  for (int i = odd - 2; i >= 0; i -= 2) q = fma(q, x2, P::all(c[i]));
  return fma(q, x, p);
}

// e^(factor x) = scale e^r with scale a power of two and |r| <= ln(2)/2, for |factor x| <= largest.
// The factor is 1, -1 or 2: multiplying by it is exact.
template <class P> struct Reduced {
  P scale, r;
};
template <int factor, class P> GLASSNET_INLINE Reduced<P> reduce(const P& x) {
  using C = Constants<typename P::Scalar>;
  const P rounder = P::all(C::rounder);
  P rounded = fma(x, P::all(factor * C::log2e), rounder);
  P n = rounded - rounder, high = P::all(C::ln2_hi), r;
  if constexpr (factor == -1) r = fnms(n, high, x);
  else if constexpr (factor == 1) r = fnma(n, high, x);
  else r = fnma(n, high, x + x);
  return {shift_left<C::mantissa>(rounded), fnma(n, P::all(C::ln2_lo), r)};
}
// The same as scale (1 + p).
template <class P> struct Expanded {
  P scale, p;
};
template <class P> GLASSNET_INLINE Expanded<P> expand(const Reduced<P>& x) {
  P r2 = x.r * x.r;
  return {x.scale, fma(r2, polynomial(Constants<typename P::Scalar>::expm1, x.r, r2), x.r)};
}
template <class P> GLASSNET_INLINE P exp(const Expanded<P>& x) { return fma(x.scale, x.p, x.scale); }

// The same as scale (R + r) / (R - r) with R = r coth(r/2), which takes half the polynomial: for what
// divides anyway.
template <class P> struct Ratio {
  P scale, r, R;
};
template <class P> GLASSNET_INLINE Ratio<P> ratio(const Reduced<P>& x) {
  constexpr auto& c = Constants<typename P::Scalar>::coth;
  P t = x.r * x.r, p = P::all(c[std::size(c) - 1]);
  for (int i = int(std::size(c)) - 2; i >= 0; --i) p = fma(p, t, P::all(c[i]));
  return {x.scale, x.r, fma(p, t, P::all(2))};
}

// NaN passes through both, because min and max give their second operand.
template <class P> GLASSNET_INLINE P clip(P x, typename P::Scalar bound) {
  return min(P::all(bound), max(P::all(-bound), x));
}
// For e^x with x <= 0, which is never below the least normal number.
template <class P> GLASSNET_INLINE Reduced<P> reduce_negative(const P& x) {
  return reduce<1>(max(P::all(-Constants<typename P::Scalar>::largest), x));
}

// The natural logarithm of a positive normal number.
template <class P> GLASSNET_INLINE P log(P x) {
  using T = typename P::Scalar;
  using C = Constants<T>;
  constexpr T bias = T((1 << (sizeof(T) * 8 - 2 - C::mantissa)) - 1);
  const P one = P::all(1), root2 = P::all(T(1.4142135623730951));
  // The exponent's bits under those of 2^mantissa make that number plus the exponent.
  P e = bit_or(shift_right<C::mantissa>(x), P::all(C::two_to_mantissa)) -
        P::all(C::two_to_mantissa + bias);
  P m = bit_or(bit_and(x, P::all(__builtin_bit_cast(T, C::mantissa_mask))), one);
  e = if_gt(m, root2, e + one, e);
  m = if_gt(m, root2, m * P::all(T(0.5)), m);
  P f = m - one;
  P s = f / (P::all(2) + f);
  P z = s * s;
  P small = fma(s * z, polynomial(C::log, z, z * z), e * P::all(C::ln2_lo));
  return fma(e, P::all(C::ln2_hi), (s + s) + small);
}

// One sum per lane of a line, folded in halves at the end.
template <class T> struct LaneSum {
  Vec<T> acc[GROUP<T>];
  LaneSum() {
    for (auto& a : acc) a = Vec<T>::all(0);
  }
  template <int N> GLASSNET_INLINE void add(Pack<T, N> x) {
    for (int i = 0; i < x.vectors; ++i) acc[i % GROUP<T>] = acc[i % GROUP<T>] + x.v[i];
  }
  template <int N> GLASSNET_INLINE void add_product(Pack<T, N> x, Pack<T, N> y) {
    for (int i = 0; i < x.vectors; ++i)
      acc[i % GROUP<T>] = fma(x.v[i], y.v[i], acc[i % GROUP<T>]);
  }
  double total() const { return double(lane_sum(acc)); }
};

}  // namespace glassnet::GLASSNET_ISA
