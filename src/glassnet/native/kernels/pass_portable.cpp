#include "kernels/vec_portable.hpp"
#define GLASSNET_ISA portable
#include "kernels/kernels.hpp"
