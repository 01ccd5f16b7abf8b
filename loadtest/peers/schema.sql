-- Read state in PostgreSQL, as an application would have it that needs what `make bench-peers` asks for.
--
-- Unread is computed from two numbers: the seq of a room's newest message (rooms.head) and that of the message that a
-- member has read (members.cursor). So a post changes one row whatever the room's size, and a badge looks at the rooms of
-- one user. Counters that each post raises at every member would make a badge cheaper and a post dearer: 20 rows
-- instead of one in a room of 20, each with a new version in the table and in the log. schema_counters.sql has them.
--
-- No index holds head or cursor, so their updates stay on their page (HOT), which fillfactor leaves room for.

CREATE TABLE rooms (
    id text PRIMARY KEY,
    tags text[] NOT NULL,
    head bigint NOT NULL DEFAULT 0,    -- seq of the newest message
    holes bigint NOT NULL DEFAULT 0    -- how many were deleted
) WITH (fillfactor = 70);

CREATE TABLE members (
    room text NOT NULL REFERENCES rooms,
    member text NOT NULL,
    cursor bigint NOT NULL DEFAULT 0,  -- seq up to which they have read
    joined bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (room, member)
) WITH (fillfactor = 80);
CREATE INDEX rooms_of_a_member ON members (member);

CREATE TABLE messages (
    room text NOT NULL,
    seq bigint NOT NULL,
    id text NOT NULL,
    sender text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    deleted boolean NOT NULL DEFAULT false,
    PRIMARY KEY (room, seq),
    UNIQUE (room, id)
);
CREATE INDEX holes_of_a_room ON messages (room, seq) WHERE deleted;

-- Each move of a cursor: from it comes when a member had read a message.
CREATE TABLE moves (
    room text NOT NULL,
    member text NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (room, member, seq)
);

CREATE FUNCTION badge(the_member text, the_tags text[]) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(sum(rooms.head - members.cursor - CASE WHEN rooms.holes = 0 THEN 0 ELSE (
        SELECT count(*) FROM messages
        WHERE messages.room = rooms.id AND messages.deleted AND messages.seq > members.cursor
    ) END), 0)::bigint
    FROM members JOIN rooms ON rooms.id = members.room
    WHERE members.member = the_member AND rooms.head > members.cursor AND rooms.tags @> the_tags
$$;

-- The update of the room's row puts the posts of a room in order, and is taken back for an id that is there already.
CREATE FUNCTION post(the_room text, the_message text, the_member text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    the_seq bigint;
BEGIN
    UPDATE rooms SET head = head + 1 WHERE id = the_room RETURNING head INTO STRICT the_seq;
    INSERT INTO messages (room, seq, id, sender) VALUES (the_room, the_seq, the_message, the_member)
        ON CONFLICT (room, id) DO NOTHING;
    IF NOT FOUND THEN
        UPDATE rooms SET head = head - 1 WHERE id = the_room;
        RETURN;
    END IF;
    UPDATE members SET cursor = the_seq WHERE room = the_room AND member = the_member;
    INSERT INTO moves (room, member, seq) VALUES (the_room, the_member, the_seq);
    PERFORM pg_notify('room', the_room || ' ' || the_member || ' ' || the_message);
END
$$;

CREATE FUNCTION mark_read(the_room text, the_member text, the_message text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    the_seq bigint;
BEGIN
    SELECT seq INTO STRICT the_seq FROM messages WHERE room = the_room AND id = the_message;
    UPDATE members SET cursor = the_seq WHERE room = the_room AND member = the_member AND cursor < the_seq;
    IF FOUND THEN
        INSERT INTO moves (room, member, seq) VALUES (the_room, the_member, the_seq);
        PERFORM pg_notify('room', the_room || ' ' || the_member || ' ' || the_message);
    END IF;
    RETURN badge(the_member, '{}');
END
$$;

CREATE FUNCTION receipts(the_room text, the_message text, page integer)
RETURNS TABLE (member text, at_ms bigint) LANGUAGE sql STABLE AS $$
    SELECT members.member, (extract(epoch FROM first.at) * 1000)::bigint
    FROM messages
    JOIN members ON members.room = messages.room AND members.cursor >= messages.seq AND members.joined < messages.seq
    CROSS JOIN LATERAL (
        SELECT moves.at FROM moves
        WHERE moves.room = messages.room AND moves.member = members.member AND moves.seq >= messages.seq
        ORDER BY moves.seq LIMIT 1
    ) AS first
    WHERE messages.room = the_room AND messages.id = the_message AND NOT messages.deleted
        AND members.member <> messages.sender
    LIMIT page
$$;

CREATE FUNCTION delete_message(the_room text, the_message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM rooms WHERE id = the_room FOR UPDATE;
    UPDATE messages SET deleted = true WHERE room = the_room AND id = the_message AND NOT deleted;
    IF FOUND THEN
        UPDATE rooms SET holes = holes + 1 WHERE id = the_room;
    END IF;
END
$$;
