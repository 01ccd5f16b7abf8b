#!lua flags=allow-oom
-- note_worker: note that a worker runs, and answer which others do.
--
-- Key        workers: packed notes by their time in ms
-- Args       life_ms digits, note
--            life_ms: without a new note for so long a worker is forgotten
--
-- Reply      [bytes]   the notes of all workers
-- Cost       commands <= 5, turns <= 0
--@include lib/clock

local now = now_ms()
redis.call("ZREMRANGEBYSCORE", key, "-inf", now - life_ms)
redis.call("ZADD", key, now, note)
redis.call("PEXPIRE", key, life_ms)
return redis.call("ZRANGE", key, 0, -1)
