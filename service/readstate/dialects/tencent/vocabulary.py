"""What the fields and parameters of this dialect mean, for the OpenAPI document.

After Tencent Cloud Chat.
"""

from readstate.dialects.http.openapi.vocabulary import Field, Vocabulary

_MESSAGE_KEY = "101_203_1772355600"

FIELDS = {
    # every answer
    "ActionStatus": Field("`OK`, or `FAIL` for what was not done"),
    "ErrorInfo": Field("What is wrong, for people; empty for what was done"),
    "ErrorCode": Field("0 for what was done, else which refusal or fault it is"),
    # accounts and conversations
    "From_Account": Field("The account that sent the message", "ben"),
    "SendReceipts.From_Account": Field("The member who has read the messages", "ann"),
    "To_Account": Field("The account that the message was sent to", "ann"),
    "GetUnread.To_Account": Field("The account whose unread messages are counted", "ann"),
    "Report_Account": Field("The account that has read", "ann"),
    "Operator_Account": Field("The account that has read", "ann"),
    "Peer_Account": Field("The other account of the conversation", "ben"),
    "GetUnread.Peer_Account": Field("The peers, up to 10, whose messages are counted; without them all"),
    "MsgReadTime": Field("Up to and including which second it is read, in Unix seconds; without it altogether"),
    "AllC2CUnreadMsgNum": Field("Unread messages of all one-to-one conversations", 3),
    "C2CUnreadMsgNum": Field("Unread messages of the conversation", 3),
    "C2CUnreadMsgNumList": Field("Unread messages by peer"),
    "ErrorList": Field("The peers that were not counted, and why; missing when all were"),
    "PeerFailure.ErrorCode": Field("Why it was not counted", 70107),
    "C2CMsgInfo": Field("The messages, up to 50"),
    "MsgKey": Field("The message's key: its MsgSeq, MsgRandom and MsgTime", _MESSAGE_KEY),
    "ReadMessage.MsgSeq": Field("The first number of the key, for clients that do not send the key"),
    "MsgRandom": Field("The second number of the key"),
    "MsgTime": Field("The third number of the key, in Unix seconds"),
    # groups
    "GroupId": Field("The group's id", "@TGS#garden"),
    "Member_Account": Field("The member", "ann"),
    "UnreadMsgNum": Field("How many messages are to be unread", 2),
    "MsgSeq": Field("The message's place in its group", 7),
    "MsgSeqList": Field("The messages, up to 50"),
    "Filter": Field("0: who has read it; 1: who has not", 0),
    "Count": Field("How many members to answer at most", 100),
    "GetReceiptDetail.Cursor": Field("`Cursor` of the page before; without it the first page"),
    "Cursor": Field("`Cursor` for the following page; 0 on the last one", "0"),
    "IsFinish": Field("1 on the last page", 1),
    "IsFinished": Field("The same as `IsFinish`: clients read one or the other", 1),
    "GroupMsgReceiptList": Field("The counts of each message, in the order given"),
    "Code": Field("0, or 10062 for a message without receipts", 0),
    "ReadNum": Field("How many members have read the message, its sender left out", 1),
    "UnreadNum": Field("How many members have not", 0),
    "ReadList": Field("Who has read it"),
    "UnreadList": Field("Who has not read it"),
    "Read_Account": Field("The member", "ann"),
    "Unread_Account": Field("The member", "ann"),
    # callbacks
    "SdkAppid": Field("The app that the callback is of", "1400000000"),
    "CallbackCommand": Field("What has happened; the same in the URL and in the body", "C2C.CallbackAfterMsgReport"),
    "Sign": Field("SHA-256 of the token and `RequestTime`, in hexadecimal"),
    "RequestTime": Field("When it was signed, in Unix seconds"),
}

REQUESTS = {
    "c2c_msg_read_receipt": {
        "Operator_Account": "ann",
        "Peer_Account": "ben",
        "C2CMsgInfo": [{"From_Account": "ben", "To_Account": "ann", "MsgKey": _MESSAGE_KEY}],
    },
    "tencent_callback": {
        "CallbackCommand": "C2C.CallbackAfterMsgReport",
        "Report_Account": "ann",
        "Peer_Account": "ben",
        "LastReadTime": 1772355600,
        "UnreadMsgNum": 0,
    },
}

VOCABULARY = Vocabulary(
    tag="Tencent IM",
    description="Reading and receipts, for backends written for Tencent's REST API, and its callbacks",
    fields=FIELDS,
    requests=REQUESTS,
)
