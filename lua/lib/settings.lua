-- settings: what a script is given of the service's settings, as one text of numbers:
-- "moves ms posts members messages".

-- The numbers, taken apart once for all calls that are given the same text.
local taken = { text = "" } -- kept

local function take_apart(settings)
    if settings ~= taken.text then
        local moves, ms, posts, members, messages = string.match(settings, "(%d+) (%d+) (%d+) (%d+) (%d+)")
        taken = {
            text = settings,
            moves = tonumber(moves), -- of each member's journal that are kept
            ms = tonumber(ms), -- for so long
            posts = tonumber(posts), -- countable ones that a member is told of after paying attention
            members = tonumber(members), -- the fan-out limit
            messages = tonumber(messages), -- remembered in a room
        }
    end
    return taken
end
