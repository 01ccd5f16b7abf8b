"""The benchmark: `python -m loadtest.bench` (make bench).

What it measures and how: ../README.md; what came out: docs/benchmarks.md.
"""
