"""Webhooks out: the receiver of a deployment learns by HTTP what members have read.

deliverer  takes events from the store, and sends each until the receiver accepts it
forms      how an event becomes a request; a dialect may bring a form of its own
standard   the native form
signing    the signature headers of Standard Webhooks
sender     brings a request to the receiver
addresses  keeps requests out of private networks
"""
