// The place of the largest number, the first of equal ones.
static int N_largest(const double *p, int n) {
  int i, best = 0;
  for (i = 1; i < n; ++i)
    if (p[i] > p[best]) best = i;
  return best;
}
