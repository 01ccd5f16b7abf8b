"""The Tencent IM dialect (Tencent Cloud Chat): the server's REST API under /v4, and the callbacks that it takes.

naming      accounts, groups and messages as users, rooms and message ids
routes      all commands of the API as one Litestar router
gateway     who may call: SDKAppID, administrator, UserSig, frequency
query       the parameters of a URL
usersig     the signature
openim, group: the commands
messages    wire types of requests and results
operation   what a command is in the routing table and in OpenAPI
reply       the envelope
answers     what is said to whatever goes wrong
codes       the catalogue of error codes
callbacks   what Tencent IM tells
"""
