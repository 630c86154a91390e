/** Ids for samples: of the last things in the frames, or of things that the server names when asked. */

import { random } from "../../lib/session.js";
import { parsed } from "./tree.js";

/** How a thing that a sample needs is found; `me` is the own account's id. */
const FINDERS = {
  story: {
    ask: ["/stories", "list_stories", { limit: 50 }],
    pick: (story, me) => story.author_id !== me,
  },
  message: {
    ask: ["/chat", "history", { conversation_id: "general", limit: 50 }],
    last: true,
    pick: (message) => !message.deleted_at,
  },
  ownMessage: {
    ask: ["/chat", "history", { conversation_id: "general", limit: 50 }],
    last: true,
    pick: (message, me) => message.author_id === me && !message.deleted_at,
  },
  request: { ask: ["/chat", "list_conversations", { request: true }], pick: () => true },
  person: {
    ask: ["/chat", "list_members", { conversation_id: "general" }],
    id: "user_id",
    pick: (member, me) => member.user_id !== me,
  },
  unpaidOrder: {
    ask: ["/market", "my_orders", { role: "buyer" }],
    pick: ({ status }) => ["created", "payment_failed"].includes(status),
  },
  openTask: { ask: ["/diary", "list_tasks", {}], pick: (task) => !task.done },
  numberGoal: { ask: ["/diary", "list_goals", {}], pick: (goal) => goal.kind === "number" },
};

/** Fields by which a thing in a frame is known for what it is. */
const MARKS = {
  viewed: "story_id",
  message_type: "message_id",
  bid_id: "order_id",
  sku: "product_id",
  repeat: "task_id",
  target: "goal_id",
  mood: "entry_id",
};

/** Names that an older API spells its own way. */
const SPELLINGS = { messageId: "message_id", conversationId: "conversation_id" };

/** What frames are searched for ids: deeper or longer ones are not from commands of ours. */
const DEPTH = 6;
const FRAMES = 100;

/**
 * Return a copy of a sample's data with its empty ids filled.
 *
 * `wanted` says by field name which thing the server is asked for; other empty fields take the last
 * such id of the frames. What cannot be found stays empty.
 */
export async function withIds(data, wanted = {}, { frames, request, me }) {
  const filled = structuredClone(data);
  const seen = idsOf(frames);
  for (const [key, value] of Object.entries(filled)) {
    if (value !== "") continue;
    if (key === "client_id") filled[key] = random();
    else if (wanted[key]) filled[key] = (await found(FINDERS[wanted[key]], request, me)) ?? "";
    else filled[key] = seen.get(SPELLINGS[key] ?? key) ?? "";
  }
  return filled;
}

async function found({ ask, pick, last = false, id = "id" }, request, me) {
  const { items } = await request(...ask);
  const fit = items.filter((item) => pick(item, me));
  return fit.at(last ? -1 : 0)?.[id];
}

function idsOf(frames) {
  const ids = new Map();
  const note = (name, id) => ["string", "number"].includes(typeof id) && ids.set(name, String(id));
  const look = (node, depth) => {
    if (depth > DEPTH || node === null || typeof node !== "object") return;
    for (const [key, child] of Object.entries(node)) {
      if (key.endsWith("_id")) note(key, child);
      else look(child, depth + 1);
    }
    for (const [mark, name] of Object.entries(MARKS)) if (mark in node) note(name, node.id);
  };
  for (const { payload } of frames.slice(-FRAMES)) look(parsed(payload), 0);
  return ids;
}
