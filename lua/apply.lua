#!lua flags=allow-oom
-- apply: give one user a newer update of one room; the second step of every operation on the split
-- plan, and of a visit.
--
-- Key        user
-- Args       room, revision int, created_revision int, tags bytes, cursor int, unread int,
--            state int
--            revision, created_revision: of the room, below 2^53; tags: canonical tag set
--            state: as in lib/states.lua
--
-- Reply      { ahead int, badge int? }
--            ahead: a cursor that the room has lost, or 0
--            badge: the user's, none when rooms have to be asked for it
-- Publishes  copy, when the user's version rises or there is news
-- Cost       commands <= 28, turns <= 40 + 13 * tags
--@include lib/user

local update, reply = make_update(room, revision, created_revision, tags), { 0, false }
if state == NEWS_ONLY then
    note_news(key, update, cursor)
else
    update.may_have_lost = true
    local total, derived, news, ahead = apply(key, update, cursor, unread, state)
    reply = { ahead, ahead == 0 and derived == 0 and news == 0 and total }
end
if update.version or update.stamp then -- later than the room has published, so on the user's channel
    redis.call("SPUBLISH", key, pack_array("copy", room))
end
return reply
