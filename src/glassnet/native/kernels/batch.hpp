// The two steps of an update on a batch. Threads divide each step and wait only between the two.
//
//   errors:    gather samples, forward, loss, and every layer's error, for a range of samples
//   gradient:  the weight gradients, for a range of a layer's rows, over all samples
//
// No sum depends on how ranges are cut: a sample's values are its own, its loss is summed within its
// loss block, and each weight's gradient goes over the samples in one order.
#pragma once

#include "kernels/dropout.hpp"
#include "kernels/heads.hpp"
#include "kernels/transpose.hpp"

namespace glassnet::GLASSNET_ISA {

// Samples begin .. end of the batch, columns of the data becoming rows of panels.
template <class T>
void batch_gather(const BatchPlan<T>& plan, const BatchRows& batch, std::size_t begin, std::size_t end) {
  const std::size_t columns = plan.columns;
  auto row = [&](std::size_t s) GLASSNET_LAMBDA {
    if (s >= batch.rows) return plan.zeros;
    return plan.data + columns * (batch.order ? batch.order[batch.start + s] : batch.start + s);
  };
  if (columns <= NARROW)
    return with_narrow(columns, [&](auto n) {
      for (std::size_t s = begin; s < end; ++s) {
        const T* from = row(s);
        for (int k = 0; k < n.value; ++k) plan.targets[k * plan.stride + s] = from[k];
      }
    });
  transpose_rows<T, true>(row, begin, end, columns, plan.targets, plan.stride);
}

// Samples begin .. end, whole loss blocks; each loss block's loss goes into losses.
template <class T>
void batch_errors(const BatchPlan<T>& plan, const BatchRows& batch, const T* const* parameters,
                  std::size_t begin, std::size_t end, std::size_t loss_block, double* losses) {
  const std::size_t stride = plan.stride, samples = end - begin, layers = plan.layers;
  const std::size_t* widths = plan.widths;
  batch_gather(plan, batch, begin, end);
  for (std::size_t l = 1; l <= layers; ++l) {
    const std::size_t inputs = widths[l - 1], outputs = widths[l];
    const T* W = parameters[l];
    T* Z = (l < layers ? plan.hidden[l] : plan.errors[l]) + begin;
    product(Rows<T>{plan.hidden[l - 1] + begin, stride}, inputs, Weights<T>{W, outputs, 1},
            W + inputs * outputs, outputs, samples, Z);
    if (l == layers) break;
    T* const S = plan.slopes[l] ? plan.slopes[l] + begin : nullptr;
    with_activation(plan.activations[l - 1], [&](auto f) {
      for (std::size_t o = 0; o < outputs; ++o)
        activate<T>(f, samples, Z + o * stride, S ? S + o * stride : nullptr);
    });
    if (batch.masks.drops(l))
      for (std::size_t o = 0; o < outputs; ++o)
        drop(batch.masks, l, o, batch.before + begin, samples, Z + o * stride, S + o * stride);
  }
  for (std::size_t s = begin; s < end; s += loss_block) {
    const std::size_t stop = s + loss_block < end ? s + loss_block : end;
    const Lines<T> lines(s, stop, batch.rows, plan.weights);
    losses[s / loss_block] = output_errors<T>(plan, plan.errors[layers], plan.targets, widths[layers], stride,
                                         lines, [](std::size_t, const LaneSum<T>&) {});
  }
  for (std::size_t l = layers; l > 1; --l) {
    const std::size_t inputs = widths[l - 1], outputs = widths[l];
    T* D = plan.errors[l - 1] + begin;
    const T* H = plan.hidden[l - 1] + begin;
    product(Rows<T>{plan.errors[l] + begin, stride}, outputs, Weights<T>{parameters[l], 1, outputs},
            static_cast<const T*>(nullptr), inputs, samples, D);
    const T* const S = plan.slopes[l - 1] ? plan.slopes[l - 1] + begin : nullptr;
    with_slope(plan.activations[l - 2], S != nullptr, [&](auto f) {
      for (std::size_t i = 0; i < inputs; ++i)
        for_packs<T>(0, samples, [&](auto pack, std::size_t s) GLASSNET_LAMBDA {
          const std::size_t to = i * stride + s;
          back_through(f, pack.load(D + to), H, S, to).store(D + to);
        });
    });
  }
  for (std::size_t l = 1; l <= layers; ++l)
    if (plan.rows[l])
      transpose_panel<T>(plan.errors[l], stride, widths[l], begin, end, plan.rows[l], plan.row_stride(l));
}

// Rows begin .. end of layer l's gradient, [inputs + 1][outputs] with the biases as its last row,
// times `scale`; added to what is there, or in its place.
template <class T>
void batch_gradient(const BatchPlan<T>& plan, std::size_t l, std::size_t begin, std::size_t end,
                    std::size_t samples, T scale, bool add, T* gradient) {
  const std::size_t outputs = plan.widths[l];
  const Rows<T> A{plan.hidden[l - 1], plan.stride};
  auto sink = [&](std::size_t i, std::size_t j, std::size_t count, const T* values) GLASSNET_LAMBDA {
    T* to = gradient + i * outputs + j;
    if (add)
      for (std::size_t k = 0; k < count; ++k) to[k] += scale * values[k];
    else
      for (std::size_t k = 0; k < count; ++k) to[k] = scale * values[k];
  };
  if (plan.rows[l])
    wide_gradient<T>(A, begin, end, Rows<T>{plan.rows[l], plan.row_stride(l)}, outputs, samples, sink);
  else
    narrow_gradient<T>(A, begin, end, Rows<T>{plan.errors[l], plan.stride}, outputs, samples, sink);
}

}  // namespace glassnet::GLASSNET_ISA
