#!lua flags=allow-oom
-- apply: give one user newer news of one room; the second step of every operation on the split plan.
--
-- KEYS[1]    user
-- ARGV[1]    room
-- ARGV[2]    revision   of the room, decimal string below 2^53
-- ARGV[3]    born       revision at which the room was created
-- ARGV[4]    tags       canonical tag set
-- ARGV[5]    cursor
-- ARGV[6]    unread
-- ARGV[7]    state      as in lib/states.lua
--
-- Reply      { total, derived, ahead }   the user's counted total, number of derived rooms, and a cursor that the room has lost (or 0)
-- Cost       commands <= 23, turns <= 24 + 13 * tags
--@include lib/user

local news = news_of(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4])
return { apply(KEYS[1], news, tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])) }
