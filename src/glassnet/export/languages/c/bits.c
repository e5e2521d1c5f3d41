// Below the least normal number is 0.
static N_real N_flush(N_real x) {
  return x < N_LEAST && x > -N_LEAST ? x * 0 : x;
}

static N_real N_fused(N_real a, N_real b, N_real c) {
  return N_flush(N_fma(a, b, c));
}

// A product that is rounded by itself, whatever is added to it: compilers leave what N_KEEP holds.
static double N_product(double a, double b) {
  N_KEPT double product = a * b;
  N_KEEP(product);
  return product;
}

// A feature's or a target's number in the network's precision.
static N_real N_real_of(double v) {
  return N_flush((N_real)v);
}

// In the network's precision: GCC 12 leaves that out where it makes vectors of double to float to double.
static double N_rounded(double v) {
  N_KEPT N_real rounded = (N_real)v;
  N_KEEP(rounded);
  return rounded;
}

static N_real N_times(N_real a, N_real b) {
  return N_flush((N_real)N_product(a, b));
}

static N_real N_max(N_real a, N_real b) {
  return a > b ? a : b; // b where one is NaN
}

static N_real N_min(N_real a, N_real b) {
  return a < b ? a : b;
}

// c[0] + c[1] x + c[2] x^2 + ..., even and odd powers by themselves.
static N_real N_polynomial(const N_real *c, int n, N_real x, N_real x2) {
  int i, even = (n - 1) / 2 * 2, odd = n / 2 * 2 - 1;
  N_real p = c[even], q = c[odd];
  for (i = even - 2; i >= 0; i -= 2) p = N_fma(p, x2, c[i]);
  for (i = odd - 2; i >= 0; i -= 2) q = N_fma(q, x2, c[i]);
  return N_fma(q, x, p);
}

// e^(factor x) = scale e^r with |r| <= ln(2) / 2, times 2^lift; the factor is 1, -1 or 2.
static N_real N_reduce(N_real x, N_real factor, N_real lift, N_real *scale) {
  const N_real rounder = N_ROUNDER + lift, rounded = N_fma(x, factor * N_LOG2E, rounder);
  const N_real n = rounded - rounder;
  N_whole whole;
  memcpy(&whole, &rounded, sizeof whole);
  whole <<= N_MANTISSA;
  memcpy(scale, &whole, sizeof whole);
  return N_fma(-n, N_LN2_LOW, N_fma(-n, N_LN2_HIGH, factor * x));
}

// e^r - 1.
static N_real N_expand(N_real r) {
  static const N_real c[] = N_EXPM1;
  const N_real r2 = r * r;
  return N_fma(r2, N_polynomial(c, sizeof c / sizeof *c, r, r2), r);
}

// e^x for x <= 0, never below the least normal number.
static N_real N_exp_negative(N_real x) {
  N_real scale, p = N_expand(N_reduce(N_max(-N_LARGEST, x), 1, 0, &scale));
  return N_fma(scale, p, scale);
}

// e^r = (R + r) / (R - r).
static N_real N_ratio(N_real r) {
  static const N_real c[] = N_COTH;
  const N_real t = r * r;
  int i = sizeof c / sizeof *c - 1;
  N_real p = c[i];
  while (--i >= 0) p = N_fma(p, t, c[i]);
  return N_fma(p, t, 2);
}

// e^(x + low) = scale (1 + p) for x <= 0, times 2^N_LIFT.
static N_real N_lifted(N_real x, N_real low, N_real *scale) {
  return N_expand(N_reduce(N_max(N_LOWEST, x), 1, N_LIFT, scale) + low);
}

static N_real N_lifted_exp(N_real x, N_real low) {
  N_real scale, p = N_lifted(x, low, &scale);
  return N_fma(scale, p, scale);
}

static N_real N_lower(N_real x) {
  return N_flush(x * N_DOWN);
}

