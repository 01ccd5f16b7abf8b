"""Webhooks out: the receiver of a deployment is told by HTTP what members have read.

`deliverer.py` takes events from where they wait, a form (`standard.py`, `tencent.py`) makes letters of them, `sender.py` brings a
letter to the receiver through the guard (`guard.py`). `alerts.py` tells of calls that come nearly too often.
"""
