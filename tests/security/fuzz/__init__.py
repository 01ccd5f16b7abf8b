"""Requests and frames that are right, nearly right and wrong, for a running service.

    world      users, rooms and messages that are there, so that a request gets deep
    examples   values that fit a JSON schema
    mutations  what is done to a value, a text or a request
    calls      requests, from the routing table and the OpenAPI document
    frames     what is said over websockets and long-polling
    client     raw connections: what is sent is what was made, byte for byte
    run        many cases over several connections, and what is wrong with the answers

Everything about a case follows from a seed and its number, except for tokens and signatures, which
the service gives anew.
"""
