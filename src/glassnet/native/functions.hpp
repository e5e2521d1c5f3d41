// Hidden activations, value and derivative side by side. The names are plan.hpp's, in its order.
#pragma once

#include "math.hpp"

namespace glassnet::GLASSNET_ISA {

// The value h = last(middle(first(z))) comes in three steps (see in_three_steps); back(v, h) is v
// times the derivative dh/dz, from h alone.

struct Logistic {
  template <class P> GLASSNET_INLINE static Reduced<P> first(const P& z) {
    return reduce<-1>(clip(z, Constants<typename P::Scalar>::largest));
  }
  template <class P> GLASSNET_INLINE static Expanded<P> middle(const Reduced<P>& x) {
    return expand(x);
  }
  template <class P> GLASSNET_INLINE static P last(const Expanded<P>& e) {
    return P::all(1) / exp_plus(e, 1);
  }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return v * fnma(h, h, h);
  }
};

struct Tanh {
  template <class P> GLASSNET_INLINE static Reduced<P> first(const P& z) {
    return reduce<2>(clip(z, 20));  // tanh is 1 in either precision from there on
  }
  template <class P> GLASSNET_INLINE static Expanded<P> middle(const Reduced<P>& x) {
    return expand(x);
  }
  template <class P> GLASSNET_INLINE static P last(const Expanded<P>& e) {
    return exp_plus(e, -1) / exp_plus(e, 1);
  }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return v * fnma(h, h, P::all(1));
  }
};

struct Relu {
  template <class P> GLASSNET_INLINE static P first(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P middle(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P last(const P& z) { return max(P::all(0), z); }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P& h) {
    return if_gt(h, P::all(0), v, P::all(0));
  }
};

struct Identity {
  template <class P> GLASSNET_INLINE static P first(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P middle(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P last(const P& z) { return z; }
  template <class P> GLASSNET_INLINE static P back(const P& v, const P&) { return v; }
};

// Calls f with the type that belongs to the name, so that its loops are compiled for it.
template <class F> void with_activation(Activation activation, F f) {
  switch (activation) {
    case Activation::logistic: return f(Logistic());
    case Activation::tanh: return f(Tanh());
    case Activation::relu: return f(Relu());
    case Activation::identity: return f(Identity());
  }
}

}  // namespace glassnet::GLASSNET_ISA
