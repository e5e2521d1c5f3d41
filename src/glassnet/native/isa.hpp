// Which instruction sets this build has, and which of them this processor can run.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "plan.hpp"
#include "rates.hpp"

namespace glassnet {

struct Isa {
  const char* name;
  bool usable;
  Pass<float> pass32;
  Pass<double> pass64;
  Activate<float> activate32;
  Activate<double> activate64;
  MeasureRates rates32, rates64;
};

// Best first.
inline std::vector<Isa> isas() {
#if defined(GLASSNET_X86)
  __builtin_cpu_init();
  const bool fma = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool wide = fma && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return {{"avx512", wide, avx512::pass32, avx512::pass64, avx512::activate32, avx512::activate64,
           avx512::rates32, avx512::rates64},
          {"avx2", fma, avx2::pass32, avx2::pass64, avx2::activate32, avx2::activate64, avx2::rates32,
           avx2::rates64},
          {"portable", true, portable::pass32, portable::pass64, portable::activate32,
           portable::activate64, portable::rates32, portable::rates64}};
#else
  return {{"portable", true, portable::pass32, portable::pass64, portable::activate32,
           portable::activate64, portable::rates32, portable::rates64}};
#endif
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
