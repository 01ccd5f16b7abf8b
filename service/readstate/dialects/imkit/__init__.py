"""The IMKit dialect over HTTP.

routes      all of it as one Litestar router
gate        who may pass
reading, rooms, room_list, members, posts, me, admin: the calls
messages    wire types of requests and results
views       rooms, users and messages as objects (socket events use them, too)
errors      the catalogue of refusals
operation   what a call is in the routing table and in OpenAPI
"""
