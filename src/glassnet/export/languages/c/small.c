static double N_product(double a, double b) {
  return a * b;
}

static N_real N_real_of(double v) {
  return (N_real)v;
}

static double N_rounded(double v) {
  return (N_real)v;
}

static N_real N_logistic(N_real z) {
  return 1 / (1 + N_EXP(-z));
}

static N_real N_tanh(N_real z) {
  return N_TANH(z);
}

static N_real N_relu(N_real z) {
  return 0 > z ? 0 : z; // NaN passes
}

static N_real N_leaky_relu(N_real z) {
  return z > 0 ? z : N_LEAK * z;
}

static N_real N_identity(N_real z) {
  return z;
}

static N_real N_elu(N_real z) {
  return z > 0 ? z : N_EXP_LESS_1(z);
}

static N_real N_selu(N_real z) {
  return z > 0 ? N_SELU_RISE * z : N_SELU_FALL * N_EXP_LESS_1(z);
}

// z Phi(z), Phi the normal distribution function.
static N_real N_gelu(N_real z) {
  return z < -N_LAST_NORMAL ? 0 : N_HALF * z * N_ERFC(-z * N_ROOT_HALF);
}

static N_real N_gelu_tanh(N_real z) {
  return z < -N_LAST_TANH ? 0 : z / (1 + N_EXP(-z * (N_LINEAR + N_CUBIC * z * z)));
}

static N_real N_silu(N_real z) {
  return z < N_LOWEST ? 0 : z / (1 + N_EXP(-z));
}

static N_real N_softplus(N_real z) {
  return (0 > z ? 0 : z) + N_LOG_1_PLUS(N_EXP(-N_abs(z)));
}

static N_real N_softsign(N_real z) {
  return z > N_HUGE ? 1 : z < -N_HUGE ? -1 : z / (1 + N_abs(z));
}

static N_real N_exp_link(N_real z) {
  return N_EXP(z);
}

static void N_softmax(N_real *z, int classes) {
  N_real most = z[0], sum = 0;
  int c;
  for (c = 1; c < classes; ++c) most = z[c] > most ? z[c] : most;
  for (c = 0; c < classes; ++c) sum += z[c] = N_EXP(z[c] - most);
  for (c = 0; c < classes; ++c) z[c] /= sum;
}

static N_real N_fused(N_real a, N_real b, N_real c) {
  return a * b + c;
}
