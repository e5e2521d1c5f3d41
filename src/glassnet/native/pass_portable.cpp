#include "vec_portable.hpp"
#define GLASSNET_ISA portable
#include "pass.hpp"

namespace glassnet::portable {
const Pass<float> pass32 = pass<float>;
const Pass<double> pass64 = pass<double>;
const Activate<float> activate32 = activate_vector<float>;
const Activate<double> activate64 = activate_vector<double>;
}  // namespace glassnet::portable
