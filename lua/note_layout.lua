#!lua flags=allow-oom
-- note_layout: note the layout of a node's data, unless it is a later one already. Without `slots`
-- what is noted of the same layout stays.
--
-- Key        layout: "number slots"
-- Args       number int, slots
--            slots: in which nothing of an earlier layout is left
--
-- Reply      number int   of the layout that is noted now
-- Cost       commands <= 2, turns <= 0

local noted = tonumber(string.match(redis.call("GET", key) or "", "^%d+") or 0)
if noted < number or (noted == number and slots ~= "") then
    redis.call("SET", key, string.format("%d %s", number, slots))
    noted = number
end
return noted
