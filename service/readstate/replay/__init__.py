"""`readstate replay`: feeds a traffic file to a running service over its public HTTP interface and checks every count.

In the order in which they are used: `traffic` reads the file, `steps` turns events into calls, `feed` makes them through
`api`, `count` counts by brute force what must be true afterwards, `compare` asks the service, `report` prints. The rule
by which a file that says who spoke becomes read state stands in `command.RULES`.
"""

from readstate.replay.command import add_arguments, main

__all__ = ["add_arguments", "main"]
