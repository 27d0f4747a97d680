"""Recorded data through two callables: time per call, memory, and whether the results are equal."""
