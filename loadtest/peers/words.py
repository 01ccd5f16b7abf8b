"""The words of docs/compared.md that are the same after every run."""

TITLES = {
    "scripts": "readstate, scripts",
    "http": "readstate, HTTP",
    "http_cluster": "readstate, HTTP, cluster",
    "postgres": "PostgreSQL",
    "postgres_off": "PostgreSQL, commit off",
    "postgres_counters": "PostgreSQL, counters",
    "plain": "plain Redis",
}

WHO = {
    "scripts": "the scripts of this service, called through its store layer, on the embedded Valkey",
    "http": "the same through the service: one worker, IMKit's calls, every user with a token",
    "http_cluster": "the same on a cluster of three primaries",
    "postgres": (
        "tables and functions as an application would have them (`loadtest/peers/schema.sql`), called with asyncpg "
        "over 16 connections: unread is computed from the room's head and the member's cursor; each commit waits "
        "for the disk"
    ),
    "postgres_off": (
        "the same with `synchronous_commit = off`: a crash may lose the last moments, as with Valkey's append-only "
        "file, which is written to disk every second"
    ),
    "postgres_counters": (
        "the same as that with a counter for each member, which a trigger raises at each post "
        "(`loadtest/peers/schema_counters.sql`)"
    ),
    "plain": (
        "hashes with redis-py, without scripts (`loadtest/peers/plain_redis.py`): a post raises a counter of each "
        "member (HINCRBY), a read sets the reader's to 0 (HSET)"
    ),
}

INTRO = """\
The same day of work, done by this service, by PostgreSQL, and by hashes in Redis as they are
often written: posts, reads, badges over all rooms and by tags, and questions who has read a
message. Every post and every read also tells the room (PUBLISH or NOTIFY), without listeners. What
it costs to bring notices to sockets, beside python-socketio and Node's socket.io, is in
[benchmarks.md](benchmarks.md)."""

ABOUT_DAY = """\
Server CPU is that of all processes of the database, and of the worker where there is one. The
scripts, PostgreSQL and plain Redis have no HTTP server before them: an application would have to
be written, and its cost comes on top. So compare the first column with them, and the HTTP columns
with such an application. *Badges wrong* are those that differ from a count made from the list of
calls alone, after the day; calls about one room were made one after the other."""

ABOUT_SCHEMAS = """\
Which schema is the better one depends on the day. Computing from heads, a post changes the room,
the message and the sender's row, whatever the room's size, but a badge looks at every room of the
user. With counters a badge reads the user's rows, and a post writes a new version of a row for
every member: in rooms of hundreds that is the more expensive part. This service does the second
for members who pay attention to a room, and the first for all others ([decision
0016](decisions/0016-a-post-costs-attention.md))."""

ABOUT_DISK = """\
For Valkey the disk has the append-only file, which is rewritten from time to time. For PostgreSQL
it has tables and indexes; its log (WAL) is not counted."""

ABOUT_CHECKS = """\
Each of these is tried with rooms of its own. In the first, one member of each of 20 rooms posts,
one message after the other, while 19 others read the newest message that they have seen, each
until some point. Nothing else decides what their badges must be."""

LEFT_TO_DO = """\
**PostgreSQL** counts right with these functions, which take locks in one order and count in the
transaction that changes. It keeps messages and read state in one database, waits for the disk at
each commit, and answers questions that were not thought of before. What is not in the figures,
and an application would have to add:

* An HTTP server with tokens and limits, sockets, webhooks, and what brings notices to them.
  NOTIFY takes one lock for the whole database at each commit, so commits with notices do not run
  side by side.
* *What has changed since*: a number from a sequence does not do, since transactions commit in
  another order than they took their numbers, and a device would miss some.
* The table of moves, which receipts need for their times, grows with every read until something
  deletes from it. Here it grew for minutes only.
* Bounds: rooms of a million members, users in thousands of rooms, members who never come back.
* More than one server for writes.

**Plain Redis** is small and fast, and its counters drift. A read that meets a post on its way
sets the counter to 0 although the newer message was not seen; a post that is cut off half-way, or
repeated, counts for some members and not for others, or twice; a read of an older message clears
newer ones; a deleted message stays counted. Only a read to the end of the room hides this again;
nothing finds it, since the counters are all there is. Since when a message is read is known of
the last read only. It has no trace of what changed since a device last asked.

**This service** keeps no messages and no other data, so it comes beside the database of a chat,
not in its place; its state is in memory; and a call waits for the disk only if it asks for that
(`durability`)."""

NOT_SHOWN = """\
* Everything is on one machine: all servers on one core, the driver on the other. Compare within
  one run, not between machines.
* CPU, not capacity: calls per second have the driver's own work in them.
* PostgreSQL has settings of a small server (`loadtest/peers/postgres_server.py`), a few minutes
  of data, and no vacuum worth naming yet. Its memory is that of its processes, with 256 MiB of
  shared buffers as far as they were used.
* One day, with rooms of these sizes and this share of people online, in a fixed order."""
