"""Looks at a deployment before or beside its service, and changes nothing: `readstate doctor`."""
