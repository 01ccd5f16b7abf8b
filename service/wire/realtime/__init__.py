"""The Socket.IO surface (docs.imkit.io, Realtime): what clients are told without asking.

    frames      what a client may put on the wire at all
    protocol    python-socketio as Engine.IO and Socket.IO codec, nothing more
    backlog     what waits to be sent to one socket, and to one user, bounded
    connection  one socket: who it is, how it is closed
    audience    which sockets hear which room
    delivery    from a notice to packets on sockets, in order
    pace        a room that changes often is told of once in a while
    events      what clients may say: conf, auth2, chat message, lastRead
    requests    those of them that are calls of the HTTP API
    polling     long-polling requests, checked
    server      joins these

Towards the client nothing is promised twice: a notice is sent at most once, and state is fetched.
"""
