"""The read-state part of Rocket.Chat's REST API under /api/v1 (developer.rocket.chat/apidocs).

api            the dialect as one value: all calls as one Litestar router
auth           X-Auth-Token and X-User-Id, and so many calls a minute
operation      what a call is: its route, its OpenAPI entry, the order of checks
validation     requests read, and checked in the words of the original's schema validator
reading, receipts, subscriptions, counters, users
               the calls
rooms          which room a request means
views          rooms and users as objects of this dialect
schemas        wire types of requests and answers
reply, errors  answers, and the catalogue of problems
vocabulary     what fields mean, for OpenAPI

docs/rocketchat.md says what differs from the original.
"""
