"""Webhooks out: the receiver of a deployment learns by HTTP what members have read.

`deliverer.py` takes events from where they wait, a form makes a request of each (`forms.py`; `standard.py` is the native form, a dialect
may bring its own), and `sender.py` brings the request to the receiver through the guard (`guard.py`).
"""
