"""What the fields and parameters of this dialect mean, for the OpenAPI document.

After developer.rocket.chat.
"""

from readstate.dialects.http.openapi.vocabulary import Field, Vocabulary

_AT, _READ_AT = "2026-03-01T09:00:00.000Z", "2026-03-01T09:00:07.250Z"
_TOKEN = "a-token-of-ann-that-the-backend-made"

FIELDS = {
    # every answer
    "success": Field("Whether it was done"),
    "error": Field("What is wrong; for a coded error with its code in brackets"),
    "errorType": Field("The code of the error, where the original has one"),
    "details": Field("More about the error, where the original says more"),
    "status": Field("The same as `success`, in the words of older servers"),
    "message": Field("The same as `error`, for older clients"),
    # ids
    "messageId": Field("The message's id", "m1"),
    "roomId": Field("The room's id", "garden"),
    "rid": Field("The room's id", "garden"),
    "roomName": Field("The name of one of the caller's rooms, instead of its id"),
    "userId": Field("The user's id", "ann"),
    "rocketchat_channel_counters.userId": Field("The caller's id; counts of others are not told"),
    "rocketchat_group_counters.userId": Field("The caller's id; counts of others are not told"),
    "rocketchat_im_counters.userId": Field("The caller's id; counts of others are not told"),
    "rocketchat_dm_counters.userId": Field("The caller's id; counts of others are not told"),
    "tmid": Field("The id of the message that begins the thread", "m1"),
    "FirstUnread._id": Field("The message's id", "m1"),
    # receipts
    "receipts": Field("Who has read the message, its sender first"),
    "MessageReceipt._id": Field("The ids of message and user together", "m1ann"),
    "ts": Field("When the user had read the message, in ISO 8601", _READ_AT),
    "MessageReceipt._updatedAt": Field("The same as `ts`: a receipt never changes", _READ_AT),
    "MessageReceipt.user": Field("The user; missing when nothing is known of them"),
    "offset": Field("How many receipts to leave out at the beginning; with neither `offset` nor `count` all come", 0),
    "count": Field("How many receipts to answer, at most 100; 0 for all from `offset` on", 50),
    # subscriptions
    "readThreads": Field("Taken, and changes nothing: replies are read with their room"),
    "firstUnreadMessage": Field("From which message on the room is to be unread"),
    "updatedSince": Field("Only what has changed since then, in ISO 8601; without it everything", _AT),
    "update": Field("The caller's rooms that have changed"),
    "remove": Field("The rooms that the caller has left", []),
    "subscription": Field("The room as the caller sees it; null for one that the caller is not in"),
    "Subscription._id": Field("The ids of room and user together", "gardenann"),
    "u": Field("Whose subscription it is"),
    "t": Field("What kind of room it is: `c` channel, `p` private group, `d` direct", "c"),
    "name": Field("The name", "Garden"),
    "fname": Field("The name in full", "Garden"),
    "Subscription.ts": Field("When the room was created, in ISO 8601", _AT),
    "ls": Field("Up to when the caller has seen the room, in ISO 8601; missing before a first read", _READ_AT),
    "open": Field("Always true"),
    "alert": Field("Whether there is something unread, or the caller wants to see the room as unread", True),
    "unread": Field("Unread messages of the room, the caller's own left out", 1),
    "userMentions": Field("Always 0: mentions are not known here", 0),
    "groupMentions": Field("Always 0: mentions are not known here", 0),
    "archived": Field("True for a room that the backend has frozen, else missing"),
    "Subscription._updatedAt": Field("When it last changed for the caller, in ISO 8601", _READ_AT),
    "RemovedSubscription._id": Field("The ids of room and user together", "gardenann"),
    "_deletedAt": Field("When the caller left, in ISO 8601", _READ_AT),
    # counters; null for a user who is not in the room
    "joined": Field("Whether the caller is in the room", True),
    "members": Field("How many are in the room", 2),
    "unreads": Field("Unread messages of the room, the caller's own left out", 1),
    "unreadsFrom": Field("From when on messages are unread, in ISO 8601", _AT),
    "msgs": Field("How many messages were ever posted in the room", 1),
    "latest": Field("When the newest message was posted, in ISO 8601", _AT),
    # users and tokens
    "Person._id": Field("The user's id", "ann"),
    "Person.name": Field("The user's name, for people", "Ann"),
    "username": Field("The user's name, for programs", "ann"),
    "Login.username": Field("The user's name or id, with `password`"),
    "resume": Field("A token, alone", _TOKEN),
    "password": Field("A token, together with the name of its user", _TOKEN),
    "user": Field("The user's name, address or id, with `password`; or an object with one of them", "ann"),
    "email": Field("The user's address, with `password`"),
    "LoginAnswer.data": Field("Who has logged in"),
    "LogoutAnswer.data": Field("That the token has ended"),
    "authToken": Field("The token that was sent", _TOKEN),
    "me": Field("The user"),
    "LoggedOut.message": Field("For people", "You've been logged out!"),
}

REQUESTS = {"rocketchat_login": {"user": "ann", "password": _TOKEN}}

VOCABULARY = Vocabulary(
    tag="Rocket.Chat",
    description="Reading, subscriptions, receipts and counters, for Rocket.Chat's clients",
    fields=FIELDS,
    requests=REQUESTS,
)
