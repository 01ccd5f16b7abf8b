"""The IMKit dialect, over HTTP and on sockets (docs.imkit.io).

api            the dialect as one value: all calls as one Litestar router
auth           the caller, by the headers IM-CLIENT-KEY ...; ids with a slash in the path
access         who may see and change a room, and whom a client may name
operation      what a call is: its OpenAPI entry, its cost, its own problems; one call: the caller
fast_path      hot calls, answered without the framework
rooms, room_list, members, messages, batch, reading, receipts, users    the calls
posting        what the fields of a message ask for
body           free fields of a body, and which of them are kept
views          rooms, users and messages as objects; socket events use them too
schemas        wire types of requests and results
reply, errors  the envelope, and the catalogue of problems
vocabulary     what fields mean, for OpenAPI
sockets        the Socket.IO half
"""
