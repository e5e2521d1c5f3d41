#include "kernels/vec_avx2.hpp"
#define GLASSNET_ISA avx2
#include "rates/measure.hpp"

namespace glassnet::avx2 {
const MeasureRates rates32 = measure<float>;
const MeasureRates rates64 = measure<double>;
}  // namespace glassnet::avx2
