"""Measurements: each module is one question, one command and one table under `benchmarks/results/`."""
