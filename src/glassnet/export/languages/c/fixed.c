// z = b + scale W h: h becomes whole numbers q, the largest of which is N_MOST, and W is those of the weights.
static void N_layer(const N_integer *weights, const float *scales, int inputs, int outputs, const float *h,
                    N_integer *q, float *z) {
  const float *b = scales + outputs;
  float most = 0, unit;
  int i, o;
  for (i = 0; i < inputs; ++i)
    if (fabsf(h[i]) > most || h[i] != h[i]) most = fabsf(h[i]); // NaN stays
  unit = most / N_MOST;
  if (!(unit <= FLT_MAX)) // an input is not finite
    for (o = 0; o < outputs; ++o) z[o] = NAN;
  else {
    for (i = 0; i < inputs; ++i) q[i] = (N_integer)(unit > 0 ? h[i] / unit + (h[i] < 0 ? -0.5f : 0.5f) : 0);
    for (o = 0; o < outputs; ++o) {
      N_total sum = 0;
      for (i = 0; i < inputs; ++i) sum += (N_total)N_READ_INTEGER(weights + i * outputs + o) * q[i];
      z[o] = N_READ(b + o) + (float)sum * (unit * N_READ(scales + o));
    }
  }
}
