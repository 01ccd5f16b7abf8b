"""Load on a running service, and what it does to it.

How to run it and how to read a result: README.md in this directory.
"""
