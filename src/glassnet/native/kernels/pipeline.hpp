// Long chains of operations, cut into short steps that run on neighboring lines.
//
// A processor looks at some hundred operations at a time, and of a long chain most of those wait for each
// other. In a round of the pipeline the last step is done of one line, the last but one of the next
// line, and so on: what a step needs was begun a round ago, and all of a round can run side by side. What
// is handed from step to step stays in registers; where there are too few for that, each line goes through alone.
#pragma once

#include <tuple>

#include "kernels/math.hpp"

namespace glassnet::GLASSNET_ISA {

// Pipeline<T>::run(begin, end, first, step, ..., last) takes each line of the samples begin .. end through
// first(s), then step(value, s) with what the step before gave, and at the end last(value, s), which gives nothing.
// Every step sees the lines in their order.
template <class T> class Pipeline {
  // What line s has after step n.
  template <int n, class Steps> GLASSNET_INLINE static auto through(const Steps& steps, std::size_t s) {
    if constexpr (n == 0) return std::get<0>(steps)(s);
    else return std::get<n>(steps)(through<n - 1>(steps, s), s);
  }
  // The steps that are left after step n.
  template <int n, class Value, class Steps>
  GLASSNET_INLINE static void through_from(const Value& value, const Steps& steps, std::size_t s) {
    if constexpr (n + 2 == int(std::tuple_size_v<Steps>)) std::get<n + 1>(steps)(value, s);
    else through_from<n + 1>(std::get<n + 1>(steps)(value, s), steps, s);
  }
  // One step of each line: values[n] is what the line has after step n that lies count - 1 - n lines after
  // the one that is through next.
  template <int n, class Values, class Steps>
  GLASSNET_INLINE static void round(Values& values, const Steps& steps, std::size_t s) {
    constexpr int count = int(std::tuple_size_v<Values>);
    if constexpr (n == count) {
      std::get<n>(steps)(std::get<n - 1>(values), s);
      round<n - 1>(values, steps, s + LANES<T>);
    } else if constexpr (n > 0) {
      std::get<n>(values) = std::get<n>(steps)(std::get<n - 1>(values), s);
      round<n - 1>(values, steps, s + LANES<T>);
    } else {
      std::get<0>(values) = std::get<0>(steps)(s);
    }
  }
  template <int n, class Values, class Steps>
  GLASSNET_INLINE static void finish(Values& values, const Steps& steps, std::size_t s) {
    constexpr int count = int(std::tuple_size_v<Values>);
    through_from<n>(std::get<n>(values), steps, s + (count - 1 - n) * LANES<T>);
  }
  template <class Steps, int... n>
  GLASSNET_INLINE static void run(std::size_t begin, std::size_t end, const Steps& steps,
                                  std::integer_sequence<int, n...>) {
    constexpr int count = sizeof...(n);
    constexpr std::size_t step = LANES<T>;
    std::size_t s = begin;
    if constexpr (REGISTERS >= 32)
      if (s + count * step < end) {
        std::tuple<decltype(through<n>(steps, s))...> values;
        ((std::get<count - 1 - n>(values) = through<count - 1 - n>(steps, s + n * step)), ...);
        for (; s + count * step < end; s += step) round<count>(values, steps, s);
        (finish<count - 1 - n>(values, steps, s), ...);
        return;
      }
    for (; s < end; s += step) through<count>(steps, s);
  }

 public:
  template <class... Steps> GLASSNET_INLINE static void run(std::size_t begin, std::size_t end, const Steps&... steps) {
    run(begin, end, std::tie(steps...), std::make_integer_sequence<int, int(sizeof...(Steps)) - 1>());
  }
};

}  // namespace glassnet::GLASSNET_ISA
