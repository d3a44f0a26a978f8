"""Execution of cells, each in a separate process, on this machine or on a cluster."""

DECIDES_RESULTS = False
