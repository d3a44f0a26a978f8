"""The benchmarks: which methods, tasks and seeds, and what their table looks like."""
