// Turning rows into columns: gathered samples into panels, panels of errors into rows.
#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/matrix.hpp"

// Elements of the vectors a and b, by their numbers. GCC has the builtin of Clang from 12 on.
#if __has_builtin(__builtin_shufflevector)
#define GLASSNET_PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define GLASSNET_PICK(a, b, ...) __builtin_shuffle(a, b, Numbers{__VA_ARGS__})
#endif

namespace glassnet::GLASSNET_ISA {

// A square of 32 bytes by 32 bytes: to[c][r] = from(r)[c] for the first `columns`. Moves only, so that any
// width gives the same; the compiler splits the vectors where a processor's are shorter.
template <class T> struct Square {
  static constexpr std::size_t side = 32 / sizeof(T);
  typedef T Values __attribute__((vector_size(32), aligned(sizeof(T))));
  static_assert(side == 8 || side == 4);

  // Of GLASSNET_PICK: a's elements are 0 .. side - 1, b's go on from there.
  typedef std::conditional_t<side == 8, std::int32_t, std::int64_t> Numbers __attribute__((vector_size(32)));

  template <int columns = int(side), class From>
  GLASSNET_INLINE static void transpose(const From& from, T* to, std::size_t stride) {
    Values a[side], b[side];
    for (std::size_t r = 0; r < side; ++r) a[r] = *reinterpret_cast<const Values*>(from(r));
    if constexpr (side == 8) {
      for (int r = 0; r < 8; r += 2) {
        b[r] = GLASSNET_PICK(a[r], a[r + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        b[r + 1] = GLASSNET_PICK(a[r], a[r + 1], 1, 9, 3, 11, 5, 13, 7, 15);
      }
      for (int r = 0; r < 8; r += 4)
        for (int k = 0; k < 2; ++k) {
          a[r + k] = GLASSNET_PICK(b[r + k], b[r + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
          a[r + k + 2] = GLASSNET_PICK(b[r + k], b[r + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
      for (int k = 0; k < 4; ++k) {
        b[k] = GLASSNET_PICK(a[k], a[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        b[k + 4] = GLASSNET_PICK(a[k], a[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
      }
    } else {
      for (int r = 0; r < 4; r += 2) {
        b[r] = GLASSNET_PICK(a[r], a[r + 1], 0, 4, 2, 6);
        b[r + 1] = GLASSNET_PICK(a[r], a[r + 1], 1, 5, 3, 7);
      }
      for (int k = 0; k < 2; ++k) {
        Values low = b[k], high = b[k + 2];
        b[k] = GLASSNET_PICK(low, high, 0, 1, 4, 5);
        b[k + 2] = GLASSNET_PICK(low, high, 2, 3, 6, 7);
      }
    }
    for (int c = 0; c < columns; ++c) *reinterpret_cast<Values*>(to + c * stride) = b[c];
  }
};

// to[c][r] = from(r)[c] for rows begin .. end, whole lines of them, and `columns` columns. A line of
// rows at a time, each read from end to end: rows may lie anywhere. `beyond`: up to 32 bytes more can be read
// behind a row, which spares its last columns from going one by one.
template <class T, bool beyond, class From>
void transpose_rows(const From& from, std::size_t begin, std::size_t end, std::size_t columns, T* to,
                    std::size_t stride) {
  constexpr std::size_t side = Square<T>::side;
  const std::size_t whole = columns / side * side, left = columns - whole;
  for (std::size_t line = begin; line < end; line += LANES<T>) {
    const T* rows[LANES<T>];
    for (std::size_t k = 0; k < LANES<T>; ++k) rows[k] = from(line + k);
    auto square = [&](std::size_t c, std::size_t r, auto width) GLASSNET_LAMBDA {
      Square<T>::template transpose<width.value>(
          [&](std::size_t k) GLASSNET_LAMBDA { return rows[r + k] + c; }, to + c * stride + line + r, stride);
    };
    for (std::size_t c = 0; c < whole; c += side)
      for (std::size_t r = 0; r < LANES<T>; r += side) square(c, r, Number<int(side)>());
    if (beyond && left > 0)
      with_number<int(side) - 1>(left, [&](auto width) {
        for (std::size_t r = 0; r < LANES<T>; r += side) square(whole, r, width);
      });
    else
      for (std::size_t c = whole; c < columns; ++c)
        for (std::size_t r = 0; r < LANES<T>; ++r) to[c * stride + line + r] = rows[r][c];
  }
}

// to[c][r] = x[r][c] for rows that lie one behind the other.
template <class T>
void transpose_all(const T* x, std::size_t rows, std::size_t columns, T* to, std::size_t stride) {
  const std::size_t whole = rows / LANES<T> * LANES<T>;
  const std::size_t inner = whole < LANES<T> ? 0 : whole - LANES<T>;  // the last line has nothing behind it
  auto row = [&](std::size_t r) GLASSNET_LAMBDA { return x + r * columns; };
  transpose_rows<T, true>(row, 0, inner, columns, to, stride);
  transpose_rows<T, false>(row, inner, whole, columns, to, stride);
  for (std::size_t r = whole; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) to[c * stride + r] = x[r * columns + c];
}

// to[s][j] = from[j][s] for the samples begin .. end, whole lines of them.
template <class T>
void transpose_panel(const T* from, std::size_t stride, std::size_t rows, std::size_t begin,
                     std::size_t end, T* to, std::size_t to_stride) {
  constexpr std::size_t side = Square<T>::side;
  std::size_t j = 0;
  for (; j + side <= rows; j += side)
    for (std::size_t s = begin; s < end; s += side)
      Square<T>::transpose(
          [&](std::size_t k) GLASSNET_LAMBDA { return from + (j + k) * stride + s; },
          to + s * to_stride + j, to_stride);
  for (; j < rows; ++j)
    for (std::size_t s = begin; s < end; ++s) to[s * to_stride + j] = from[j * stride + s];
}

}  // namespace glassnet::GLASSNET_ISA
