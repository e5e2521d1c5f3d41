#ifdef N_TEST
int N_test(void);
int N_test(void) {
  static const double rows[ROWS][N_INPUTS] = {
VALUES
  };
  static const double expected[ROWS][N_OUTPUTS] = {
EXPECTED
  };
  double p[N_OUTPUTS];
  int r, i, wrong = 0;
  for (r = 0; r < ROWS; ++r) {
    int far = 0;
    N_PREDICT(rows[r], p);
    for (i = 0; i < N_OUTPUTS; ++i)
      if (p[i] != expected[r][i] && (p[i] == p[i] || expected[r][i] == expected[r][i]))
        far |= !(fabs(p[i] - expected[r][i]) <= NEAR * (1 + fabs(expected[r][i])));
    wrong += far;
  }
  return wrong;
}
#endif

#ifdef N_MAIN
int main(void) {
#ifdef N_TEST
  const int wrong = N_test();
  printf("%d rows are wrong\n", wrong);
  return wrong != 0;
#else
  static const char blank[] = " \t\r\n";
  char line[64 * N_INPUTS + 64], *at, *end;
  double x[N_INPUTS], p[N_OUTPUTS];
  long number = 0;
  int i;
  while (fgets(line, sizeof line, stdin)) {
    ++number;
    at = line + strspn(line, blank);
    if (!*at) continue;
    for (i = 0; i < N_INPUTS; ++i, at = end + strspn(end, blank)) {
      if (i > 0 && (*at == ',' || *at == ';')) ++at;
      x[i] = strtod(at, &end);
      if (end == at) break;
    }
    if (i < N_INPUTS || *at) {
      fprintf(stderr, "Line %ld has other than %d numbers.\n", number, (int)N_INPUTS);
      return 1;
    }
    N_PREDICT(x, p);
    for (i = 0; i < N_OUTPUTS; ++i) printf("%s%.17g", i ? "," : "", p[i]);
    @
  }
  return 0;
#endif
}
#endif
