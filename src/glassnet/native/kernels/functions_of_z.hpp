// Hidden activations whose derivative cannot be had from the value alone, or not accurately:
// value_and_slope(z, h, slope) gives both, h and dh/dz, from z.
//
// Each is written in e^-|.|, which never overflows, and multiplies what is to be small by its lifted
// twin first (see lifted_exp): z e^z is a normal number where e^z is none any more. NaN passes, because
// it fails every comparison and the branch taken then computes with it.
#pragma once

#include "kernels/functions.hpp"

namespace glassnet::GLASSNET_ISA {

template <class P> GLASSNET_INLINE P minus_abs(const P& z) {
  return bit_or(z, P::all(typename P::Scalar(-0.0)));
}
// min(|z|, bound); NaN passes.
template <class P> GLASSNET_INLINE P abs_below(const P& z, typename P::Scalar bound) {
  return min(P::all(bound), max(z, P::all(0) - z));
}

// rise z above 0, fall (e^z - 1) below.
template <class P>
GLASSNET_INLINE void exponential_unit(const P& z, P& h, P& slope, double rise, double fall) {
  using T = typename P::Scalar;
  const P zero = P::all(0), one = P::all(1), up = P::all(T(rise)), down = P::all(T(fall));
  const Expanded<P> lifted = lifted_exp(min(zero, z), zero);
  P scale = lower(lifted.scale), below = down * fma(scale, lifted.p, scale - one);
  P e = down * lower(exp(lifted));
  h = if_gt(z, zero, up * z, below);
  slope = if_gt(z, zero, up, e);
}

struct Elu {
  static constexpr bool from_output = false;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    exponential_unit(z, h, slope, 1, 1);
  }
};

struct Selu {
  static constexpr bool from_output = false;
  static constexpr double scale = 1.0507009873554804934193349852946;
  static constexpr double scale_alpha = 1.7580993408473768599402175208123;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    exponential_unit(z, h, slope, scale, scale_alpha);
  }
};

// z Phi(z), Phi(-u) = e^(-u^2/2) Q(u). The slope is Phi(z) + z phi(z).
struct Gelu {
  static constexpr bool from_output = false;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    using T = typename P::Scalar;
    using S = Special<T>;
    const P zero = P::all(0), one = P::all(1), half = P::all(T(0.5));
    P u = abs_below(z, S::last_normal);
    // u^2 in two parts: an error of its last place alone would be one of hundreds in e^(-u^2/2).
    P square = u * u, low = fnma(u, u, square);
    P lifted = exp(lifted_exp(zero - half * square, half * low));
    P e = lower(lifted), Q = gaussian_tail(u);
    P G = fnma(u, P::all(T(0.39894228040143267794)), Q);
    h = if_gt(z, zero, z * fnma(e, Q, one), lower(minus_abs(u) * Q * lifted));
    slope = if_gt(z, zero, fnma(e, G, one), lower(lifted * G));
  }
};

// z (1 + tanh(w / 2)) / 2 = z / (1 + e^-w) with w = z (linear + cubic z^2), w in two parts.
struct GeluTanh {
  static constexpr bool from_output = false;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    using T = typename P::Scalar;
    using S = Special<T>;
    const P zero = P::all(0), one = P::all(1), linear = P::all(S::linear), cubic = P::all(S::cubic);
    P u = abs_below(z, S::last_tanh);
    P square = u * u, square_over = fnma(u, u, square);  // how far it is above u^2
    P product = cubic * square, product_over = fnma(cubic, square, product);
    P sum = linear + product, second = sum - linear;
    P sum_low = (linear - (sum - second)) + (product - second);
    P low = sum_low - product_over - cubic * square_over +
            fma(P::all(S::cubic_low), square, P::all(S::linear_low));
    P w = sum * u, w_over = fnma(sum, u, w);
    P lifted = exp(lifted_exp(zero - w, fnma(low, u, w_over)));
    P e = lower(lifted), d = one / (one + e);
    P rise = u * fma(P::all(T(3)), product, linear) * d;  // u w'(u) / (1 + e^-w)
    h = if_gt(z, zero, z * d, lower(minus_abs(u) * lifted * d));
    slope = if_gt(z, zero, d * fma(rise, e, one), lower(lifted * d * (one - rise)));
  }
};

