// docs/read-state-client.js on a socket of socket.io-client. It says what it knows whenever that changes, one JSON
// object per line; a line on stdin cuts the connection; the end of the input closes it.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { ReadState } from "./read-state-client.js";

const { url, options, token } = JSON.parse(process.argv[2]);
const socket = io(url, { ...options, auth: { token, badge: true } });
const state = new ReadState(socket, () => {
  const rooms = Object.fromEntries([...state.rooms].map(([id, room]) => [id, [room.unread, room.roomTags]]));
  process.stdout.write(JSON.stringify({ badge: state.badge, version: state.version, rooms }) + "\n");
});
socket.on("connect", () => process.stdout.write(JSON.stringify({ state: "connect" }) + "\n"));

const commands = createInterface({ input: process.stdin });
commands.on("line", () => socket.io.engine.close());
commands.on("close", () => socket.close());
