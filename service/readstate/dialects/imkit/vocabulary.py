"""What the fields and parameters of this dialect mean, for the OpenAPI document, after
docs.imkit.io.
"""

from readstate.dialects.http.openapi.vocabulary import Field, Vocabulary
from readstate.domain.limits import MAX_MEMBERS_SHOWN

_AT, _AT_MS = "2026-03-01T09:00:00.000Z", 1772355600000
_READ_AT = "2026-03-01T09:00:07.250Z"
_ENDS, _ENDS_MS = "2026-06-01T00:00:00.000Z", 1780272000000
_LATER = "2026-03-01T09:01:00.000Z"
_TOKEN = "a-token-of-ann-that-the-backend-made"
_LINES = [
    {"type": "user", "user": "ann", "profile": {"nickname": "Ann"}, "updated_ms": _AT_MS},
    {"type": "copy", "room": "garden", "cursor": 1, "unread": 0, "tags": ["home"]},
]

FIELDS = {
    # the envelope
    "RC": Field("0 for a call that was done, else the HTTP status"),
    "RM": Field("What the status means, for people", "OK"),
    "result": Field("What the call answers"),
    "error": Field("What went wrong"),
    "Error.code": Field("Which refusal or fault it is; stable"),
    "Error.message": Field("What is wrong, and what to do about it; for people"),
    "retryAfter": Field("With 429: in how many seconds there may be more calls"),
    # ids
    "_id": Field("The id", "garden"),
    "id": Field("The id once more: clients read either", "garden"),
    "UserRef._id": Field("The user's id", "ann"),
    "UserRef.id": Field("The user's id once more", "ann"),
    "UserResult._id": Field("The user's id", "ann"),
    "UserResult.id": Field("The user's id once more", "ann"),
    "NewUser._id": Field("The user's id: of a new user or of one to be changed", "ann"),
    "ListedUser._id": Field("The user's id: of a new user or of one to be changed", "ann"),
    "NewRoom._id": Field("The room's id; without one it gets a new one", "garden"),
    "MessageResult._id": Field("The message's id", "m1"),
    "MessageResult.id": Field("The message's id once more", "m1"),
    "RoomMessage._id": Field("The id of a message of the caller's own, which is edited or recalled", "m1"),
    "AdminMessage._id": Field("The message's id, which makes repeating harmless; without one it gets a new one", "m1"),
    "appID": Field("The app that it belongs to", "default"),
    "room": Field("The room's id", "garden"),
    "roomID": Field("The room's id", "garden"),
    "message": Field("The message's id", "m1"),
    "messageID": Field("The message's id; `_all` for every message of the room", "m1"),
    "delete_message.message": Field("The message's id; `_all` for every message of the room", "m1"),
    "client": Field("The user's id", "ben"),
    "user": Field("The user's id", "ann"),
    # reading
    "badge": Field("Unread messages over all rooms of the user", 3),
    "totalBadge": Field("Unread messages in all rooms with any of the tags, a room with several counted once", 4),
    "BadgesAsked.tokens": Field("A token of each of up to 20 users: those who are signed in on one device", [_TOKEN]),
    "BadgesAsked.clients": Field("The ids of up to 200 users; for backends, instead of `tokens`", ["ann", "ben"]),
    "BadgesResult.data": Field("Each user once, in the order given"),
    "BadgesResult.totalBadge": Field("The sum of them", 3),
    "MemberResult.badge": Field("Unread messages of the room", 0),
    "unread": Field("Unread messages of the room", 0),
    "lastRead": Field("The id of the newest message that the user has read in the room", "m1"),
    "items": Field("Rooms, and in each the newest message that was read"),
    "tags": Field("Tags to count for; without them all tags on the caller's rooms", ["home"]),
    "TagBadgesResult.data": Field("Unread messages by tag", {"home": 3, "work": 1}),
    "roomTags": Field("The room's tags", ["home"]),
    "badge.roomTags": Field(
        "Tags that a room must carry to be counted, all of them; also taken as `roomTags[]`", ["home"]
    ),
    "ReadManyResult.results": Field(
        "An envelope for each item, in the order given; of `result` its fields are `room`, `lastRead` and `unread`",
        [{"RC": 0, "RM": "OK", "result": {"room": "garden", "lastRead": "m1", "unread": 0}}],
    ),
    # receipts
    "filter": Field("Whether those who have read the message are listed, or those who have not", "read"),
    "receipts.limit": Field("How many people a page has at most", 50),
    "page": Field("`next` of the page before; without it the first page"),
    "receipt_counts.messages": Field(
        "Up to 100 message ids, by commas or in several parameters; a comma within an id is %2C", ["m1", "m2"]
    ),
    "messageTime": Field("When the message was posted, in ISO 8601", _AT),
    "messageTimeMS": Field("When the message was posted, in Unix milliseconds", _AT_MS),
    "readCount": Field("How many members have read the message, its sender left out", 1),
    "unreadCount": Field("How many members have not", 0),
    "leftCount": Field("How many had read it and have left the room since", 0),
    "ReceiptsResult.sender": Field("The id of the user who sent the message; null for one without a sender", "ann"),
    "ReceiptsResult.data": Field(
        "With `filter` read: who has read it (`client`), since when (`at`, at the latest unless `exact`), "
        "and whether they `left` since. With unread: who has not (`client`)",
        [{"client": "ben", "at": _READ_AT, "exact": True, "left": False}],
    ),
    "next": Field("`page` of the following page; null on the last one", None),
    "ReceiptCountsResult.data": Field("The counts of each message that is known, in the order given"),
    # rooms
    "members": Field("Ids of users", ["ann", "ben"]),
    "Leavers.members": Field("The ids of the users who leave", ["ben"]),
    "RoomResult.members": Field(f"The members, up to {MAX_MEMBERS_SHOWN:,} of them"),
    "CreatedRoomResult.members": Field("The ids of the members", ["ann", "ben"]),
    "invitee": Field("The id of a user, or several, who become members beside the creator", "ben"),
    "invitees": Field("The ids of the users who come in", ["cleo"]),
    "owner": Field("The id of the member who owns the room", "ann"),
    "systemMessage": Field("Whether a message in the room tells of it", False),
    "invitationRequired": Field("Whether those who are named are invited only, and join by themselves", False),
    "roomType": Field("What kind of room it is: `group`, or as its profile says", "group"),
    "status": Field("1 for an active room; 0 for a frozen one, which is in no list and no badge", 1),
    "createdTime": Field("When the room was created, in ISO 8601", _AT),
    "createdTimeMS": Field("When the room was created, in Unix milliseconds", _AT_MS),
    "created": Field("Whether it is new; false when it existed", True),
    "totalCount": Field("How many there are in all, on this page or not", 1),
    "RoomsResult.data": Field("The rooms of this page"),
    "RoomsUnreadResult.data": Field("The rooms of this page, of each what a list of badges needs"),
    "RoomIdsResult.data": Field("The ids of the rooms of this page", ["garden"]),
    "RoomUnread.lastMessage": Field("The newest message; missing in a room without any"),
    "version": Field("With what the next question asks, as `since`; opaque", "1772355600123"),
    "snapshot": Field("Whether all active rooms follow, and what the device knew before is void", False),
    "more": Field("Whether there is more: ask again at once, with the new `version`", False),
    "ChangesResult.rooms": Field("The active rooms whose read state has changed, as it is now"),
    "removed": Field("The rooms in which the caller is no longer, and those that are frozen", ["cellar"]),
    "since": Field("The `version` of an earlier answer; without it all rooms are answered", "1772355600123"),
    "changes.limit": Field("How many rooms to answer at most", 100),
    "joinedAt": Field("When the member joined, in ISO 8601; only until they have read something"),
    "joinedAtMS": Field("When the caller joined, in Unix milliseconds; only until they have read something"),
    "MessageTime._id": Field("The message's id", "m1"),
    "timeInMS": Field("Unix milliseconds: messages sent after it are counted; without it all are", _AT_MS),
    "CountResult.count": Field("How many messages there are", 1),
    "n": Field("How many rooms were deleted", 1),
    "ok": Field("1: it was done", 1),
    "skip": Field("How many rooms to leave out at the beginning"),
    "limit": Field("How many rooms to answer at most; 0 for as many as an answer holds", 20),
    "sort": Field(
        "`lastMessage`, `createdTime`, `createdTimeMS`, `name` and `unread`, separated by spaces, "
        "with `-` in front to descend",
        "-lastMessage -createdTime",
    ),
    "updatedAfter": Field("Only rooms that have changed since: an ISO 8601 time or Unix milliseconds", _AT),
    "sortUnreadFirst": Field("Other than 0: rooms with something unread come first", 1),
    "fields": Field("`unread`: only what a list of badges needs, in less than a tenth of the bytes", "unread"),
    "q": Field(
        "JSON of `members` (the caller's id), `roomTags` (a tag, `$in` or `$all`) and `name` "
        "(`$regex`, taken for plain text, and `$options`)",
        '{"roomTags": "home"}',
    ),
    "pref": Field("Taken, and filters nothing: preferences are not kept here"),
    # messages
    "messageType": Field("What kind of message it is: `text`, or as its sender says", "text"),
    "countable": Field("Whether the message can be unread; true unless said otherwise"),
    "silent": Field("The same as `countable` false"),
    "notify": Field("False: no device hears of the message"),
    "moveCursor": Field("False: the sender has not read anything by it; unless given, as whether the message counts"),
    "asLastMessage": Field("False: it never becomes the room's last message; unless given, as whether it counts"),
    "sender": Field("Who sent the message; null for one without a sender", "ann"),
    "MessageResult.sender": Field("Who sent the message: the user, or their id; null for one without a sender"),
    "createdAtMS": Field("When the message was posted, in Unix milliseconds, under another name", _AT_MS),
    "updatedAtMS": Field("When the message last changed, in Unix milliseconds", _AT_MS),
    "messages": Field("The messages, each as for POST /messages"),
    "paras": Field("The messages, as IMKit's documentation calls them; each may name a `receiver` in place of a room"),
    "batchID": Field("A name for the batch, new each time", "66b1f0c2a4d5e6f708192a3b"),
    "count": Field("How many messages the batch had", 1),
    "BatchResult.results": Field(
        "An envelope for each message, in the order given; `created` is false for one whose `_id` was known",
        [
            {
                "RC": 0,
                "RM": "OK",
                "result": {"_id": "m1", "id": "m1", "room": "garden", "messageTimeMS": _AT_MS, "created": True},
            }
        ],
    ),
    "delete_messages.before": Field("A message or a time: everything before it is deleted", "m1"),
    "MessagesDeletedResult.before": Field("The message before which all were deleted", "m1"),
    "deletedCount": Field("How many messages were deleted", 1),
    "deletedBy": Field("The user who deleted them; empty for the backend", "ann"),
    "deletedAt": Field("When they were deleted, in ISO 8601", _LATER),
    # users and tokens
    "nickname": Field("The user's name, for people", "Ann"),
    "avatarUrl": Field("Where a picture of the user is", ""),
    "description": Field("What the user says about themselves", ""),
    "isRobot": Field("Whether the user is a program", False),
    "mute": Field("Always empty: muted rooms are not kept here", []),
    "updatedAt": Field("When it last changed, in ISO 8601", _LATER),
    "createdAt": Field("When it was made, in ISO 8601", _AT),
    "issueAccessToken": Field("Whether the user gets a new token, which the answer holds"),
    "token": Field("A token of the user", _TOKEN),
    "TokenRevoking.token": Field("The token that ends; without it all of the user's end", _TOKEN),
    "TokenResult.client": Field("The user's id", "ann"),
    "expirationDate": Field("When the token ends, in ISO 8601", _ENDS),
    "NewUser.expirationDate": Field(
        "When `token` ends, in ISO 8601; by default it lives as long as an issued one", _ENDS
    ),
    "expirationDateMS": Field("When the token ends, in Unix milliseconds", _ENDS_MS),
    "UsersResult.data": Field("The users, in the order given"),
    "NewUsers.data": Field("The users"),
    "RevokedTokensResult.data": Field("The tokens that ended"),
    # what is stored of users
    "PeopleResult.data": Field("Ids of users", ["ann", "ben"]),
    "PersonResult.data": Field("Lines of JSON, by `type`: `user`, `token` and `copy`, a room", _LINES),
    "PersonExportResult.data": Field(
        "Lines of JSON, by `type`: `user`, `token`, `copy`, then of each room from `room` to `end`, and `event`", _LINES
    ),
    "erase_person.name": Field(
        "What stands in for the user's id in rooms, with `-` and 16 random digits behind it; "
        "at most 111 bytes; without it `erased`",
        "former-member",
    ),
    "ErasureResult.name": Field("What stands in for the user's id in rooms", "former-member-5f0c2a9be61d7784"),
    "ErasureResult.rooms": Field("How many rooms were looked at in this call", 2),
    "TracesResult.data": Field("Keys of the store and fields in them; empty on every page after an erasure", []),
}

