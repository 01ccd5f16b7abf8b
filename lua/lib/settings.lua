-- settings: what a script is given of the service's settings, as one text of numbers:
-- "moves ms posts members messages". It is taken apart once for all calls that are given the same.

local given = "" -- kept
local journal_moves, journal_ms, told_posts, told_members, messages_kept = 0, 0, 0, 0, 0 -- kept

local function take_apart(settings)
    if settings == given then
        return
    end
    local moves, ms, posts, members, messages = string.match(settings, "(%d+) (%d+) (%d+) (%d+) (%d+)")
    given = settings
    journal_moves, journal_ms = tonumber(moves), tonumber(ms)
    told_posts, told_members, messages_kept = tonumber(posts), tonumber(members), tonumber(messages)
end

-- How much of each member's journal is kept: moves, and milliseconds.
local function journal_of(settings)
    take_apart(settings)
    return journal_moves, journal_ms
end

-- Countable posts of which a member is told after they last paid attention.
local function posts_of(settings)
    take_apart(settings)
    return told_posts
end

-- The fan-out limit: attentive members.
local function limit_of(settings)
    take_apart(settings)
    return told_members
end

-- How many messages of a room are remembered.
local function history_of(settings)
    take_apart(settings)
    return messages_kept
end
