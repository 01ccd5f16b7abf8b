-- wrk: send the calls of a CallFile (population.py) one after the other, from a position on.
--
-- Arguments   file, position, client key
-- Prints      one line of JSON at the end, for wrk.py

local heads, bodies = {}, {}
local last_round, message = nil, nil
position = 0 -- a global, because `done` runs elsewhere and asks for it

local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    position = tonumber(args[2])
    for line in io.lines(args[1]) do
        local method, path, token, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
        local head = method .. " " .. path .. " HTTP/1.1\r\nHost: bench\r\nIM-CLIENT-KEY: " .. args[3] .. "\r\nIM-Authorization: " .. token .. "\r\n"
        if body ~= "" then
            -- An id of 24 characters stands where one stood for it.
            local _, holes = body:gsub("@", "@")
            head = head .. "Content-Type: application/json\r\nContent-Length: " .. (#body + 23 * holes) .. "\r\n"
        end
        heads[#heads + 1] = head .. "\r\n"
        bodies[#bodies + 1] = body
    end
end

function request()
    local at = position % #heads + 1
    local round = math.floor(position / #heads) + 1
    position = position + 1
    if bodies[at] == "" then
        return heads[at]
    end
    if round ~= last_round then
        last_round, message = round, string.format("67a1b2c3%016x", round)
    end
    return heads[at] .. string.gsub(bodies[at], "@", message)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"calls": %d, "seconds": %.6f, "refused": %d, "broken": %d, "position": %d, "p50_us": %d}\n',
        summary.requests, summary.duration / 1e6, errors.status, errors.connect + errors.read + errors.write + errors.timeout,
        threads[1]:get("position"), latency:percentile(50)
    ))
end