# Whatever else is given becomes part of the room's or user's profile, or of the message, and is
# answered with it.
FREE = frozenset(
    {
        "NewRoom",
        "RoomChange",
        "RoomResult",
        "CreatedRoomResult",
        "NewUser",
        "ListedUser",
        "UserResult",
        "RoomMessage",
        "AdminMessage",
        "Batch",
        "MessageResult",
    }
)

_MESSAGE = {"_id": "m1", "room": "garden", "sender": "ann", "messageType": "text", "message": "The tomatoes are up!"}

REQUESTS = {
    "badges": {"clients": ["ann", "ben"]},
    "add_member": {"systemMessage": False},
    "badges_by_tags": {"tags": ["home", "work"]},
    "create_room": {"_id": "garden", "name": "Garden", "roomTags": ["home"], "members": ["ann", "ben"]},
    "create_and_join": {"_id": "garden", "name": "Garden", "invitee": ["ben"]},
    "update_room": {"roomTags": ["home", "spring"], "name": "Garden"},
    "send": {"messageType": "text", "message": "The tomatoes are up!"},
    "post": _MESSAGE,
    "post_batch": {"messages": [_MESSAGE]},
    "upsert_user": {"_id": "ann", "nickname": "Ann", "issueAccessToken": True},
    "upsert_users": {"data": [{"_id": "ann", "nickname": "Ann"}, {"_id": "ben", "nickname": "Ben"}]},
    "revoke_tokens": {"token": _TOKEN},
}

VOCABULARY = Vocabulary(
    tag="IMKit",
    description="Rooms, messages, reading, badges and receipts, for IMKit's clients and backends",
    fields=FIELDS,
    free=FREE,
    requests=REQUESTS,
)
