#pragma once
#include <cmath>
#include "math.hpp"
#include "rules.hpp"
namespace glassnet::GLASSNET_ISA {
template <class T> void update(const Step<T>& s, std::size_t b, std::size_t e) {
  const double b1=s.rule->coefficients[0], b2=s.rule->coefficients[1];
  const T c1=T(s.rate/(1-std::pow(b1,double(s.t)))), c2=T(1/std::sqrt(1-std::pow(b2,double(s.t)))), eps=T(s.rule->coefficients[2]);
  const T m1=T(b1), m2=T(b2), n1=T(1-b1), n2=T(1-b2);
  T* __restrict m=s.state; T* __restrict v=s.state+s.stride; T* __restrict th=s.theta; const T* __restrict g=s.gradient;
  for (std::size_t p=b;p<e;++p){ m[p]=m1*m[p]+n1*g[p]; v[p]=m2*v[p]+n2*(g[p]*g[p]); th[p]-=c1*m[p]/(std::sqrt(v[p])*c2+eps);}
}
template <class T> double penalize(const Rule&, const T*, const T*, T*, std::size_t, std::size_t) { return 0; }
template <class T> double clip(const Rule&, T*, std::size_t, std::size_t) { return 0; }
}
