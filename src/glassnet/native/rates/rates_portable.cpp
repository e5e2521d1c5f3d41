#include "kernels/vec_portable.hpp"
#define GLASSNET_ISA portable
#include "rates/measure.hpp"

namespace glassnet::portable {
const MeasureRates rates32 = measure<float>;
const MeasureRates rates64 = measure<double>;
}  // namespace glassnet::portable
