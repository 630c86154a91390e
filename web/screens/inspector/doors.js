/**
 * The doors of the server, one entry each; adding an entry is all it takes to join the page.
 *
 *   id        unique, also the name tests and styles go by
 *   name      what people read
 *   kind      "socketio" with `namespace`, "raw" with `url`, or "rest"
 *   url       raw only: (token, user) => path and query of the WebSocket
 *   ping      raw only: the message that is answered with a pong, where there is one
 *   samples   messages to start from: {label, event, data} for Socket.IO, {label, data} or {label, text}
 *             for raw, {label, event: "METHOD path", data} for REST; `ids` names what an empty id is filled with (see ids.js), `fails` is true where
 *             the answer shall be an error
 */
export const doors = [
  {
    id: "stories",
    name: "Stories",
    kind: "socketio",
    namespace: "/stories",
    samples: [
      { label: "List stories", event: "list_stories", data: { limit: 5 } },
      {
        label: "Create a story",
        event: "create_story",
        data: { text: "Hello from the socket", visibility: "PUBLIC" },
      },
      { label: "View a story", event: "view_story", data: { story_id: "" }, ids: { story_id: "story" } },
      {
        label: "React to a story",
        event: "react",
        data: { story_id: "", emoji: "❤️" },
        ids: { story_id: "story" },
      },
      { label: "Unknown command", event: "no_such_command", data: {}, fails: true },
    ],
  },
  {
    id: "ws",
    name: "Live events",
    kind: "raw",
    url: (token) => `/ws?token=${encodeURIComponent(token)}`,
    ping: { type: "ping" },
    samples: [
      { label: "Ping", data: { type: "ping" } },
      { label: "Unknown type", data: { type: "no.such.type" }, fails: true },
      { label: "Broken JSON", text: '{"type": ', fails: true },
    ],
  },
  {
    id: "chat",
    name: "Chat",
    kind: "socketio",
    namespace: "/chat",
    samples: [
      { label: "Join a channel", event: "join_channel", data: { channel_id: "general" } },
      {
        label: "Send a message",
        event: "send_message",
        data: { channel_id: "general", content: "Hello from the socket", client_id: "" },
      },
      {
        label: "Edit a message",
        event: "edit_message",
        data: { message_id: "", content: "Edited in the inspector" },
        ids: { message_id: "ownMessage" },
      },
      {
        label: "React to a message",
        event: "react",
        data: { message_id: "", emoji: "❤️" },
        ids: { message_id: "message" },
      },
      {
        label: "Read a message",
        event: "message_read",
        data: { message_id: "" },
        ids: { message_id: "message" },
      },
      { label: "Type", event: "typing", data: { channel_id: "general" } },
      { label: "Change status", event: "status_change", data: { status: "away" } },
      { label: "History", event: "history", data: { channel_id: "general", limit: 20 } },
      { label: "List conversations", event: "list_conversations", data: {} },
      {
        label: "Accept a request",
        event: "accept_conversation",
        data: { conversation_id: "" },
        ids: { conversation_id: "request" },
      },
      {
        label: "Decline a request",
        event: "decline_conversation",
        data: { conversation_id: "" },
        ids: { conversation_id: "request" },
      },
      { label: "Block a person", event: "block_user", data: { user_id: "" }, ids: { user_id: "person" } },
      { label: "Unblock a person", event: "unblock_user", data: { user_id: "" }, ids: { user_id: "person" } },
      { label: "Leave a channel", event: "leave_channel", data: { channel_id: "general" } },
    ],
  },
  {
    id: "channels",
    name: "Channels",
    kind: "raw",
    url: (token) => `/api/v1/ws?token=${encodeURIComponent(token)}`,
    ping: { type: "ping" },
    samples: [
      { label: "Join a channel", data: { type: "join_channel", channel_id: "general" } },
      { label: "Leave a channel", data: { type: "leave_channel", channel_id: "general" } },
      { label: "Ping", data: { type: "ping" } },
    ],
  },
  {
    id: "conversations",
    name: "Conversations",
    kind: "raw",
    url: (token, user) => `/ws/${user.id}?token=${encodeURIComponent(token)}`,
    samples: [
      { label: "Heartbeat", data: { event: "heartbeat" } },
      { label: "Type", data: { event: "typing", conversationId: "general" } },
      {
        label: "Read a message",
        data: { event: "message_read", conversationId: "general", messageId: "" },
        ids: { messageId: "message" },
      },
      { label: "Change status", data: { event: "status_change", status: "away" } },
    ],
  },
  {
    id: "market",
    name: "Market",
    kind: "socketio",
    namespace: "/market",
    samples: [
      { label: "List products", event: "list_products", data: { limit: 5 } },
      { label: "Follow a book", event: "subscribe_book", data: { product_id: "1", size: "US 9" } },
      {
        label: "Bid",
        event: "place_bid",
        data: { product_id: "1", size: "US 9", price: "41.00" },
      },
      {
        label: "Ask",
        event: "place_ask",
        data: { product_id: "1", size: "US 9", price: "99.00" },
      },
      { label: "My orders", event: "my_orders", data: {} },
      {
        label: "Pay",
        event: "pay",
        data: { order_id: "", card_number: "4242424242424242" },
        ids: { order_id: "unpaidOrder" },
      },
      { label: "Notifications", event: "list_notifications", data: {} },
      { label: "Read all", event: "read_all_notifications", data: {} },
    ],
  },
  {
    id: "diary",
    name: "Diary",
    kind: "socketio",
    namespace: "/diary",
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
        data: { title: "Water the plants", priority: "high" },
      },
      {
        label: "Complete a task",
        event: "complete_task",
        data: { task_id: "" },
        ids: { task_id: "openTask" },
      },
      {
        label: "Set a goal",
        event: "create_goal",
        data: { title: "Run 10 km", kind: "number", target: 10, unit: "km" },
      },
      {
        label: "Add progress to a goal",
        event: "add_progress",
        data: { goal_id: "", amount: 2.5 },
        ids: { goal_id: "numberGoal" },
      },
      { label: "Summary", event: "summary", data: {} },
    ],
  },
  {
    id: "motivation",
    name: "Motivation",
    kind: "raw",
    url: (token, user) => `/api/v1/ws/${user.id}?token=${encodeURIComponent(token)}`,
    ping: { type: "ping" },
    samples: [
      {
        label: "Ask for motivation",
        data: { type: "motivation_requested", current_challenge: "Testing", stress_level: 5 },
      },
      { label: "Ping", data: { type: "ping" } },
      { label: "Echo", data: { type: "custom_message", data: "Any custom data" } },
    ],
  },
  {
    id: "rest",
    name: "REST",
    kind: "rest",
    samples: [
      { label: "Own account", event: "GET /api/v1/auth/me" },
      {
        label: "Send a message to a channel",
        event: "POST /api/v1/messages",
        data: { channel_id: "general", content: "Hello over REST" },
      },
      { label: "Statistics of channels", event: "GET /api/v1/ws/stats" },
    ],
  },
];

/** Where a door is, without the credentials in its address. */
export function addressOf(door) {
  if (door.kind === "rest") return "REST";
  return door.kind === "socketio" ? door.namespace : door.url("", { id: "…" }).split("?")[0];
}
