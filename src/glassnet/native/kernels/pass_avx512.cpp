#include "kernels/vec_avx512.hpp"
#define GLASSNET_ISA avx512
#include "kernels/kernels.hpp"