// Q(u) = e^(u^2 / 2) Phi(-u) for u >= 0.
static N_real N_gaussian_tail(N_real u) {
  static const N_real c[] = N_TAIL;
  const N_real inverse = 1 / (u + 4), t = (u - 4) * inverse;
  return N_polynomial(c, sizeof c / sizeof *c, t, t * t) * inverse;
}

// log(1 + x) for x from 0 to 1.
static N_real N_log_1_plus(N_real x) {
  static const N_real c[] = N_LOG;
  const int above = x > N_ROOT2_LESS_1;
  const N_real two = above ? 1 : 0, f = above ? (x - 1) * N_HALF : x;
  const N_real s = f / (2 + f), z = s * s;
  const N_real small = N_fma(-z, N_polynomial(c, sizeof c / sizeof *c, z, z * z), f);
  return N_fma(two, N_LN2_HIGH, N_fma(-s, small, N_fma(two, N_LN2_LOW, f)));
}

// min(|z|, bound).
static N_real N_abs_below(N_real z, N_real bound) {
  return N_min(bound, N_max(z, 0 - z));
}

static N_real N_logistic(N_real z, N_real *slope) {
  N_real scale, r = N_reduce(N_min(N_LARGEST, N_max(-N_LARGEST, z)), -1, 0, &scale);
  const N_real R = N_ratio(r), below = R - r, h = below / N_fma(scale, R + r, below);
  if (slope) *slope = N_fused(-h, h, h);
  return h;
}

static N_real N_tanh(N_real z, N_real *slope) {
  N_real scale, r = N_reduce(N_min(20, N_max(-20, z)), 2, 0, &scale), R = N_ratio(r);
  const N_real less = scale - 1, more = scale + 1;
  const N_real h = N_fma(less, R, more * r) / N_fma(more, R, less * r);
  if (slope) *slope = N_fma(-h, h, 1);
  return h;
}

static N_real N_relu(N_real z, N_real *slope) {
  if (slope) *slope = z > 0;
  return N_max(0, z);
}

static N_real N_leaky_relu(N_real z, N_real *slope) {
  if (slope) *slope = z > 0 ? 1 : N_LEAK;
  return N_max(N_flush(z * N_LEAK), z);
}

static N_real N_identity(N_real z, N_real *slope) {
  if (slope) *slope = 1;
  return z;
}

// rise z above 0, fall (e^z - 1) below.
static N_real N_exponential_unit(N_real z, N_real *slope, N_real rise, N_real fall) {
  N_real scale, p = N_lifted(N_min(0, z), 0, &scale);
  const N_real low = N_lower(scale), below = fall * N_fma(low, p, low - 1);
  if (slope) *slope = z > 0 ? rise : N_flush(fall * N_lower(N_fma(scale, p, scale)));
  return z > 0 ? rise * z : below;
}

static N_real N_elu(N_real z, N_real *slope) {
  return N_exponential_unit(z, slope, 1, 1);
}

static N_real N_selu(N_real z, N_real *slope) {
  return N_exponential_unit(z, slope, N_SELU_RISE, N_SELU_FALL);
}

static N_real N_gelu_slope(N_real z, N_real u, N_real e, N_real Q, N_real lifted) {
  const N_real G = N_fma(-u, N_ROOT_2_PI, Q);
  return z > 0 ? N_fma(-e, G, 1) : N_lower(lifted * G);
}

// z Phi(z), Phi(-u) = e^(-u^2 / 2) Q(u).
static N_real N_gelu(N_real z, N_real *slope) {
  const N_real u = N_abs_below(z, N_LAST_NORMAL), square = N_times(u, u), low = N_fused(-u, u, square);
  const N_real lifted = N_lifted_exp(0 - N_HALF * square, N_HALF * low), e = N_lower(lifted);
  const N_real Q = N_gaussian_tail(u);
  if (slope) *slope = N_gelu_slope(z, u, e, Q, lifted);
  return N_flush(z > 0 ? z * N_fma(-e, Q, 1) : N_lower(N_flush(-u * Q) * lifted));
}

