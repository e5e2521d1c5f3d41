#include "vec_portable.hpp"
#define GLASSNET_ISA portable
#include "pass.hpp"

namespace glassnet::portable {
const Pass<float> pass32 = pass<float>;
const Pass<double> pass64 = pass<double>;
}  // namespace glassnet::portable
