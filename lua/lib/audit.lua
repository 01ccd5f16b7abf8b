-- audit: what the scripts of an audit have in common: what was compared, and what differs.
--@include lib/arrays
--@include lib/damaged

local REPAIR = ARG.repair

-- In the place of a right value that nothing tells any more, and of one that cannot be read.
local LOST = "lost"
local DAMAGED_VALUE = "damaged"

local MOST_STAND_INS = 4096 -- for messages that are missing one behind the other

local compared, differences = 0, {}

-- A number as its digits.
local function shown(value)
    return type(value) == "number" and string.format("%.0f", value) or value or ""
end

-- Note a difference; `mend` makes the value what it must be. True when the value was changed.
local function note_difference(what, stored, expected, mend)
    append(differences, what, shown(stored), shown(expected))
    if REPAIR == "1" and mend then
        mend()
        return true
    end
    return false
end

-- Compare a value with what it must be, nil or "" for none.
local function compare(what, stored, expected, mend)
    compared = compared + 1
    if shown(stored) ~= shown(expected) then
        return note_difference(what, stored, expected, mend)
    end
    return false
end

-- Compare a number with the lowest and the highest that it may be.
local function compare_range(what, stored, low, high, mend)
    compared = compared + 1
    if not stored or stored < low or stored > high or stored % 1 ~= 0 then
        return note_difference(what, stored or DAMAGED_VALUE, math.max(low, math.min(high, stored or low)), mend)
    end
    return false
end

local function of(what, name)
    return what .. " of " .. shown(name)
end

local DAY_US = 24 * 3600 * 1000000

-- The present time in microseconds, and the highest revision that any clock can have given out.
local function clock_us()
    local time = redis.call("TIME")
    local now = time[1] * 1000000 + time[2]
    return now, now + DAY_US
end
