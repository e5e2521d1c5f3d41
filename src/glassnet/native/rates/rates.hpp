// How fast this processor issues vector arithmetic: what the benchmark's bound is counted in.
#pragma once

namespace glassnet {

// Seconds per vector instruction where nothing waits for anything else; `mixed` is over fma and add
// in equal parts, which some processors have separate units for.
struct Rates {
  int lanes;  // samples in a vector
  double fma, add, divide, mixed;
};

// Measures for about so many seconds.
using MeasureRates = Rates (*)(double seconds);

namespace avx512 {
extern const MeasureRates rates32, rates64;
}
namespace avx2 {
extern const MeasureRates rates32, rates64;
}
namespace portable {
extern const MeasureRates rates32, rates64;
}

}  // namespace glassnet
