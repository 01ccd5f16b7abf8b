"""Hand-written faults of the scripts.

Each is one slip that a person could make, and every one must make a test fail.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """In `file` of lua/, `old` (which occurs there exactly once) becomes `new`."""

    file: str
    old: str
    new: str


MUTATIONS = [
    # Reading
    Mutation("mark_read.lua", "record and MESSAGE_UNKNOWN or NOT_MEMBER", "MESSAGE_UNKNOWN"),
    Mutation(
        "lib/reading.lua",
        "if seq <= read and message_ordinal <= ordinal and marked == 0 then",
        "if seq < read and marked == 0 then",
    ),
    Mutation(
        "lib/reading.lua",
        "if seq <= read and message_ordinal <= ordinal and marked == 0 then",
        "if seq <= read and marked == 0 then",
    ),
    Mutation(
        "lib/reading.lua",
        "if seq <= read and message_ordinal <= ordinal and marked == 0 then",
        "if seq <= read and message_ordinal <= ordinal then",
    ),
    Mutation("lib/reading.lua", "    if seq > cursor then\n", "    if true then\n"),
    Mutation("lib/reading.lua", "    ordinal = math.max(ordinal, message_ordinal)\n", ""),
    Mutation(
        "lib/reading.lua", "    ordinal = math.max(ordinal, message_ordinal)\n", "    ordinal = message_ordinal\n"
    ),
    Mutation(
        "lib/reading.lua",
        "save_record(room, user, cursor, ordinal, told_to, seq, joined",
        "save_record(room, user, cursor, ordinal, told_to, read, joined",
    ),
    Mutation("lib/reading.lua", "    push_to_member(room, user, cursor, ordinal)\n", ""),
    Mutation("lib/reading.lua", "    publish_packed(notice)\n", ""),
    Mutation("lib/reading.lua", "if counts and shard", "if shard"),
    # The journal
    Mutation("lib/journal.lua", "if cursor - moves[i] < seq then", "if cursor - moves[i] <= seq then"),
    Mutation("lib/journal.lua", "late and at - now - 1 or now - at", "late and at - now - 1 or 0"),
    Mutation("lib/journal.lua", "        if ends >= seq then\n", "        if ends > seq then\n"),
    Mutation(
        "lib/journal.lua",
        "(number - oldest) * CHUNK < tonumber(journal_moves)",
        "(number - oldest + 2) * CHUNK < tonumber(journal_moves)",
    ),
    Mutation("lib/journal.lua", " and ended >= at - journal_ms then", " then"),
    Mutation("lib/journal.lua", '        redis.call("HDEL", room.key .. JOURNALS, chunk_field(member, oldest))\n', ""),
    Mutation(
        "lib/journal.lua",
        "local number, oldest = newest_chunk(moves), 0",
        "local number, oldest = newest_chunk(moves) + 1, 0",
    ),
    Mutation("lib/journal.lua", "    for number = oldest, last do\n", "    for number = oldest + 1, last do\n"),
    Mutation("lib/trails.lua", "number = number - 1\n", "number = number - 2\n"),
    Mutation("lib/journal.lua", "    return since, false\nend", "    return since, true\nend"),
    # Those who have left
    Mutation("lib/stays.lua", "    if member.moves > 0 then\n", "    if false then\n"),
    Mutation("lib/stays.lua", '    redis.call("ZREM", room.key .. BY_CURSOR, name)\n', ""),
    Mutation("lib/stays.lua", '    redis.call("ZREM", room.key .. BY_JOINING, name)\n', ""),
    Mutation("lib/stays.lua", "    if room.seq > 0 then\n", "    if false then\n"),
    Mutation(
        "lib/stays.lua",
        "pack_record(room.seq, room.ordinal, 0, 0, room.seq, room_clock(room), 0, 0,",
        "pack_record(0, 0, 0, 0, 0, room_clock(room), 0, 0,",
    ),
    Mutation(
        "lib/stays.lua",
        "pack_record(room.seq, room.ordinal, 0, 0, room.seq, room_clock(room), 0, 0,",
        "pack_record(room.seq, room.ordinal, 0, room.seq, room.seq, room_clock(room), 0, 0,",
    ),
    Mutation("lib/stays.lua", '"HSETNX"', '"HSET"'),
    # Rooms that change hands, and invitations
    Mutation("lib/takeover.lua", "    room.by_client = #left == LEAVE_AT_ONCE\n", "    room.by_client = false\n"),
    Mutation("lib/takeover.lua", "not named[member] and", ""),
    Mutation("lib/takeover.lua", '    redis.call("UNLINK", room.key .. INVITED)\n', ""),
    Mutation("lib/takeover.lua", "    push_present_state(room, left)\n", ""),
    Mutation("lib/takeover.lua", "room.tags, room.active = tags, true", "room.tags = tags"),
    Mutation("lib/room.lua", "flags % 8 >= DERIVED_FLAG", "flags >= DERIVED_FLAG"),
    Mutation("lib/room.lua", 'return seen ~= "" and', 'return seen == "1" and'),
    Mutation("lib/takeover.lua", "    push_pending(room)\n", ""),
    Mutation("lib/takeover.lua", "    for _, member in ipairs(others) do\n", "    for _, member in ipairs({}) do\n"),
    Mutation("lib/takeover.lua", "    room.member_count = room.member_count - #left\n", ""),
    Mutation(
        "lib/takeover.lua", "local changed = room.tags ~= tags or not room.active", "local changed = not room.active"
    ),
    Mutation("lib/takeover.lua", '        publish("left", room_id(room.key), left)\n', ""),
    Mutation("create_room.lua", "elseif room.by_client then\n    set_profile()\n", "elseif room.by_client then\n"),
    Mutation("create_room.lua", '    redis.call("UNLINK", room.key .. PROFILE)\n', ""),
    Mutation("create_room.lua", "take_over(room, tags, joining, others,", "take_over(room, tags, others, joining,"),
    Mutation("create_room.lua", "elseif by_client then", "elseif false then"),
    Mutation("lib/membership.lua", "    end_invitations(room, members)\n", ""),
    Mutation("remove_members.lua", "end_invitations(room, members)\n", ""),
    Mutation("invite.lua", "not load_record(room, user) and", ""),
    Mutation("invite.lua", ' and redis.call("SISMEMBER", open, user) == 0', ""),
    Mutation("invite.lua", "        seen[user] = true\n", ""),
    Mutation("invite.lua", "+ #invited > most", "+ #invited >= most"),
    Mutation("room.lua", 'invited = redis.call("SISMEMBER", room.key .. INVITED, user)', "invited = 0"),
    Mutation("lib/keys.lua", "HOLES, PROFILE, INVITED,", "HOLES, PROFILE,"),
    # Receipts
    Mutation("lib/receipts.lua", "or kind >= RECALLED then", "then"),
    Mutation("lib/receipts.lua", "read - (cursor >= seq and 1 or 0)", "read"),
    Mutation("lib/receipts.lua", "            left = left - 1\n", ""),
    Mutation("lib/receipts.lua", "                read, unread = read + 1, unread - 1\n", ""),
    Mutation("lib/receipts_page.lua", "(name == page.sender and joined == page.sender_joined)", "false"),
    Mutation("lib/receipts_page.lua", "        if reached_at < at then\n", "        if reached_at > at then\n"),
    Mutation("lib/pages.lua", "        if is_before(name, ", "        if not is_before(name, "),
    Mutation("acknowledge.lua", "receipted(room, message, member.cursor)", "receipted(room, message, 0)"),
    # Counts and marks by hand
    Mutation("set_unread.lua", "unread_after(room, middle) >= count", "unread_after(room, middle) > count"),
    Mutation("lib/hidden.lua", "    note(first, last)\n", ""),
    Mutation("lib/hidden.lua", "    if last ~= first then\n        note(last, first)\n    end\n", ""),
    Mutation("lib/hidden.lua", "other_end(seq - 1) or seq", "seq"),
    Mutation("lib/hidden.lua", "other_end(seq + 1) or seq", "seq"),
    Mutation("lib/hidden.lua", "seq = math.min(row, seq) - 1", "seq = math.min(row, seq) - 2"),
    Mutation("lib/receipts_page.lua", "            return true\n", "            return false\n"),
    Mutation("set_unread.lua", "push_to_member(room, user, member.cursor, low)\n", ""),
    Mutation("lib/set_counts.lua", "math.min(from, to)", "to"),
    Mutation("mark_unread.lua", "if not seq or is_deleted(room, seq, kind) then", "if not seq then"),
    Mutation("lib/until.lua", "read_until <= sent_ms", "read_until < sent_ms"),
    Mutation("mark_read_until.lua", "at_ms > until_ms then", "at_ms >= until_ms then"),
    Mutation("lib/until.lua", "if times[i] <= until_ms then", "if times[i] < until_ms then"),
    # Posting
    Mutation("post.lua", "room.ordinal = room.ordinal + countable", "room.ordinal = room.ordinal + 1"),
    Mutation(
        "post.lua",
        "    save_record(room, sender, room.seq, room.ordinal, told_to, room.seq, joined, at, moves, 0, tail)\n",
        "",
    ),
    Mutation(
        "post.lua",
        "told_to, room.seq, joined, at, moves, 0, tail)",
        "told_to, 0, joined, at, moves, 0, tail)",
    ),
    Mutation(
        "post.lua",
        "if crossed or (countable == 1 and not room.derived) then",
        "if countable == 1 and not room.derived then",
    ),
    Mutation("post.lua", "(countable == 1 and not room.derived)", "countable == 1"),
    Mutation("post.lua", "    push_to_member(room, sender, room.seq, room.ordinal)\n", ""),
    Mutation("post.lua", "    publish_packed(read_notice(id, sender, message, room.seq))\n", ""),
    Mutation("post.lua", "if not cursor and must_be_member then", "if false then"),
    Mutation("post.lua", "    if seq then\n", "    if false then\n"),
    # Members
    Mutation("lib/membership.lua", "    room.member_count = room.member_count + #joined\n", ""),
    Mutation("remove_members.lua", "    push_present_state(room, left)\n", ""),
    Mutation("remove_members.lua", "    if crossed then\n        push_to_members(room)\n    end\n", ""),
    # Crossing the fan-out limit
    Mutation(
        "lib/crossing.lua",
        "room.member_count > math.floor(limit * share)",
        "room.member_count >= math.floor(limit * share)",
    ),
    Mutation(
        "lib/crossing.lua",
        "elseif derived and not is_beyond(room, limit, 0.75) then",
        "elseif derived and room.member_count == 0 then",
    ),
    Mutation("lib/crossing.lua", " or cells > limit * share * CELLS_FOR_EACH", ""),
    Mutation("lib/crossing.lua", " or cells > limit * share", " or cells > limit"),
    Mutation(
        "lib/crossing.lua",
        "cells = room.member_count * (2 + count_tags(room.tags))",
        "cells = room.member_count * (3 + count_tags(room.tags))",
    ),
    Mutation("set_tags.lua", "crossed or not room.derived", "not room.derived"),
    Mutation("lib/updates.lua", "room.derived and 0 or unread_after(room, ordinal)", "unread_after(room, ordinal)"),
    Mutation("lib/states.lua", "    return room.active and ACTIVE or FROZEN\n", "    return ACTIVE\n"),
    Mutation(
        "lib/plan_atomic.lua", "if room and room.active and not room.deleted then", "if room and not room.deleted then"
    ),
    # Rooms
    Mutation(
        "create_room.lua",
        "room.floor, room.floor_seq, room.deleted_count, room.top_hole = room.ordinal, room.seq, 0, 0",
        "room.floor, room.floor_seq, room.deleted_count, room.top_hole = 0, 0, 0, 0",
    ),
    Mutation("lib/room.lua", "HEAD_BEGINS, 0, 0, 0, 0,", "HEAD_BEGINS, 0, 0, 0, 1,"),
    Mutation("lib/keys.lua", "SET_BY_HAND, MESSAGE_PLACES, ", "SET_BY_HAND, "),
    Mutation("delete_room.lua", "push_present_state(room, members)\n", ""),
    Mutation("delete_room.lua", 'publish("gone", room_id(room.key))\n', ""),
    Mutation("lib/changing.lua", "        push_to_members(room)\n", ""),
    Mutation("set_status.lua", "room.active = active", "room.active = not active"),
    # Deleting
    Mutation("lib/deleting.lua", "kind % 2 == COUNTABLE and kind < DELETED", "kind < DELETED"),
    Mutation("lib/deleting.lua", "push_to_members(room, ordinal)", "push_to_members(room, ordinal - 1)"),
    Mutation("lib/deleting.lua", "raise_revision(room)", "room.revision = room.revision"),
    Mutation("lib/holes.lua", "room.top_hole = math.max(room.top_hole, ordinal)", "room.top_hole = ordinal"),
    Mutation("lib/deleting.lua", "        room.deleted_count = room.deleted_count + 1\n", ""),
    Mutation("lib/deleting.lua", '        redis.call("ZADD", room.key .. DELETED_SEQS, seq, seq)\n', ""),
    Mutation("delete_messages.lua", "room.floor_seq - (room.deleted_count - deleted_count)", "room.floor_seq"),
    Mutation(
        "delete_messages.lua",
        "room.floor_seq - (room.deleted_count - deleted_count)",
        "room.floor_seq - room.deleted_count",
    ),
    Mutation("delete_messages.lua", "ordinal - kind % 2 or", "ordinal or"),
    Mutation("delete_messages.lua", "= seq - 1, deleted_count", "= seq - 1, room.deleted_count"),
    Mutation("delete_messages.lua", "= seq - 1, deleted_count", "= seq, deleted_count"),
    Mutation("lib/holes.lua", "    trim_holes(room, room.floor)\n", ""),
    Mutation("lib/forgetting.lua", "math.min(passed, FORGOTTEN_SCORES_AT_ONCE)", "passed"),
    Mutation(
        "lib/history.lua", "math.max(room.floor, math.min(ordinal, lowest, ordinal_before_history(room)))", "room.floor"
    ),
    Mutation("lib/holes.lua", "if room.top_hole <= room.floor then", "if true then"),
    Mutation("delete_messages.lua", "push_to_members(room, room.floor)", "push_to_members(room, room.floor - 1)"),
    Mutation("delete_messages.lua", "if count > 0 then", "if true then"),
    Mutation("lib/history.lua", "if times[i + 2] >= before_ms then", "if times[i + 2] > before_ms then"),
    Mutation("lib/history.lua", "times[i] > oldest and times[i] or room.floor_seq + 1", "times[i]"),
    # What a post leaves alone
    Mutation("post.lua", "cursor and sender_reads", "cursor"),
    Mutation("post.lua", "if not as_last then", "if false then"),
    Mutation("post.lua", "if notify then", "if true then"),
    Mutation("post.lua", "if by_time and", "if"),
    Mutation("post.lua", "posted_ms - LATE_MS", "0"),
    Mutation("lib/journal.lua", "return took < 0 and -1 - took or took", "return took"),
    Mutation("lib/journal.lua", "return at, moves[i + 1] >= 0", "return at, true"),
    Mutation("lib/hidden.lua", "    if other_end(seq) then\n", "    if false then\n"),
    Mutation("lib/receipts.lua", "unread - (cursor < seq and 1 or 0)", "unread"),
    Mutation("lib/receipts.lua", "(ended_stay(room, sender, sender_joined) or 0) >= seq", "true"),
    Mutation("acknowledge.lua", "sender ~= user and", ""),
    Mutation(
        "delete_message.lua",
        "take_out(room, seq, ordinal, kind, DELETED)",
        "take_out(room, seq, ordinal, kind, RECALLED)",
    ),
    # Counting
    Mutation("lib/room.lua", "local from = math.max(ordinal, room.floor)", "local from = ordinal"),
    Mutation("lib/holes.lua", 'string.format("(%.0f", from)', 'string.format("%.0f", from)'),
    Mutation("lib/room.lua", "if room.top_hole > from then", "if room.top_hole > from + 1 then"),
    Mutation(
        "lib/room.lua",
        "math.max(room.revision + 1, time[1] * 1000000 + time[2], at_least or 0)",
        "math.max(room.revision, at_least or 0)",
    ),
    Mutation("lib/messages.lua", "seq <= room.floor_seq or", "seq < room.floor_seq or"),
    # The user's side
    Mutation("lib/user.lua", "if old_revision >= update.revision then", "if old_revision > update.revision then"),
    Mutation("lib/user.lua", "if old_revision >= update.revision then", "if false then"),
    Mutation("lib/user.lua", "local more = unread - old_unread", "local more = old_unread - unread"),
    Mutation("lib/counters.lua", "old_tags, -1, 0 - old_unread)", "old_tags, -1, 0 - unread)"),
    Mutation("lib/counters.lua", "        forget_set(key, tags)\n", ""),
    Mutation("lib/counters.lua", "        note_set(key, tags)\n", ""),
    Mutation("lib/counters.lua", "(have[i - 2] or 0) + by", "(have[i - 2] or 0) + rooms"),
    Mutation("lib/user.lua", "if rooms_of_user(key) == 0 then", "if false then"),
    Mutation("lib/user.lua", "if rooms_of_user(key) == 0 then", "if true then"),
    Mutation("lib/counters.lua", '        redis.call("PERSIST", key)\n', ""),
    Mutation("lib/tag_sets.lua", "        if sets > 0 then", "        if sets > 1 then"),
    Mutation("lib/tag_sets.lua", "by * weight_of(tags)) == 0", "by * #tags) == 0"),
    Mutation("lib/tag_sets.lua", "    if not make_missing_tags(key) then", "    if true then"),
    Mutation("lib/tag_sets.lua", '    make_missing_tags(key)\n    redis.call("HDEL"', '    redis.call("HDEL"'),
    Mutation("lib/tag_sets.lua", '        if sets == "1" and not kept[going[i]] then', '        if sets == "1" then'),
    Mutation("lib/tag_sets.lua", 'redis.call("HGET", key .. TAG_SETS, old) ~= "1"', "false"),
    Mutation("audit_counters.lua", "if next(uses) then", "if true then"),
    Mutation("lib/tag_sets.lua", ' - redis.call("ZCARD", key .. LEFT_ROOMS)', ""),
    Mutation("lib/plan_atomic.lua", "            elsewhere[#elsewhere + 1] = id\n", ""),
    Mutation("lib/tag_sets.lua", ' - redis.call("HLEN", key .. TAG_SETS)', ""),
    Mutation("lib/tag_sets.lua", "math.max(fields - 1, 0)", "fields"),
    Mutation("lib/tag_sets.lua", "weight = weight + weight_of(set)", "weight = weight_of(set)"),
    Mutation("lib/tag_sets.lua", "counts[tag] = (counts[tag] or 0) + 1", "counts[tag] = 1"),
    Mutation("lib/tag_sets.lua", "        fields[#fields + 1] = UNREAD_OF_TAG .. tag\n", ""),
    Mutation("lib/tag_sets.lua", '    redis.call("HDEL", key .. TAG_SETS, tags)\n', ""),
    Mutation("lib/tag_sets.lua", "more = more + (sets and 0 or 1)", "more = more + 1"),
    Mutation("user_load.lua", "is_in = state ~= GONE", "is_in = state == ACTIVE"),
    Mutation("lib/user.lua", " - (old_state == DERIVED and 1 or 0)", ""),
    Mutation("lib/user.lua", " - (old_state == ACTIVE and old_unread or 0)", ""),
    Mutation(
        "lib/user.lua",
        "    for i = 3, #fields do\n        write[2 * i] = (have",
        "    for i = 4, #fields do\n        write[2 * i] = (have",
    ),
    # The order by cursors, and the head among the members
    Mutation(
        "lib/order.lua", "    if not room.derived then\n        index(room)", "    if false then\n        index(room)"
    ),
    Mutation("lib/order.lua", "        if flat[i] ~= HEAD then\n", "        do\n"),
    Mutation("lib/crossing.lua", "        index(room)\n", ""),
    Mutation("lib/crossing.lua", '        redis.call("UNLINK", room.key .. BY_CURSOR)\n', ""),
    Mutation(
        "lib/members.lua", "    if room.derived then\n        redis.call", "    if false then\n        redis.call"
    ),
    Mutation("lib/stays.lua", "    if room.derived then\n        redis.call", "    if false then\n        redis.call"),
    Mutation(
        "lib/messages.lua", "        return room.seq, room.ordinal\n", "        return room.seq, room.ordinal - 1\n"
    ),
    Mutation("post.lua", "room.newest = message\n", ""),
    Mutation("lib/updates.lua", "        if flat[i] ~= HEAD then\n", "        do\n"),
    Mutation("lib/members.lua", "    return member ~= HEAD and redis.call(", "    return redis.call("),
    Mutation("lib/room.lua", "member ~= HEAD and have[2]", "have[2]"),
    Mutation("lib/messages.lua", ' and message ~= "" then', " then"),
    Mutation("lib/members.lua", "        if field ~= HEAD then\n", "        do\n"),
    Mutation("delete_room.lua", 'redis.call("UNLINK", room.key)\n', ""),
    Mutation("delete_room.lua", 'redis.call("EXPIRE", room.key, HEAD_KEPT_S)\n', ""),
    Mutation("lib/sweeping.lua", '    redis.call("HDEL", room.key, HEAD)\n', ""),
    Mutation("lib/sweeping.lua", '        redis.call("EXPIRE", room.key .. DELETED_MEMBERS, HEAD_KEPT_S)\n', ""),
    Mutation("lib/sweeping.lua", "        raise_revision(room)\n", ""),
    Mutation("delete_room.lua", "if room.derived then\n    put_aside(room)", "if false then\n    put_aside(room)"),
    Mutation("sweep_room.lua", "    push_present_state(room, members)\n", ""),
    Mutation("create_room.lua", '    redis.call("UNLINK", room.key)\n', ""),
    Mutation("snapshot.lua", "cursor and not room.derived or ", ""),
    Mutation("lib/user.lua", "        cursor, ahead = old_cursor, old_cursor\n", "        ahead = old_cursor\n"),
    Mutation("lib/user.lua", "and old_revision >= update.created_revision then", "then"),
    Mutation("lib/user.lua", "        version = version + 1\n", ""),
    Mutation("lib/counters.lua", "update.revision - GONE_KEPT", "update.revision"),
    # Asking
    Mutation("badge.lua", "elseif number > 1 then", "elseif number > 2 then"),
    Mutation("badge.lua", "count_asked(set, asked) == number", "count_asked(set, asked) > 0"),
    Mutation("lib/sets.lua", "asked[tag], number = true, number + 1", "asked[tag], number = true, 1"),
    Mutation("badges_by_tags.lua", "return count_asked(set, asked) > 0", "return true"),
    Mutation("badges_by_tags.lua", "        total = total + unread\n", ""),
    Mutation("badges_by_tags.lua", "if number == 0 or asked[tag] then", "if asked[tag] then"),
    Mutation("badges_by_tags.lua", "            count(tag, unread)\n", ""),
    Mutation("rooms.lua", "if state ~= GONE then", "if state ~= FROZEN then"),
    # Memory of messages
    Mutation("lib/history.lua", "room.seq - room.oldest + 1 - history", "room.seq - room.oldest - history"),
    Mutation(
        "lib/history.lua",
        "math.min(ordinal, lowest, ordinal_before_history(room))",
        "math.max(ordinal, lowest, ordinal_before_history(room))",
    ),
    Mutation(
        "lib/history.lua",
        'string.format("%08x%s%09x", math.floor(at_ms / 1000), room_digits, room.seq)',
        "math.floor(at_ms / 1000) .. string.sub(redis.sha1hex(room.key), 1, 14)",
    ),
    Mutation("lib/history.lua", '    redis.call("HDEL", room.key .. ACKNOWLEDGEMENTS, unpack(seqs))\n', ""),
    Mutation("lib/history.lua", "    forget_stays(room, oldest)\n", ""),
    Mutation("lib/history.lua", "    room.oldest = oldest\n", ""),
    Mutation("lib/history.lua", "    forget_log(room, room.oldest, oldest)\n", ""),
    Mutation("lib/message_log.lua", "save_log_chunk(room, last, cut_entries(chunk, kept))", "return"),
    Mutation("lib/message_log.lua", "if seq >= first and seq <= last then", "if seq <= last then"),
    Mutation("lib/message_log.lua", "if seq >= first and seq <= last then", "if seq >= first then"),
    Mutation("lib/message_log.lua", "    if found then\n        return found - 1\n    end\n", ""),
    Mutation("lib/message_log.lua", 'fields[#fields + 1] = "s" .. number', "break"),
    Mutation("lib/log_changes.lua", "    if place > places then\n", "    if false then\n"),
    Mutation("lib/log_changes.lua", "if above_ms < 0 or above_ms >= 2 * TIME_SHIFT then", "if false then"),
    Mutation("lib/log_changes.lua", " + by)", ")"),
    Mutation("lib/log_chunks.lua", "found == id and found_form == form", "found == id"),
    Mutation("lib/log_chunks.lua", "    if flags >= FAR_TIME then\n", "    if false then\n"),
    Mutation("lib/message_index.lua", "        if at % INDEXED_BYTES == 1 then\n", "        do\n"),
    Mutation("lib/message_index.lua", 'without_forgotten(room, bucket or "")', '(bucket or "")'),
    Mutation("lib/message_index.lua", "        split_bucket(room)\n", "        break\n"),
    Mutation("lib/message_index.lua", "% (2 * round) == to and go or stay", "% (2 * round) == to and stay or go"),
    Mutation("lib/message_index.lua", "        at = string.find(bucket, hash, at + 1, true)\n", "        at = nil\n"),
    Mutation("lib/messages.lua", "            index_chunk(room, open.number, open.chunk)\n", ""),
    Mutation("lib/packed_ids.lua", "string.char(#message) .. message", "message"),
    Mutation("lib/packed_ids.lua", "string.format(DIGITS_TEXT, high, low) == message", "true"),
    Mutation("lib/stays.lua", "if member and member.joined == joined then", "if member then"),
    # Owing
    Mutation("ack.lua", "tonumber(noted) <= revision", "tonumber(noted) < revision"),
    Mutation("ack.lua", "if noted and tonumber(noted) <= revision then", "if noted then"),
    Mutation("lib/plan_split.lua", '    call_in_batches("HSET", room.key .. PENDING, pending)\n', ""),
    Mutation("lib/updates.lua", "    push_present_state(room, pending_members(room))\n", ""),
    Mutation("restore_cursor.lua", "math.min(cursor, room.seq)", "cursor"),
    # Truth
    Mutation("audit_head.lua", "if stored ~= expected then", "if stored < expected then"),
    Mutation(
        "snapshot.lua", "states[#states + 1] = cursor and unread_after(room, ordinal) or 0", "states[#states + 1] = 0"
    ),
    # Tokens
    Mutation("revoke.lua", "math.max((last or 0) + 1, now)", "now"),
    Mutation("revoke.lua", "+ margin_s < now / 1000", "< now / 1000"),
    Mutation("revocations.lua", 'since, "+inf"', '"(" .. since, "+inf"'),
    Mutation("note_worker.lua", 'redis.call("ZREMRANGEBYSCORE", key, "-inf", now - life_ms)\n', ""),
    # Webhooks
    Mutation("lib/events.lua", "one[REVISION] >= other[REVISION] and one or other", "one"),
    Mutation("lib/events.lua", "math.min(one[BEFORE], other[BEFORE])", "newer[BEFORE]"),
    Mutation(
        "lib/events.lua",
        "delivered and event[REVISION] <= tonumber(delivered)",
        "delivered and event[REVISION] < tonumber(delivered)",
    ),
    Mutation("lib/events.lua", "delivered and event[REVISION] <= tonumber(delivered)", "false"),
    Mutation("lib/events.lua", "newer and 0 or waiting[3], newer and 0 or waiting[4]", "0, waiting[4]"),
    Mutation("lib/events.lua", '        redis.call("HDEL", shard .. DEAD_LETTERS, membership)\n', ""),
    Mutation(
        "lib/events.lua",
        "event[1] .. SEPARATOR .. event[2] .. SEPARATOR .. event[3]",
        'event[1] .. ":" .. event[2] .. ":" .. event[3]',
    ),
    Mutation("claim_shard.lua", "if held_by and held_by ~= holder then", "if false then"),
    Mutation("claim_shard.lua", '    redis.call("ZADD", key .. DUE, now + hold_ms, membership)\n', ""),
    Mutation("claim_shard.lua", "dead and merged(event, dead) or event", "event"),
    Mutation("claim_shard.lua", '    redis.call("XDEL", key, entry[1])\n', ""),
    Mutation(
        "record_outcomes.lua",
        "    if same then\n        drop_waiting(key, membership)\n",
        "    if waiting then\n        drop_waiting(key, membership)\n",
    ),
    Mutation("record_outcomes.lua", "math.max(waiting[1][BEFORE], seq)", "waiting[1][BEFORE]"),
    Mutation(
        "record_outcomes.lua", '    redis.call("ZADD", key .. DELIVERED_REVISIONS, "GT", revision, membership)\n', ""
    ),
    Mutation("record_outcomes.lua", "waiting[3] > 0 and waiting[3] or now", "now"),
    Mutation("record_outcomes.lua", 'verdict == "dead" and same', 'verdict == "dead" and waiting'),
    Mutation(
        "record_outcomes.lua",
        '"ZREMRANGEBYRANK", key .. DELIVERED_REVISIONS, 0, -1 - DELIVERED_KEPT',
        '"ZCARD", key .. DELIVERED_REVISIONS',
    ),
    Mutation("release_shard.lua", "~= holder then", '== "" then'),
    Mutation("join_deliverers.lua", 'redis.call("ZREMRANGEBYSCORE", key, "-inf", now)\n', ""),
]
