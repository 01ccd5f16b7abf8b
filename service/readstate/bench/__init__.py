"""`readstate bench`: a load on a running service, and the report of it.

A user of the service runs it from a machine of their own, so it needs what the wheel needs.
"""
