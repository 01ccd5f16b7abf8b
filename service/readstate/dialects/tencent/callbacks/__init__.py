"""What Tencent tells a backend, taken in at POST /tencent/callbacks (Tencent Cloud Chat, Webhook Overview).

An app on Tencent IM that points its webhooks here has this service's badges. Every callback may come twice, and late.

handler   the route: let in, understood, carried out, answered
door      who may call: Sign, RequestTime, SdkAppid
commands  every command that does something
bodies    what the commands carry
answers   what is said back
operation   what the route is in the routing table and in OpenAPI
messages  messages sent and recalled
groups    groups made and ended, members come and gone
topics    the topics of a community, which have its members
reading   what was read on Tencent's side
order     which of two things happened later, for what is told late or twice
ingest    what all of them work with
"""
