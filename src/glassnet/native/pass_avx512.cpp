#include "vec_avx512.hpp"
#define GLASSNET_ISA avx512
#include "pass.hpp"

namespace glassnet::avx512 {
const Pass<float> pass32 = pass<float>;
const Pass<double> pass64 = pass<double>;
const Activate<float> activate32 = activate_vector<float>;
const Activate<double> activate64 = activate_vector<double>;
}  // namespace glassnet::avx512
