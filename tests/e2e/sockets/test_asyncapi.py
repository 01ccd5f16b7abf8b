"""What goes over real sockets is what the AsyncAPI document says."""

from typing import Any

import jsonschema_rs

from tests.support.devices import CLIENT_KEY, Backend, device, fresh


async def test_events_and_acks_fit_their_schemas(backend: Backend) -> None:
    """Of a life of a room: made, written to, read, cut, changed, left, deleted."""
    document = await backend.call("GET", "/schema/asyncapi.json")
    messages, seen = document["components"]["messages"], set()

    def check(key: str, payload: Any) -> None:
        schema = {**messages[key]["payload"], "components": document["components"]}
        jsonschema_rs.Draft202012Validator(schema).validate(payload)
        seen.add(key)

    ann, ben, room, other = fresh("ann"), fresh("ben"), fresh("room"), fresh("room")
    async with device(backend) as phone:
        check("client.conf.ack", await phone.call("conf", {"encoding": "base64"}))
        check("client.auth.ack", await phone.call("auth", "no token"))
    async with device(backend, ann) as phone:
        token = await backend.token(ann)
        check("client.auth2.ack", await phone.call("auth2", (token, {"IM-CLIENT-KEY": CLIENT_KEY, "badge": True})))
        for name in (room, other):
            await backend.room(name, ann, ben)
        sent = await phone.call("chat message", {"room": room, "messageType": "text", "message": "hello"})
        check("client.chat-message.ack", sent)
        message = await backend.post(room, ben)
        check("client.lastRead.ack", await phone.call("lastRead", {"room": room, "message": message}))
        check("client.lastRead.ack", await phone.call("lastRead", {"room": room, "message": "none"}))
        check("client.sync.ack", await phone.call("sync", {}))
        check("client.watch.ack", await phone.call("watch", {"rooms": [room]}))
        await backend.call("DELETE", f"/rooms/{room}/messages/{message}")
        await backend.call("PUT", f"/rooms/{room}", {"roomTags": ["home"], "name": "Garden"})
        await backend.remove(room, ann)
        await backend.call("DELETE", f"/rooms/{other}")
        await phone.wait_for("messageDeleted")
        await phone.wait_for("sync")
        await phone.wait_for("badge")
        gone = [payload for payload in await phone.wait_for("room", 2) if payload.get("left")]
        while len(gone) < 2:
            gone = [
                payload
                for payload in await phone.wait_for("room", len(phone.payloads("room")) + 1)
                if "left" in payload
            ]
        for event, payload in phone.received:
            check(f"service.{event.replace(' ', '-')}", payload)
    answered = {key for key in messages if key.startswith("client.") and key.endswith(".ack")}
    assert seen == answered | {key for key in messages if key.startswith("service.")}
