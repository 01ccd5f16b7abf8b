"""Tencent IM's callbacks, at POST /tencent/callbacks (Tencent Cloud Chat, Webhook Overview).

An app on Tencent IM that sends its callbacks here gets this service's badges. Every callback may
come twice, and late.

api        the route and its OpenAPI entry: authenticate, understand, carry out, answer
auth       Sign, RequestTime, SdkAppid
commands   every command that does something
schemas    what the commands carry
errors     answers to callbacks that are not taken
messages   messages sent and recalled
groups     groups made and ended, members come and gone
topics     the topics of a community, which have its members
reading    what was read on Tencent's side
order      which of two things happened later, although callbacks come late or twice
context    what all of them work with
"""
