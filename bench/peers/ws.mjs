// Node's ws: raw WebSockets, the same token check, one set as the room.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { WebSocketServer } from "ws";
import { listen, news } from "./control.mjs";

const [port, controlPort, secret] = process.argv.slice(2);
const http = createServer();
const server = new WebSocketServer({ noServer: true });
const room = new Set();
http.on("upgrade", (request, socket, head) => {
  const token = new URL(request.url, "http://localhost").searchParams.get("token");
  let userId;
  try {
    userId = jwt.verify(token, secret, { algorithms: ["HS256"] }).sub;
  } catch {
    socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    return;
  }
  server.handleUpgrade(request, socket, head, (peer) => {
    peer.userId = userId;
    room.add(peer);
    peer.on("close", () => room.delete(peer));
    peer.on("error", () => {});
    peer.send('{"type":"connected"}');
  });
});
http.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 });

const prefix = '{"type":"news","data":}'.length;
listen(Number(controlPort), {
  emit(times) {
    for (let i = 0; i < times; i += 1) {
      // One buffer for all, so that the text is encoded once.
      const text = Buffer.from(JSON.stringify({ type: "news", data: news(prefix) }));
      for (const peer of room) peer.send(text, { binary: false });
    }
  },
  emitTo(user, bytes) {
    const text = JSON.stringify({ type: "news", data: news(prefix, bytes) });
    for (const peer of room) if (`user:${peer.userId}` === user) peer.send(text);
  },
  count: () => room.size,
});
