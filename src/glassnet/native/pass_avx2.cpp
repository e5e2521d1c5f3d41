#include "vec_avx2.hpp"
#define GLASSNET_ISA avx2
#include "pass.hpp"

namespace glassnet::avx2 {
const Pass<float> pass32 = pass<float>;
const Pass<double> pass64 = pass<double>;
const Activate<float> activate32 = activate_vector<float>;
const Activate<double> activate64 = activate_vector<double>;
}  // namespace glassnet::avx2
