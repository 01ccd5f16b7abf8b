-- notices: what is published, as msgpack arrays whose first item is the kind (service/domain/notices.py). Publish last.
--@include lib/keys

local function publish(app, notice)
    redis.call("PUBLISH", notices_channel(app), cmsgpack.pack(notice))
end
