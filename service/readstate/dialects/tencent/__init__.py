"""The Tencent IM dialect (Tencent Cloud Chat): server API under /v4, callbacks and webhooks.

api            the dialect as one value: all commands as one Litestar router, and the callbacks
auth           SDKAppID, administrator, UserSig, frequency
operation      what a command is: its route, its OpenAPI entry, its cost
openim, group  the commands
schemas        wire types of requests and results
reply, errors  the envelope, and the catalogue of error codes
usersig        the signature of callers
naming         accounts, groups and messages as users, rooms and message ids
group_types    types of groups, and what messages in them can do
callbacks      what Tencent IM tells this service
webhooks       events of this service in Tencent's form
alerts         warnings that a command is called nearly too often
vocabulary     what fields mean, for OpenAPI
"""