// z / (1 + e^-w) with w = z (N_LINEAR + N_CUBIC z^2) in two parts.
static N_real N_gelu_tanh(N_real z, N_real *slope) {
  const N_real u = N_abs_below(z, N_LAST_TANH), square = N_times(u, u), over = N_fused(-u, u, square);
  const N_real product = N_times(N_CUBIC, square), product_over = N_fused(-N_CUBIC, square, product);
  const N_real sum = N_LINEAR + product, second = sum - N_LINEAR;
  const N_real sum_low = (N_LINEAR - (sum - second)) + (product - second);
  const N_real low = sum_low - product_over - N_times(N_CUBIC, over) + N_fma(N_CUBIC_LOW, square, N_LINEAR_LOW);
  const N_real w = sum * u, w_over = N_fused(-sum, u, w);
  const N_real lifted = N_lifted_exp(0 - w, N_fused(-low, u, w_over)), e = N_lower(lifted), d = 1 / (1 + e);
  if (slope) {
    const N_real rise = N_times(u * N_fma(3, product, N_LINEAR), d);
    *slope = z > 0 ? d * N_fma(rise, e, 1) : N_lower(lifted * d * (1 - rise));
  }
  return N_flush(z > 0 ? z * d : N_lower(N_flush(-u * lifted) * d));
}

static N_real N_silu(N_real z, N_real *slope) {
  const N_real x = N_max(N_LOWEST, -N_abs(z)), lifted = N_lifted_exp(x, 0), e = N_lower(lifted);
  const N_real d = 1 / (1 + e);
  if (slope) *slope = z > 0 ? N_fma(-x, e, 1 + e) * d * d : N_lower(lifted * ((1 + x) + e) * d * d);
  return N_flush(z > 0 ? z * d : N_lower(x * lifted * d));
}

static N_real N_softplus(N_real z, N_real *slope) {
  const N_real e = N_lower(N_lifted_exp(-N_abs(z), 0));
  if (slope) *slope = N_flush((z > 0 ? 1 : e) / (1 + e));
  return N_max(0, z) + N_log_1_plus(e);
}

static N_real N_softsign(N_real z, N_real *slope) {
  const N_real x = N_min(N_HUGE, N_max(-N_HUGE, z)), d = 1 / (1 + N_max(x, 0 - x));
  if (slope) *slope = N_flush(d * d);
  return N_flush(x * d);
}

// e^x: 0 below the normal numbers, infinite above the largest.
static N_real N_exp_link(N_real x) {
  const int up = x > 0;
  N_real scale, p;
  x = N_min(N_HIGHEST, N_max(N_LOWEST, x));
  p = N_expand(N_reduce(x, 1, up ? -N_LIFT : N_LIFT, &scale));
  return N_flush(N_fma(scale, p, scale) * (up ? N_UP : N_DOWN));
}

// e^(z - the largest z) in place of z, and the sum.
static N_real N_exponentials(N_real *z, int classes) {
  N_real most = z[0], sum = 0;
  int c;
  for (c = 1; c < classes; ++c) most = N_max(most, z[c]);
  for (c = 0; c < classes; ++c) sum += z[c] = N_exp_negative(z[c] - most);
  return sum;
}

static void N_softmax(N_real *z, int classes) {
  const N_real sum = N_exponentials(z, classes);
  int c;
  for (c = 0; c < classes; ++c) z[c] = N_flush(z[c] / sum);
}

// The derivatives of a sum by h, W g, from those by z.
static void N_back(const N_real *theta, int inputs, int outputs, const N_real *g, N_real *b) {
  int i, o;
  for (i = 0; i < inputs; ++i, theta += outputs) {
    b[i] = 0;
    for (o = 0; o < outputs; ++o) b[i] = N_fused(N_READ(theta + o), g[o], b[i]);
  }
}
