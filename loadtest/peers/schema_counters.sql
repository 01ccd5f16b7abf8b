-- On top of schema.sql: unread as a counter of each member, which every post raises.
--
-- A badge adds up the counters of one user's rooms and looks at no room, but for its tags.

ALTER TABLE members ADD COLUMN unread bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION badge(the_member text, the_tags text[]) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF the_tags = '{}' THEN
        RETURN (SELECT coalesce(sum(unread), 0) FROM members WHERE member = the_member);
    END IF;
    RETURN (
        SELECT coalesce(sum(members.unread), 0) FROM members JOIN rooms ON rooms.id = members.room
        WHERE members.member = the_member AND members.unread > 0 AND rooms.tags @> the_tags
    );
END
$$;

-- Both lock the room's row first, so no post comes between the count and the update.
CREATE OR REPLACE FUNCTION mark_read(the_room text, the_member text, the_message text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    the_seq bigint;
BEGIN
    PERFORM 1 FROM rooms WHERE id = the_room FOR UPDATE;
    SELECT seq INTO STRICT the_seq FROM messages WHERE room = the_room AND id = the_message;
    UPDATE members SET cursor = the_seq, unread = (
        SELECT count(*) FROM messages WHERE room = the_room AND seq > the_seq AND NOT deleted
    ) WHERE room = the_room AND member = the_member AND cursor < the_seq;
    IF FOUND THEN
        INSERT INTO moves (room, member, seq) VALUES (the_room, the_member, the_seq);
        PERFORM pg_notify('room', the_room || ' ' || the_member || ' ' || the_message);
    END IF;
    RETURN badge(the_member, '{}');
END
$$;

CREATE FUNCTION count_post() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE members SET unread = CASE WHEN member = NEW.sender THEN 0 ELSE unread + 1 END WHERE room = NEW.room;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_post AFTER INSERT ON messages FOR EACH ROW EXECUTE FUNCTION count_post();

CREATE FUNCTION count_deletion() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE members SET unread = unread - 1 WHERE room = NEW.room AND cursor < NEW.seq;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_deletion AFTER UPDATE OF deleted ON messages FOR EACH ROW EXECUTE FUNCTION count_deletion();
