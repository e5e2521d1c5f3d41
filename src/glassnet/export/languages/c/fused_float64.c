// a * b + c, rounded once. Where the processor has no such operation, the libraries of MinGW and newlib
// round twice: the product and the sum are then added up exactly here, and the last part is rounded to an
// odd number first (Boldo and Melquiond, 2008).
#if defined(__FP_FAST_FMA) || !(defined(__MINGW32__) || defined(__NEWLIB__))
#define N_fma fma
#else
static double N_two_sum(double a, double b, double *low) {
  const double sum = a + b, part = sum - a;
  *low = (a - (sum - part)) + (b - part);
  return sum;
}

static double N_high(double a) {
  const double t = 134217729.0 * a;
  return t - (t - a);
}

static double N_fma(double a, double b, double c) {
  double high, low, sum, rest, last, error;
  uint64_t whole;
  int ea, eb, ec, e;
  if (a - a != 0 || b - b != 0) return a * b + c;
  if (c - c != 0) return c;
  if (a == 0 || b == 0) return a * b + c;
  a = frexp(a, &ea);
  b = frexp(b, &eb);
  e = ea + eb;
  if (c == 0) return ldexp(a * b, e);
  last = frexp(c, &ec);
  if (ec - e > 60) return c;
  c = ec - e < -120 ? (c > 0 ? 1e-60 : -1e-60) : ldexp(last, ec - e);
  high = a * b;
  low = N_high(a) * N_high(b) - high;
  low += N_high(a) * (b - N_high(b)) + (a - N_high(a)) * N_high(b);
  low += (a - N_high(a)) * (b - N_high(b));
  c = N_two_sum(c, low, &low);
  sum = N_two_sum(high, c, &rest);
  last = N_two_sum(low, rest, &error);
  memcpy(&whole, &last, sizeof whole);
  if (error != 0 && !(whole & 1)) whole += (error > 0) == (last > 0) ? 1 : -1;
  memcpy(&last, &whole, sizeof last);
  return ldexp(sum + last, e);
}
#endif
