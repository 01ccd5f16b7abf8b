"""Feeds a traffic file to a running service over its public HTTP interface and checks every count.

In the order in which they are used: `run` is the course of a replay, `traffic` reads the file,
`steps` turns events into calls, `feed` makes the calls through `api`, `count` counts by brute force
what must be true afterwards, `compare` asks the service, `report` prints. The rule by which a file
that says who spoke becomes read state is `RULES` in `cli/replay.py`.
"""
