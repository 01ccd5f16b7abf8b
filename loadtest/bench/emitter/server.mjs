// Node's Socket.IO server: `node server.mjs PORT`. Clients join rooms with "join", and one of them
// says with "notices" what is to be emitted into which room.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((_, answer) => answer.end("ready"));
const io = new Server(http, { maxHttpBufferSize: 1e6, serveClient: false });
io.on("connection", (socket) => {
  socket.on("join", (rooms) => socket.join(rooms));
  socket.on("notices", (notices) => {
    for (const [roomID, memberID, messageID] of notices) {
      io.to(roomID).emit("lastRead", { roomID, memberID, messageID });
    }
  });
});
http.listen(Number(process.argv[2]), "127.0.0.1");
