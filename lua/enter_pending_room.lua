#!lua flags=allow-oom
-- enter_pending_room: enter a room in the list of rooms with pending updates, perhaps.
--
-- Key        list of rooms
-- Args       room
--            room: app, colon, id
--
-- Reply      added int   1: it was not in the list
-- Cost       commands <= 2, turns <= 0
--@include lib/clock

return redis.call("ZADD", key, string.format("%.0f", now_ms()), room)
