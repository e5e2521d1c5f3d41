// Hidden activations, value and derivative side by side. The names are plan.hpp's, in its order.
#pragma once

#include "kernels/special.hpp"

namespace glassnet::GLASSNET_ISA {

// Where `from_output`, the value h = last(middle(first(z))) comes in three steps (see
// for_chains), and back(v, h) is v times the derivative dh/dz, from h alone. The others give
// value and derivative together, from z, in functions_of_z.hpp.

// 1 / (1 + e^-z).
struct Logistic {
  static constexpr bool from_output = true;
  template <class P> GLASSNET_INLINE static Reduced<P> first(const P& z) {
    return reduce<-1>(clip(z, Constants<typename P::Scalar>::largest));
  }
  template <class P> GLASSNET_INLINE static Ratio<P> middle(const Reduced<P>& x) { return ratio(x); }
  template <class P> GLASSNET_INLINE static P last(const Ratio<P>& e) {
    P below = e.R - e.r;
    return below / fma(e.scale, e.R + e.r, below);
  }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return v * fnma(h, h, h);
  }
};

// (e^2z - 1) / (e^2z + 1), where scale - 1 keeps what is small exact.
struct Tanh {
  static constexpr bool from_output = true;
  template <class P> GLASSNET_INLINE static Reduced<P> first(const P& z) {
    return reduce<2>(clip(z, 20));  // tanh is 1 in either precision from there on
  }
  template <class P> GLASSNET_INLINE static Ratio<P> middle(const Reduced<P>& x) { return ratio(x); }
  template <class P> GLASSNET_INLINE static P last(const Ratio<P>& e) {
    P less = e.scale - P::all(1), more = e.scale + P::all(1);
    return fma(less, e.R, more * e.r) / fma(more, e.R, less * e.r);
  }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return v * fnma(h, h, P::all(1));
  }
};

struct Relu {
  static constexpr bool from_output = true;
  template <class P> GLASSNET_INLINE static P first(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P middle(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P last(const P& z) { return max(P::all(0), z); }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return if_gt(h, P::all(0), v, P::all(0));
  }
};

struct LeakyRelu {
  static constexpr bool from_output = true;
  template <class P> GLASSNET_INLINE static P leak(const P& x) {
    return x * P::all(typename P::Scalar(0.01));
  }
  template <class P> GLASSNET_INLINE static P first(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P middle(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P last(const P& z) { return max(leak(z), z); }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return if_gt(h, P::all(0), v, leak(v));
  }
};

struct Identity {
  static constexpr bool from_output = true;
  template <class P> GLASSNET_INLINE static P first(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P middle(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P last(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P&) { return v; }
};

// The derivative was stored on the way forward.
struct Stored {
  static constexpr bool from_output = false;
};

}  // namespace glassnet::GLASSNET_ISA
