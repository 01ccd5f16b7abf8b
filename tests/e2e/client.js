// One socket.io-client, driven over stdin and stdout: one JSON object per line in each direction.
//
// in    {"emit": event, "args": [...], "ack": true}; the end of the input closes the connection
// out   {"state": "connect" | "disconnect" | "connect_error", "reason": ...}
//       {"event": name, "args": [...]}
//       {"ack": event, "args": [...]}

import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const { url, options } = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const socket = io(url, options);
socket.on("connect", () => say({ state: "connect", transport: socket.io.engine.transport.name }));
socket.on("disconnect", (reason) => say({ state: "disconnect", reason }));
socket.on("connect_error", (error) => say({ state: "connect_error", reason: error.message }));
socket.onAny((event, ...args) => say({ event, args }));

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const command = JSON.parse(line);
  if (command.ack) {
    socket.emit(command.emit, ...command.args, (...args) => say({ ack: command.emit, args }));
  } else {
    socket.emit(command.emit, ...command.args);
  }
});
commands.on("close", () => socket.close());
