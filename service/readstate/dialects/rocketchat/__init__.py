"""The read-state part of Rocket.Chat's REST API, version 1, under /api/v1 (developer.rocket.chat/apidocs).

routes      all of it as one Litestar router
gate        who may pass: X-Auth-Token and X-User-Id
call        one call: who asks, and the order of checks
schema      requests held against their forms, in the words of the original's validator
rate        so many calls a minute
receipts, subscriptions, unread, counters, session, threads: the calls
rooms       kinds and names of rooms
messages    wire types of requests and answers
views       subscriptions and people as objects
errors      the catalogue of refusals
operation   what a call is in the routing table and in OpenAPI

What differs from the original is said in docs/rocketchat.md.
"""
