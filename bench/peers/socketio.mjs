// Node's Socket.IO server: the same namespace, rooms and token check.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { groupOf, listen, news } from "./control.mjs";

const [port, controlPort, secret] = process.argv.slice(2);
const http = createServer();
const io = new Server(http);
const bench = io.of("/bench");
bench.use((socket, next) => {
  try {
    socket.data.id = jwt.verify(socket.handshake.auth.token, secret, { algorithms: ["HS256"] }).sub;
    next();
  } catch (error) {
    next(error);
  }
});
bench.on("connection", (socket) => {
  const { id } = socket.data;
  socket.join(["room", `user:${id}`, groupOf(id)]);
  socket.on("echo", (said, acknowledge) => acknowledge({ data: said }));
  socket.on("key", (said) => bench.to(groupOf(id)).emit("key", { user: id, ...said }));
});
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });

const prefix = '42/bench,["news",]'.length;
listen(Number(controlPort), {
  emit(times) {
    for (let i = 0; i < times; i += 1) bench.to("room").emit("news", news(prefix));
  },
  emitTo(room, bytes) {
    bench.to(room).emit("news", news(prefix, bytes));
  },
  count: () => bench.sockets.size,
});
