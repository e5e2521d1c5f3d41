// Collects the kernels of one instruction set, which the including file names by GLASSNET_ISA.
#pragma once

#include "kernels/batch.hpp"
#include "kernels/curvature.hpp"
#include "kernels/forward.hpp"
#include "kernels/pass.hpp"
#include "kernels/updates.hpp"

namespace glassnet::GLASSNET_ISA {

template <class T>
constexpr Kernels<T> KERNELS = {pass<T>,
                                activate_vector<T>,
                                {batch_errors<T>, batch_gradient<T>},
                                all_updates<T>,
                                forward<T>,
                                {gauss_newton<T>, gauss_newton_product<T>},
                                all_finite<T>,
                                transpose_all<T>};
const Kernels<float> kernels32 = KERNELS<float>;
const Kernels<double> kernels64 = KERNELS<double>;

}  // namespace glassnet::GLASSNET_ISA
