// a * b + c, rounded once. Where the processor has no such operation, the libraries of MinGW and newlib
// round twice: the sum of the exact product is rounded to an odd number first (Boldo and Melquiond, 2008).
#if defined(__FP_FAST_FMAF) || !(defined(__MINGW32__) || defined(__NEWLIB__)) || DBL_MANT_DIG != 53
#define N_fma fmaf
#else
static float N_fma(float a, float b, float c) {
  const double product = (double)a * b, sum = product + c, part = sum - product;
  const double error = (product - (sum - part)) + (c - part);
  double odd = sum;
  uint64_t whole;
  memcpy(&whole, &odd, sizeof whole);
  if (error != 0 && error == error && !(whole & 1)) whole += (error > 0) == (sum > 0) ? 1 : -1;
  memcpy(&odd, &whole, sizeof odd);
  return (float)odd;
}
#endif
