/**
 * The doors of the server, one entry each; adding an entry is all it takes to join the page.
 *
 *   id        unique, also the name tests and styles go by
 *   name      what people read
 *   kind      "socketio" with `namespace`, or "raw" with `url`
 *   url       raw only: (token, user) => path and query of the WebSocket
 *   auto      connect when signed in
 *   samples   messages to start from: {label, event, data} for Socket.IO, {label, text} for raw
 */
export const doors = [
  {
    id: "stories",
    name: "Stories",
    kind: "socketio",
    namespace: "/stories",
    auto: true,
    samples: [
      { label: "List stories", event: "list_stories", data: { limit: 5 } },
      {
        label: "Create a story",
        event: "create_story",
        data: { text: "Hello from the socket", visibility: "PUBLIC" },
      },
      { label: "View a story", event: "view_story", data: { story_id: "" } },
      { label: "React to a story", event: "react", data: { story_id: "", emoji: "❤️" } },
      { label: "Unknown command", event: "no_such_command", data: {} },
    ],
  },
  {
    id: "ws",
    name: "Live events",
    kind: "raw",
    url: (token) => `/ws?token=${encodeURIComponent(token)}`,
    auto: true,
    samples: [
      { label: "Ping", text: '{"type": "ping"}' },
      { label: "Unknown type", text: '{"type": "no.such.type"}' },
      { label: "Broken JSON", text: '{"type": ' },
    ],
  },
];

/** Where a door is, without the credentials in its address. */
export function addressOf(door) {
  return door.kind === "socketio" ? door.namespace : door.url("", { id: "…" }).split("?")[0];
}
