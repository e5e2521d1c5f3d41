// Tells which instruction sets this build has, and which of them this processor can run.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "host/plan.hpp"
#include "rates/rates.hpp"
#include "host/rules.hpp"

namespace glassnet {

struct Isa {
  const char* name;
  bool usable;
  const Kernels<float>* kernels32;
  const Kernels<double>* kernels64;
  MeasureRates rates32, rates64;

  template <class T> const Kernels<T>& kernels() const {
    if constexpr (sizeof(T) == 8) return *kernels64;
    else return *kernels32;
  }
};

// Best first.
inline std::vector<Isa> isas() {
#define GLASSNET_SET(name, usable) \
  {#name, usable, &name::kernels32, &name::kernels64, name::rates32, name::rates64}
#if defined(GLASSNET_X86)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool wide = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return {GLASSNET_SET(avx512, wide), GLASSNET_SET(avx2, fma), GLASSNET_SET(portable, true)};
#else
  return {GLASSNET_SET(portable, true)};
#endif
#undef GLASSNET_SET
}

// The set of that name, or the best usable one for "".
inline Isa choose_isa(const std::string& name) {
  std::string usable;
  for (const Isa& isa : isas()) {
    if (!isa.usable) continue;
    if (name.empty() || name == isa.name) return isa;
    usable += std::string(usable.empty() ? "" : ", ") + isa.name;
  }
  throw std::invalid_argument("GLASSNET_ISA is '" + name +
                              "', which this processor or build does not have; choose one of: " +
                              usable + ", or unset it.");
}

}  // namespace glassnet
