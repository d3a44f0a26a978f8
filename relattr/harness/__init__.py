"""Bookkeeping of benchmarks: their definition, their cells, which of these must run, and the stored results."""

DECIDES_RESULTS = False
