-- notices: what is published, as msgpack arrays whose first item is the kind (service/domain/notices.py). Publish last.
--@include lib/keys
--@include lib/arrays

local function publish(...)
    redis.call("PUBLISH", "n:" .. APP, pack_array(...))
end
