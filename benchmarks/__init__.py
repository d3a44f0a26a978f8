"""Benchmark definitions: methods, tasks and seeds, and the layout of their table."""
