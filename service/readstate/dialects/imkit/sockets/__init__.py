"""The Socket.IO surface (docs.imkit.io, Realtime; docs/sockets.md): what clients are told without asking.

    packets     Engine.IO and Socket.IO packets, read and made
    encoding    payloads as clients want them
    backlog     what waits to be sent to one socket, and to one user, bounded
    connection  one socket: who it is, how it is closed
    delay       one clock for many sockets
    connections all of them: what clients say reaches them in order
    websocket   what carries packets: a websocket, from the start or later
    polling     ... or one long-polling request after the other
    audience    which sockets hear which room
    delivery    from a notice to packets on sockets, in order
    pace        a room that changes often is told of once in a while
    events      what clients may say: conf, auth2, chat message, lastRead
    requests    those of them that are calls of the HTTP API
    admission   which requests get as far as a session
    server      joins these

Towards the client nothing is promised twice: a notice is sent at most once, and state is fetched.
"""
