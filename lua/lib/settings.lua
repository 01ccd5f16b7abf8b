-- settings: what a script is given of the service's settings, as one text of numbers:
-- "moves ms posts members messages".

-- The numbers, parsed once for all calls that are given the same text.
local parsed = { text = "" } -- kept

local function parse_settings(settings)
    if settings ~= parsed.text then
        local moves, ms, posts, members, messages = string.match(settings, "(%d+) (%d+) (%d+) (%d+) (%d+)")
        parsed = {
            text = settings,
            moves = tonumber(moves), -- of each member's journal that are kept
            ms = tonumber(ms), -- for so long
            posts = tonumber(posts), -- countable ones that a member is told of after paying attention
            members = tonumber(members), -- the fan-out limit
            messages = tonumber(messages), -- remembered in a room
        }
    end
    return parsed
end
