// The derivative of the loss by z, of one output with the target y.
static N_real N_binary_cross_entropy(N_real z, N_real y) {
  N_real scale, r = N_reduce(N_max(-N_LARGEST, -N_abs(z)), 1, 0, &scale), R = N_ratio(r);
  const N_real e = scale * (R + r) / (R - r);
  return (z >= 0 ? 1 : e) / (1 + e) - y;
}

static N_real N_squared_error(N_real z, N_real y) {
  return N_flush(z - y);
}

static N_real N_pinball(N_real z, N_real y, N_real above, N_real below) {
  return z > y ? above : z < y ? -below : 0;
}

static N_real N_huber(N_real z, N_real y, N_real bound) {
  return N_min(bound, N_max(-bound, N_flush(z - y)));
}

static N_real N_poisson(N_real z, N_real y) {
  return N_flush(N_exp_link(z) - y);
}

// The same of all classes, in place of z.
static void N_cross_entropy(N_real *z, int classes, int target, N_real on, N_real off) {
  const N_real inverse = 1 / N_exponentials(z, classes);
  int c;
  for (c = 0; c < classes; ++c) z[c] = N_fused(z[c], inverse, c == target ? -on : -off);
}

// Two classes are one output, whose weights are the difference of theirs.
static N_real N_apart(const N_real *pair) {
  return N_flush(pair[1] - pair[0]);
}

static void N_layer_of_two(const N_real *theta, int inputs, int outputs, const N_real *h, N_real *z) {
  int i;
  *z = N_apart(theta + inputs * outputs);
  for (i = 0; i < inputs; ++i, theta += outputs) *z = N_fused(N_apart(theta), h[i], *z);
}

static void N_back_of_two(const N_real *theta, int inputs, int outputs, const N_real *g, N_real *b) {
  int i;
  for (i = 0; i < inputs; ++i, theta += outputs) b[i] = N_flush(N_apart(theta) * *g);
}

// The sum of h d over samples that lie h_step and d_step apart, in so many lanes, which are folded in halves.
static N_real N_sum(const N_real *h, int h_step, const N_real *d, int d_step, int n, int lanes) {
  N_real sums[N_LANES] = {0};
  int s, k;
  for (s = 0; s < n; ++s, d += d_step) {
    sums[s % lanes] = N_fused(h ? *h : 1, *d, sums[s % lanes]);
    if (h) h += h_step;
  }
  for (lanes /= 2; lanes > 0; lanes /= 2)
    for (k = 0; k < lanes; ++k) sums[k] = N_flush(sums[k] + sums[k + lanes]);
  return sums[0];
}

static void N_move(N_real *theta, N_real *velocity, N_real gradient, N_real rate, N_real momentum) {
  *velocity = N_flush(N_times(momentum, *velocity) - N_times(rate, gradient));
  *theta = N_flush(*theta + *velocity);
}

// Moves a layer's parameters, `columns` for each input, by the mean gradient over n samples.
static void N_train_layer(N_real *theta, N_real *velocity, int inputs, int outputs, int columns, const N_real *h,
                          int h_step, const N_real *d, int d_step, int n, N_real rate, N_real momentum) {
  const N_real scale = (N_real)(1.0 / n);
  int i, o, k = 0;
  for (i = 0; i <= inputs; ++i)
    for (o = 0; o < outputs; ++o) {
      const N_real sum = N_sum(i < inputs ? h + i : 0, h_step, d + o, d_step, n, outputs > 4 ? 1 : N_LANES);
      const N_real gradient = N_flush(scale * sum);
      if (columns > outputs) {
        N_move(theta + k, velocity + k, -gradient, rate, momentum);
        ++k;
      }
      N_move(theta + k, velocity + k, gradient, rate, momentum);
      ++k;
    }
}
