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
  {
    id: "chat",
    name: "Chat",
    kind: "socketio",
    namespace: "/chat",
    auto: false,
    samples: [
      { label: "Join a channel", event: "join_channel", data: { channel_id: "general" } },
      {
        label: "Send a message",
        event: "send_message",
        data: { channel_id: "general", content: "Hello from the socket", client_id: "1" },
      },
      { label: "Edit a message", event: "edit_message", data: { message_id: "", content: "" } },
      { label: "React to a message", event: "react", data: { message_id: "", emoji: "❤️" } },
      { label: "Read a message", event: "message_read", data: { message_id: "" } },
      { label: "Type", event: "typing", data: { channel_id: "general" } },
      { label: "Change status", event: "status_change", data: { status: "away" } },
      { label: "History", event: "history", data: { channel_id: "general", limit: 20 } },
      { label: "List conversations", event: "list_conversations", data: {} },
      { label: "Leave a channel", event: "leave_channel", data: { channel_id: "general" } },
    ],
  },
  {
    id: "channels",
    name: "Channels",
    kind: "raw",
    url: (token) => `/api/v1/ws?token=${encodeURIComponent(token)}`,
    auto: false,
    samples: [
      { label: "Join a channel", text: '{"type": "join_channel", "channel_id": "general"}' },
      { label: "Leave a channel", text: '{"type": "leave_channel", "channel_id": "general"}' },
      { label: "Ping", text: '{"type": "ping"}' },
    ],
  },
  {
    id: "conversations",
    name: "Conversations",
    kind: "raw",
    url: (token, user) => `/ws/${user.id}?token=${encodeURIComponent(token)}`,
    auto: false,
    samples: [
      { label: "Heartbeat", text: '{"event": "heartbeat"}' },
      { label: "Type", text: '{"event": "typing", "conversationId": "general"}' },
      {
        label: "Read a message",
        text: '{"event": "message_read", "conversationId": "general", "messageId": ""}',
      },
      { label: "Change status", text: '{"event": "status_change", "status": "away"}' },
    ],
  },
  {
    id: "market",
    name: "Market",
    kind: "socketio",
    namespace: "/market",
    auto: false,
    samples: [
      { label: "List products", event: "list_products", data: { limit: 5 } },
      { label: "Follow a book", event: "subscribe_book", data: { product_id: "1", size: "9" } },
      {
        label: "Bid",
        event: "place_bid",
        data: { product_id: "1", size: "9", price: "220.00" },
      },
      {
        label: "Ask",
        event: "place_ask",
        data: { product_id: "1", size: "9", price: "220.00" },
      },
      { label: "My orders", event: "my_orders", data: {} },
      { label: "Pay", event: "pay", data: { order_id: "1", card_number: "4242424242424242" } },
      { label: "Notifications", event: "list_notifications", data: {} },
      { label: "Read all", event: "read_all_notifications", data: {} },
    ],
  },
  {
    id: "diary",
    name: "Diary",
    kind: "socketio",
    namespace: "/diary",
    auto: false,
    samples: [
      {
        label: "Ask for motivation",
        event: "request_motivation",
        data: { current_challenge: "Working on a difficult feature", stress_level: 7 },
      },
      {
        label: "Write an entry",
        event: "create_entry",
        data: { text: "A good day.", mood: 4, tags: ["work"] },
      },
      { label: "List entries", event: "list_entries", data: { limit: 5 } },
      {
        label: "Plan a task",
        event: "create_task",
        data: { title: "Water the plants", repeat: "weekly", due_date: "2026-12-01" },
      },
      { label: "Complete a task", event: "complete_task", data: { task_id: "" } },
      {
        label: "Set a goal",
        event: "create_goal",
        data: { title: "Run 10 km", kind: "number", target: 10, unit: "km" },
      },
      { label: "Come nearer to a goal", event: "add_progress", data: { goal_id: "", amount: 2.5 } },
      { label: "Summary", event: "summary", data: {} },
    ],
  },
  {
    id: "motivation",
    name: "Motivation",
    kind: "raw",
    url: (token, user) => `/api/v1/ws/${user.id}?token=${encodeURIComponent(token)}`,
    auto: false,
    samples: [
      {
        label: "Ask for motivation",
        text: '{"type": "motivation_requested", "current_challenge": "Testing", "stress_level": 5}',
      },
      { label: "Ping", text: '{"type": "ping"}' },
      { label: "Echo", text: '{"type": "custom_message", "data": "Any custom data"}' },
    ],
  },
];

/** Where a door is, without the credentials in its address. */
export function addressOf(door) {
  return door.kind === "socketio" ? door.namespace : door.url("", { id: "…" }).split("?")[0];
}
