-- notices: what is published, as msgpack arrays whose first item is the kind (service/domain/notices.py). Publish last.
--@include lib/keys

local function publish(notice)
    redis.call("PUBLISH", "n:" .. APP, cmsgpack.pack(notice))
end
