"""Hand-written faults of the scripts. Each is one slip that a person could make, and every one must make a test fail."""

from typing import NamedTuple


class Mutation(NamedTuple):
    """In `file` of lua/, `old` (which occurs there exactly once) becomes `new`."""

    file: str
    old: str
    new: str


MUTATIONS = [
    # Reading
    Mutation("mark_read.lua", "record and MESSAGE_UNKNOWN or NOT_MEMBER", "MESSAGE_UNKNOWN"),
    Mutation("lib/reading.lua", "if seq <= read and message_ord <= ord and marked == 0 then", "if seq < read and marked == 0 then"),
    Mutation("lib/reading.lua", "if seq <= read and message_ord <= ord and marked == 0 then", "if seq <= read and marked == 0 then"),
    Mutation("lib/reading.lua", "if seq <= read and message_ord <= ord and marked == 0 then", "if seq <= read and message_ord <= ord then"),
    Mutation("lib/reading.lua", "    if seq > cursor then\n", "    if true then\n"),
    Mutation("lib/reading.lua", "    ord = math.max(ord, message_ord)\n", ""),
    Mutation("lib/reading.lua", "    ord = math.max(ord, message_ord)\n", "    ord = message_ord\n"),
    Mutation("lib/reading.lua", "save_member(room, user, cursor, ord, seq, joined", "save_member(room, user, cursor, ord, read, joined"),
    Mutation("lib/reading.lua", "    tell_member(room, user, cursor, ord)\n", ""),
    Mutation("lib/reading.lua", "    publish_packed(notice)\n", ""),
    Mutation("lib/reading.lua", "if counts and shard", "if shard"),
    # The journal
    Mutation("lib/journal.lua", "if cursor - moves[i] < seq then", "if cursor - moves[i] <= seq then"),
    Mutation("lib/journal.lua", "cmsgpack.pack(to - from, now - at)", "cmsgpack.pack(to - from, 0)"),
    Mutation("lib/journal.lua", "        if at_ends >= seq then\n", "        if at_ends > seq then\n"),
    Mutation("lib/journal.lua", "(number - oldest) * CHUNK < tonumber(kept_moves)", "(number - oldest + 2) * CHUNK < tonumber(kept_moves)"),
    Mutation("lib/journal.lua", "    return since, false\nend", "    return since, true\nend"),
    # Those who have left
    Mutation("lib/stays.lua", "    if moves > 0 then\n", "    if false then\n"),
    Mutation("lib/stays.lua", '    redis.call("ZREM", room.key .. ":c", member)\n', ""),
    Mutation("lib/stays.lua", '    redis.call("ZREM", room.key .. ":b", member)\n', ""),
    Mutation("lib/stays.lua", "    if room.seq > 0 then\n", "    if false then\n"),
    Mutation(
        "lib/stays.lua",
        "pack_record(room.seq, room.ord, 0, room.seq, room_clock(room), 0, 0,",
        "pack_record(0, 0, 0, 0, room_clock(room), 0, 0,",
    ),
    Mutation(
        "lib/stays.lua",
        "pack_record(room.seq, room.ord, 0, room.seq, room_clock(room), 0, 0,",
        "pack_record(room.seq, room.ord, room.seq, room.seq, room_clock(room), 0, 0,",
    ),
    Mutation("lib/stays.lua", '"HSETNX"', '"HSET"'),
    # Rooms that change hands, and invitations
    Mutation("lib/takeover.lua", "    room.by_client = #left == LEAVE_AT_ONCE\n", "    room.by_client = false\n"),
    Mutation("lib/takeover.lua", "not named[member] and", ""),
    Mutation("lib/takeover.lua", '    redis.call("UNLINK", room.key .. ":n")\n', ""),
    Mutation("lib/takeover.lua", "    tell_anew(room, left)\n", ""),
    Mutation("lib/takeover.lua", "room.tags, room.active = tags, true", "room.tags = tags"),
    Mutation("lib/room.lua", "flags % 8 >= DERIVED_FLAG", "flags >= DERIVED_FLAG"),
    Mutation("lib/room.lua", 'return seen ~= "" and', 'return seen == "1" and'),
    Mutation("lib/membership.lua", "    strike_out_invitations(room, first)\n", ""),
    Mutation("invite.lua", "not load_record(room, user) and", ""),
    Mutation("delete_room.lua", ', ":n" }', " }"),
    # Receipts
    Mutation("lib/receipts.lua", "or kind >= RECALLED then", "then"),
    Mutation("lib/receipts.lua", "            read = read - 1\n", ""),
    Mutation("lib/receipts.lua", "            left = left - 1\n", ""),
    Mutation("lib/receipts.lua", "                read, unread = read + 1, unread - 1\n", ""),
    Mutation(
        "receipts.lua",
        "(member == sender and joined == sender_joined) then\n        return\n    end\n    local trail",
        "false then\n        return\n    end\n    local trail",
    ),
    Mutation("receipts.lua", "        if since_when < when then\n", "        if since_when > when then\n"),
    Mutation("lib/pages.lua", "        if is_before(name, ", "        if not is_before(name, "),
    Mutation("acknowledge.lua", "if seq and seq > cursor then", "if seq then"),
    # Counts and marks by hand
    Mutation("set_unread.lua", "    ord = math.max(lowest, ord - missing)\n", "    ord = lowest\n"),
    Mutation("set_unread.lua", "tell_member(room, user, cursor, ord)\n", ""),
    Mutation("set_unread.lua", "math.min(before, ord)", "ord"),
    Mutation("mark_unread.lua", "if not seq or is_deleted(room, seq, kind) then", "if not seq then"),
    Mutation("lib/until.lua", "tonumber(read_until) <= sent_ms", "tonumber(read_until) < sent_ms"),
    Mutation("mark_read_until.lua", "at_ms > until_ms do", "at_ms >= until_ms do"),
    # Posting
    Mutation("post.lua", "room.ord = room.ord + countable", "room.ord = room.ord + 1"),
    Mutation("post.lua", "    save_member(room, sender, room.seq, room.ord, room.seq, joined, at, moves, 0, tail)\n", ""),
    Mutation("post.lua", "room.ord, room.seq, joined, at, moves, 0, tail)", "room.ord, 0, joined, at, moves, 0, tail)"),
    Mutation("post.lua", "if crossed or (countable == 1 and not room.derived) then", "if countable == 1 and not room.derived then"),
    Mutation("post.lua", "(countable == 1 and not room.derived)", "countable == 1"),
    Mutation("post.lua", "    tell_member(room, sender, room.seq, room.ord)\n", ""),
    Mutation("post.lua", "    publish_packed(read_notice(id, sender, message, room.seq))\n", ""),
    Mutation("post.lua", 'if not cursor and ARGV[5] == "1" then', 'if not cursor and ARGV[5] == "x" then'),
    Mutation("post.lua", "    if seq then\n", "    if false then\n"),
    # Members
    Mutation("lib/membership.lua", "    room.size = room.size + #joined\n", ""),
    Mutation("remove_members.lua", "    tell_anew(room, left)\n", ""),
    Mutation("remove_members.lua", "    if crossed then\n        tell_members(room)\n    end\n", ""),
    # Crossing the fan-out limit
    Mutation("lib/crossing.lua", "if room.size > limit then", "if room.size >= limit then"),
    Mutation("lib/crossing.lua", "elseif room.size <= math.floor(limit * 3 / 4) then", "elseif room.size <= 0 then"),
    Mutation("lib/news.lua", "room.derived and 0 or unread_after(room, ord)", "unread_after(room, ord)"),
    Mutation("lib/states.lua", "    return room.active and ACTIVE or FROZEN\n", "    return ACTIVE\n"),
    Mutation("lib/plan_atomic.lua", "if room and room.active and not room.deleted then", "if room and not room.deleted then"),
    # Rooms
    Mutation(
        "create_room.lua",
        "room.floor, room.floor_seq, room.dead, room.top_hole = room.ord, room.seq, 0, 0",
        "room.floor, room.floor_seq, room.dead, room.top_hole = 0, 0, 0, 0",
    ),
    Mutation("create_room.lua", "seq = 0, ord = 0, rev = 0 }", "seq = 0, ord = 1, rev = 0 }"),
    Mutation("delete_room.lua", '":q", ":i", ":l", ":h", ":f"', '":q", ":l", ":h", ":f"'),
    Mutation("delete_room.lua", "tell_anew(room, members)\n", ""),
    Mutation("delete_room.lua", 'publish("gone", room_of(room.key))\n', ""),
    Mutation("set_tags.lua", "        tell_members(room)\n", ""),
    Mutation("set_status.lua", 'local active = ARGV[2] == "1"', 'local active = ARGV[2] == "0"'),
    # Deleting
    Mutation("lib/deleting.lua", "kind % 2 == COUNTABLE and kind < DELETED", "kind < DELETED"),
    Mutation("lib/deleting.lua", "tell_members(room, ord)", "tell_members(room, ord - 1)"),
    Mutation("lib/deleting.lua", "raise_revision(room)", "room.rev = room.rev"),
    Mutation("lib/deleting.lua", "room.top_hole = math.max(room.top_hole, ord)", "room.top_hole = ord"),
    Mutation("lib/deleting.lua", "        room.dead = room.dead + 1\n", ""),
    Mutation("delete_all_messages.lua", "room.seq - room.floor_seq - room.dead", "room.seq - room.floor_seq"),
    Mutation("delete_all_messages.lua", 'redis.call("UNLINK", room.key .. ":h")\n', ""),
    Mutation("delete_message.lua", "take_out(room, message, seq, ord, kind, DELETED)", "take_out(room, message, seq, ord, kind, RECALLED)"),
    # Counting
    Mutation("lib/room.lua", "local from = math.max(ord, room.floor)", "local from = ord"),
    Mutation("lib/room.lua", 'string.format("(%.0f", from)', 'string.format("%.0f", from)'),
    Mutation("lib/room.lua", "if room.top_hole > from then", "if room.top_hole > from + 1 then"),
    Mutation("lib/room.lua", "math.max(room.rev + 1, time[1] * 1000000 + time[2], at_least or 0)", "math.max(room.rev, at_least or 0)"),
    Mutation("lib/room.lua", "seq <= room.floor_seq or", "seq < room.floor_seq or"),
    # The user's side
    Mutation("lib/user.lua", "if old_rev >= news.rev then", "if old_rev > news.rev then"),
    Mutation("lib/user.lua", "if old_rev >= news.rev then", "if false then"),
    Mutation("lib/user.lua", "local more = unread - old_unread", "local more = old_unread - unread"),
    Mutation("lib/user.lua", "0 - old_unread) == 0 then", "0 - unread) == 0 then"),
    Mutation("lib/user.lua", "            forget(old_tags)\n", ""),
    Mutation("lib/user.lua", "            if not kept[tag] then", "            if true then"),
    Mutation("lib/user.lua", 'redis.call("HINCRBY", key, "t" .. tag, by)', 'redis.call("HINCRBY", key, "t" .. tags, by)'),
    Mutation("lib/user.lua", " - (old_state == DERIVED and 1 or 0)", ""),
    Mutation("lib/user.lua", " - (old_state == ACTIVE and old_unread or 0)", ""),
    Mutation(
        "lib/user.lua", "    for i = 3, #fields do\n        write[2 * i] = have", "    for i = 4, #fields do\n        write[2 * i] = have"
    ),
    # The order by cursors, and the head among the members
    Mutation("lib/order.lua", "    if not room.derived then\n        index(room)", "    if false then\n        index(room)"),
    Mutation("lib/order.lua", "        if flat[i] ~= HEAD then\n", "        do\n"),
    Mutation("lib/crossing.lua", "        index(room)\n", ""),
    Mutation("lib/crossing.lua", '        redis.call("UNLINK", room.key .. ":c")\n', ""),
    Mutation("lib/room.lua", "    if room.derived then\n        redis.call", "    if false then\n        redis.call"),
    Mutation("lib/stays.lua", "    if room.derived then\n        redis.call", "    if false then\n        redis.call"),
    Mutation("lib/room.lua", "        return room.seq, room.ord\n", "        return room.seq, room.ord - 1\n"),
    Mutation("post.lua", "room.newest = message\n", ""),
    Mutation("lib/news.lua", "        if flat[i] ~= HEAD then\n", "        do\n"),
    Mutation("lib/room.lua", "    return member ~= HEAD and redis.call(", "    return redis.call("),
    Mutation("lib/room.lua", "member ~= HEAD and have[2]", "have[2]"),
    Mutation("lib/room.lua", ' and message ~= "" then', " then"),
    Mutation("lib/room.lua", "        if field ~= HEAD then\n", "        do\n"),
    Mutation("delete_room.lua", 'redis.call("UNLINK", room.key)\n', ""),
    Mutation("delete_room.lua", 'redis.call("EXPIRE", room.key, HEAD_KEPT_S)\n', ""),
    Mutation("create_room.lua", '    redis.call("UNLINK", room.key)\n', ""),
    Mutation("snapshot.lua", "cursor and not room.derived or ", ""),
    Mutation("lib/user.lua", "        cursor, ahead = old_cursor, old_cursor\n", "        ahead = old_cursor\n"),
    Mutation("lib/user.lua", "and old_rev >= news.born then", "then"),
    Mutation("lib/user.lua", "        version = version + 1\n", ""),
    Mutation("lib/user.lua", "news.rev - GONE_KEPT", "news.rev"),
    # Asking
    Mutation("badge.lua", "if #tags > 1 then", "if #tags > 2 then"),
    Mutation("lib/sets.lua", "TAG_SEPARATOR .. tag .. TAG_SEPARATOR, 1, true", "TAG_SEPARATOR .. tag .. TAG_SEPARATOR, 1, false"),
    Mutation("lib/sets.lua", "TAG_SEPARATOR .. tag .. TAG_SEPARATOR, 1, true", "tag, 1, true"),
    Mutation("badges_by_tags.lua", "        total = total + room[1]\n", ""),
    Mutation("rooms.lua", "if state ~= GONE then", "if state ~= FROZEN then"),
    # Memory of messages
    Mutation("lib/history.lua", "math.min(kept - history, 1000)", "math.min(kept - history, 1000) do"),
    Mutation(
        "lib/history.lua",
        '"-inf", math.min(ord, lowest, ord_before_history(room))',
        '"-inf", math.max(ord, lowest, ord_before_history(room))',
    ),
    Mutation(
        "lib/history.lua",
        'string.format("%08x%s%09x", math.floor(at_ms / 1000), string.sub(redis.sha1hex(room.key), 1, 7), room.seq)',
        "math.floor(at_ms / 1000) .. string.sub(redis.sha1hex(room.key), 1, 14)",
    ),
    # Owing
    Mutation("settle.lua", "tonumber(revision) <= tonumber(ARGV[1])", "tonumber(revision) < tonumber(ARGV[1])"),
    Mutation("settle.lua", "if revision and tonumber(revision) <= tonumber(ARGV[1]) then", "if revision then"),
    Mutation("lib/plan_split.lua", 'redis.call("HSET", room.key .. ":o", unpack(owed, i, math.min(i + 999, #owed)))', "local _ = i"),
    Mutation("lib/news.lua", "    tell_anew(room, owed_members(room))\n", ""),
    Mutation("restore_cursor.lua", "math.min(tonumber(ARGV[3]), room.seq)", "tonumber(ARGV[3])"),
    # Truth
    Mutation("audit_head.lua", "if stored ~= expected then", "if stored < expected then"),
    Mutation("snapshot.lua", "states[#states + 1] = cursor and unread_after(room, ord) or 0", "states[#states + 1] = 0"),
    # Webhooks
    Mutation("lib/events.lua", "one[REVISION] >= other[REVISION] and one or other", "one"),
    Mutation("lib/events.lua", "math.min(one[BEFORE], other[BEFORE])", "newer[BEFORE]"),
    Mutation(
        "lib/events.lua", "delivered and event[REVISION] <= tonumber(delivered)", "delivered and event[REVISION] < tonumber(delivered)"
    ),
    Mutation("lib/events.lua", "delivered and event[REVISION] <= tonumber(delivered)", "false"),
    Mutation("lib/events.lua", "newer and 0 or waiting[3], newer and 0 or waiting[4]", "0, waiting[4]"),
    Mutation("lib/events.lua", '        redis.call("HDEL", shard .. ":x", pair)\n', ""),
    Mutation("lib/events.lua", 'event[1] .. "\\31" .. event[2] .. "\\31" .. event[3]', 'event[1] .. ":" .. event[2] .. ":" .. event[3]'),
    Mutation("take_events.lua", "if held_by and held_by ~= holder then", "if false then"),
    Mutation("take_events.lua", '    redis.call("ZADD", shard .. ":t", now + ARGV[5], pair)\n', ""),
    Mutation("take_events.lua", "dead and united(event, dead) or event", "event"),
    Mutation("take_events.lua", '    redis.call("XDEL", shard, entry[1])\n', ""),
    Mutation(
        "settle_events.lua",
        "    if same then\n        drop_waiting(shard, pair)\n",
        "    if waiting then\n        drop_waiting(shard, pair)\n",
    ),
    Mutation("settle_events.lua", "math.max(waiting[1][BEFORE], seq)", "waiting[1][BEFORE]"),
    Mutation("settle_events.lua", '    redis.call("ZADD", shard .. ":d", "GT", revision, pair)\n', ""),
    Mutation("settle_events.lua", "waiting[3] > 0 and waiting[3] or now", "now"),
    Mutation("settle_events.lua", 'verdict == "dead" and same', 'verdict == "dead" and waiting'),
    Mutation("settle_events.lua", '"ZREMRANGEBYRANK", shard .. ":d", 0, -1 - DELIVERED_KEPT', '"ZCARD", shard .. ":d"'),
    Mutation("leave_events.lua", "~= ARGV[1] then", '== "" then'),
    Mutation("share_events.lua", 'redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)\n', ""),
]
