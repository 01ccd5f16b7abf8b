"""The Tencent IM dialect: the server's REST API under /v4 (Tencent Cloud Chat, RESTful API Overview).

naming      accounts, groups and messages as users, rooms and message ids
routes      all of it as one Litestar router
gateway     who may call: SDKAppID, administrator, UserSig, frequency; always HTTP 200
usersig     the signature
openim, group: the calls
bodies      fields of a body, taken one by one in the documented words
codes       the catalogue of error codes
"""
