"""Reward models measured from outside: any scorer, on benchmark files, by the benchmarks' own rules."""
