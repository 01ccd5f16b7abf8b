#!lua flags=allow-oom
-- erase_sender: a name stands in for a user as the sender of messages of a room.
--
-- Key        room
-- Args       user, stand_in, ...numbers
--            numbers: of the chunks of senders that have the user (lib/message_log.lua)
--
-- Reply      done int   1
-- Cost       commands <= 10 * numbers, turns <= 10 + numbers * 400
--@include lib/erasing

for _, number in ipairs(numbers) do
    rename_sender({ key = key }, tonumber(number), user, stand_in)
end
return 1
