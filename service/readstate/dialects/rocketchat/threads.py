"""POST chat.readThread (since 8.8.0).

Threads are not kept here: a reply counts in its room like any message, and is read with the room. So reading a thread changes nothing.
It is answered for clients that call it whenever a thread is opened; a thread that the caller cannot see is refused.
"""

from litestar import HttpMethod

from readstate.dialects.rocketchat.call import Call, call
from readstate.dialects.rocketchat.schemas import Done, ReadThread
from readstate.dialects.rocketchat.visible import refusals, room_of_message


@call(HttpMethod.POST, "/chat.readThread", "rocketchat_read_thread", Done, ReadThread, refusals=refusals("readThreads"))
async def read_thread(request: Call, given: ReadThread) -> Done:
    """Accepted for a thread in a room of the caller, and changes nothing: replies are read with their room."""
    room, me = await room_of_message(request.services, request.auth, given.message)
    await request.services.read_state.message(
        app=request.auth.app, room=room.room, message=given.message, after=me.joined
    )
    return Done()
