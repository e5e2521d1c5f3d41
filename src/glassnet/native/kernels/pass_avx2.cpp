#include "kernels/vec_avx2.hpp"
#define GLASSNET_ISA avx2
#include "kernels/kernels.hpp"
