"""Running a benchmark: its cells, what decides them, where their results are kept."""
