"""The Socket.IO half of IMKit: clients receive events without asking (docs/sockets.md).

Who uses whom. Each part gets what it uses in its constructor, and knows nothing to its right.

    encoding -> packets -> send_queue -+
                                       +-> connection -> connections -> polling, websocket -+
                       timers, turns --+          |            ^                            |
                                                  |            | as a ProtocolHandler       |
              hub -> following -> auth -----------+-> client_events <- http_calls           |
                    hub -> receipts --------------+-> delivery <- payloads -----------------+
                    hub --------------------------+-> joining (-> delivery) ----------------+
                    hub -> following -------------+-> closing ------------------------------+
                                                      verifier -----------------------------+
                                                                                            v
                                                                                         server

    encoding       payloads as text: JSON, plain or in base64
    packets        Engine.IO and Socket.IO packets, and the rate at which they are processed
    send_queue     what is queued for one connection, and for one user, bounded
    timers         timeouts and throttling for many keys with one timer
    turns          how many packets and calls of clients are processed at a time, and whose is next
    connection     one connection: encoding, user, queue, and how it is closed
    connections    all connections of the worker, and the protocol on them
    polling        the long-polling transport
    websocket      the websocket transport, also after an upgrade
    verifier       which requests are refused before they reach a connection
    hub            which connections receive the events of which room
    following      tells users' own connections what has changed of their read state: `badge`
    auth           signs connections in and out
    client_events  the events that clients send: conf, auth2, watch, and calls
    http_calls     those of them that stand for a call of the HTTP API
    payloads       fetches what an event needs and its notice lacks
    receipts       sends `lastRead`, several together when there are many
    delivery       from a notice to packets on connections, in order
    joining        users in rooms to which the worker does not listen yet
    closing        closes connections after the end of a token and after a gap
    server         composes all of these; the ASGI application

An event is sent at most once. Clients fetch the present state when they connect.
"""
