#include "kernels/vec_avx512.hpp"
#define GLASSNET_ISA avx512
#include "rates/measure.hpp"

namespace glassnet::avx512 {
const MeasureRates rates32 = measure<float>;
const MeasureRates rates64 = measure<double>;
}  // namespace glassnet::avx512