// z / (1 + e^-z).
struct Silu {
  static constexpr bool from_output = false;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    const P zero = P::all(0), one = P::all(1);
    P x = max(P::all(Special<typename P::Scalar>::lowest), minus_abs(z));
    P lifted = exp(lifted_exp(x, zero)), e = lower(lifted), d = one / (one + e);
    h = if_gt(z, zero, z * d, lower(x * lifted * d));
    slope = if_gt(z, zero, fnma(x, e, one + e) * d * d, lower(lifted * ((one + x) + e) * d * d));
  }
};

// log(1 + e^z), without a threshold above which it is z.
struct Softplus {
  static constexpr bool from_output = false;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    const P zero = P::all(0), one = P::all(1);
    P e = lower(exp(lifted_exp(minus_abs(z), zero)));
    h = max(zero, z) + log1p(e);
    slope = if_gt(z, zero, one, e) / (one + e);
  }
};

// z / (1 + |z|).
struct Softsign {
  static constexpr bool from_output = false;
  template <class P> GLASSNET_INLINE static void value_and_slope(const P& z, P& h, P& slope) {
    const P one = P::all(1), x = clip(z, Special<typename P::Scalar>::huge);
    P d = one / (one + max(x, P::all(0) - x));
    h = x * d;
    slope = d * d;
  }
};

// plan.hpp, which knows no types, tells the same to what lays out the panels.
template <class A> constexpr bool agrees(Activation name) { return A::from_output != stores_slope(name); }
static_assert(agrees<Logistic>(Activation::logistic) && agrees<Tanh>(Activation::tanh) &&
              agrees<Relu>(Activation::relu) && agrees<LeakyRelu>(Activation::leaky_relu) &&
              agrees<Elu>(Activation::elu) && agrees<Selu>(Activation::selu) &&
              agrees<Gelu>(Activation::gelu) && agrees<GeluTanh>(Activation::gelu_tanh) &&
              agrees<Silu>(Activation::silu) && agrees<Softplus>(Activation::softplus) &&
              agrees<Softsign>(Activation::softsign) && agrees<Identity>(Activation::identity));

// Calls f with the type that belongs to the name, so that its loops are compiled for it.
template <class F> void with_activation(Activation activation, F f) {
  switch (activation) {
    case Activation::logistic: return f(Logistic());
    case Activation::tanh: return f(Tanh());
    case Activation::relu: return f(Relu());
    case Activation::leaky_relu: return f(LeakyRelu());
    case Activation::elu: return f(Elu());
    case Activation::selu: return f(Selu());
    case Activation::gelu: return f(Gelu());
    case Activation::gelu_tanh: return f(GeluTanh());
    case Activation::silu: return f(Silu());
    case Activation::softplus: return f(Softplus());
    case Activation::softsign: return f(Softsign());
    case Activation::identity: return f(Identity());
  }
}

// The same for the way back, where a stored slope comes before any function.
template <class F> void with_slope(Activation activation, bool stored, F f) {
  if (stored) return f(Stored());
  with_activation(activation, [&](auto activation) {
    using A = decltype(activation);
    if constexpr (A::from_output) f(activation);
  });
}

// n values of z in place by their h, and dh/dz into `slopes` where that is not null; n is a multiple of
// LANES.
template <class T, class A> void activate(A f, std::size_t n, T* z, T* slopes) {
  if constexpr (A::from_output) {
    for_chains<T, ABREAST>(
        0, n, [&](auto pack, std::size_t s) GLASSNET_LAMBDA { return f.first(pack.load(z + s)); },
        [&](const auto& x) GLASSNET_LAMBDA { return f.middle(x); },
        [&](const auto& x, std::size_t s) GLASSNET_LAMBDA { f.last(x).store(z + s); });
    if (slopes)
      for_packs<T>(0, n, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
        f.back(pack.all(1), pack.load(z + s)).store(slopes + s);
      });
  } else {
    for_packs<T>(0, n, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
      decltype(pack) h, slope;
      f.value_and_slope(pack.load(z + s), h, slope);
      h.store(z + s);
      slope.store(slopes + s);
    });
  }
}
// v times the derivative at the samples from s on, from the outputs h or the stored slopes; a function
// that needs none of the one kind gets null.
template <class A, class P, class T>
GLASSNET_INLINE P back_through(A activation, const P& v, const T* h, const T* slopes, std::size_t s) {
  if constexpr (A::from_output) return activation.back(v, P::load(h + s));
  else return v * P::load(slopes + s);
}

// `activate` by name, for one vector: `slopes` is never null.
template <class T> void activate_vector(Activation activation, std::size_t n, T* z, T* slopes) {
  with_activation(activation, [&](auto f) { activate<T>(f, n, z, slopes); });
}

}  // namespace glassnet::GLASSNET_ISA
