"""The Python interface: methods and datasets by name, fitting, evaluation, saved models, benchmarks as DataFrames.

The functions and classes are in the namespace of `relattr`; docs/python.md explains them.
"""
