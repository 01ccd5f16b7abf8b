// One socket.io-client, driven over stdin and stdout: one JSON object per line in each direction.
//
// in    {"emit": event, "args": [...], "ack": true}; {"emit": event, "all": [[...], ...]}: each with an ack, in one turn;
//       {"cut": true}: the transport is gone; the end of the input closes the connection
// out   {"state": "connect" | "disconnect" | "connect_error", "reason": ..., "data": ...}
//       {"event": name, "args": [...]}
//       {"ack": event, "args": [...]}
//
// With `token` each connection begins with `auth2`, as README has it. `version`: another than the newest.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { url, options, token, version } = JSON.parse(process.argv[2]);
// Before 3.1 the package itself was the function.
const library = createRequire(import.meta.url)(version ? `socket.io-client-${version}` : "socket.io-client");
const io = library.io ?? library;
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const acked = (event) => (...args) => say({ ack: event, args });

const socket = io(url, options);
socket.on("connect", () => {
  if (token) socket.emit("auth2", token, {}, acked("auth2"));
  say({ state: "connect", transport: socket.io.engine.transport.name });
});
socket.on("disconnect", (reason) => say({ state: "disconnect", reason }));
socket.on("connect_error", (error) => say({ state: "connect_error", reason: error.message, data: error.data }));
socket.onAny((event, ...args) => say({ event, args }));

const commands = createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const command = JSON.parse(line);
  if (command.cut) {
    socket.io.engine.close();
  } else if (command.all) {
    for (const args of command.all) socket.emit(command.emit, ...args, acked(command.emit));
  } else if (command.ack) {
    socket.emit(command.emit, ...command.args, acked(command.emit));
  } else {
    socket.emit(command.emit, ...command.args);
  }
});
commands.on("close", () => socket.close());
