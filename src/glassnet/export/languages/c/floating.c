// z = b + W h, from the weights of each input in turn, and then the biases.
static void N_layer(const N_real *theta, int inputs, int outputs, const N_real *h, N_real *z) {
  const N_real *b = theta + inputs * outputs;
  int i, o;
  for (o = 0; o < outputs; ++o) z[o] = N_READ(b + o);
  for (i = 0; i < inputs; ++i, theta += outputs)
    for (o = 0; o < outputs; ++o) z[o] = N_fused(N_READ(theta + o), h[i], z[o]);
}
