"""What a running service does at the moment, for a person: `readstate status`."""
