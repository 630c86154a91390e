// The state of chat without a page: what events and answers make of it, in whatever order they come.
// Run by `node --test`, with the folder of the client in WEB.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const web = pathToFileURL(`${process.env.WEB}/screens/chat/`);
const { Conversations } = await import(new URL("conversations.js", web));
const { Timeline } = await import(new URL("timeline.js", web));

const ME = "1";
const OTHER = "2";
const HERE = "c-1";

/** A conversation on a server that answers when it is told to, and a connection to it. */
class World extends EventTarget {
  messages = [];
  revision = 0;
  read = { [ME]: 0, [OTHER]: 0 };
  state = { kind: "live" };
  held = null;
  listeners = [];

  get connection() {
    return this;
  }

  session = { user: { id: ME } };
  people = { learn() {} };
  api = { get: async () => this.listed() };

  on(_, event, listener) {
    this.listeners.push({ event, listener });
    return () => {};
  }

  tell(event, payload) {
    for (const each of this.listeners) if (each.event === event) each.listener(payload);
  }

  /** Write a message; `heard` says whether the event reaches the page. */
  write(authorId, content, { heard = true } = {}) {
    const message = {
      id: `${HERE}:${this.messages.length + 1}`,
      conversation_id: HERE,
      seq: this.messages.length + 1,
      author_id: authorId,
      author_name: `User ${authorId}`,
      content,
      message_type: "text",
      reply_to: null,
      mentions: [],
      attachments: [],
      reactions: [],
      client_id: null,
      created_at: "2026-01-01T10:00:00.000Z",
      edited_at: null,
      deleted_at: null,
      revision: 0,
    };
    this.messages.push(message);
    this.read[authorId] = message.seq;
    if (heard) this.tell("new_message", { ...message });
    return message;
  }

  change(message, values, { heard = true } = {}) {
    this.revision += 1;
    Object.assign(message, values, { revision: this.revision });
    const event = message.deleted_at ? "message_deleted" : "message_updated";
    if (heard) this.tell(event, { ...message });
  }

  listed() {
    const unread = this.messages.filter(
      ({ seq, author_id: author, deleted_at: gone }) =>
        seq > this.read[ME] && author !== ME && !gone,
    );
    return {
      id: HERE,
      kind: "direct",
      private: true,
      request: false,
      title: null,
      created_by: OTHER,
      created_at: "2026-01-01T09:00:00.000Z",
      last_message: this.messages.at(-1) ?? null,
      seq: this.messages.length,
      read_seq: this.read[ME],
      unread: unread.length,
      member_ids: [ME, OTHER],
      status: "available",
    };
  }

  async request(_, command, payload) {
    const answer = this.commands[command](payload);
    const held = this.held;
    if (held?.command === command) {
      this.held = null;
      await held.until;
    }
    return structuredClone(answer);
  }

  /** Let the next answer to a command wait; returns what lets it go. */
  hold(command) {
    const held = { command };
    held.until = new Promise((resolve) => {
      held.go = resolve;
    });
    this.held = held;
    return held.go;
  }

  commands = {
    follow_channels: () => ({ channel_ids: [] }),
    list_conversations: () => ({ items: [this.listed()], next: null }),
    list_mentions: () => ({ items: [], next: null }),
    list_blocked: () => ({ items: [], next: null }),
    list_members: () => ({
      items: [ME, OTHER].map((id) => ({
        user_id: id,
        user_name: `User ${id}`,
        read_seq: this.read[id],
        status: "available",
      })),
      next: null,
    }),
    history: ({ before, after, limit }) => {
      const seqs = this.messages.map(({ seq }) => seq);
      const wanted = after !== undefined
        ? seqs.filter((seq) => seq > after).slice(0, limit)
        : seqs.filter((seq) => before === undefined || seq < before).slice(-limit);
      const more = after !== undefined
        ? wanted.length > 0 && wanted.at(-1) < seqs.length
        : wanted.length > 0 && wanted[0] > 1;
      const items = wanted.map((seq) => ({ ...this.messages[seq - 1] }));
      return { items, seq: seqs.length, revision: this.revision, more };
    },
    changes: ({ after }) => ({
      messages: this.messages.filter(({ revision }) => revision > after),
      revision: this.revision,
      more: false,
    }),
    message_read: () => ({ conversation_id: HERE, read_seq: this.read[ME], unread: 0 }),
  };
}

async function opened(world, seq) {
  const store = new Conversations(world);
  const timeline = new Timeline(store, HERE);
  await timeline.open(seq);
  return { store, timeline };
}

const contents = ({ messages }) => messages.map(({ content }) => content);

test("what is heard while the page of messages is on its way is kept", async () => {
  const world = new World();
  world.write(OTHER, "one");
  const store = new Conversations(world);
  await store.ready();
  const go = world.hold("history");
  const timeline = new Timeline(store, HERE);
  const opening = timeline.open();
  await new Promise(setImmediate);
  world.write(OTHER, "two");
  go();
  await opening;
  assert.deepEqual(contents(timeline), ["one", "two"]);
});

test("an event that is told twice, or late, changes nothing", async () => {
  const world = new World();
  const first = world.write(OTHER, "one");
  const { timeline } = await opened(world);
  world.tell("new_message", { ...first });
  world.change(first, { content: "edited" });
  world.tell("message_updated", { ...first, content: "older", revision: 0 });
  assert.deepEqual(contents(timeline), ["edited"]);
});

test("reactions are added to what is newer, and never to a deleted message", async () => {
  const world = new World();
  const message = world.write(OTHER, "one");
  const { timeline } = await opened(world);
  const reaction = { message_id: message.id, conversation_id: HERE, emoji: "👍", user_id: OTHER };
  world.tell("message_reacted", { ...reaction, revision: 0 });
  assert.deepEqual(timeline.messages[0].reactions, []);
  world.tell("message_reacted", { ...reaction, revision: 1 });
  world.tell("message_reacted", { ...reaction, revision: 1 });
  assert.deepEqual(timeline.messages[0].reactions, [{ emoji: "👍", userIds: [OTHER] }]);
  world.tell("message_unreacted", { ...reaction, revision: 2 });
  assert.deepEqual(timeline.messages[0].reactions, []);
  world.revision = 2;
  world.change(message, { content: "", deleted_at: "2026-01-01T11:00:00.000Z" });
  world.tell("message_reacted", { ...reaction, revision: 4 });
  assert.deepEqual(timeline.messages[0].reactions, []);
});

test("after an absence the window is what a fresh load shows", async () => {
  const world = new World();
  const first = world.write(OTHER, "one");
  const { timeline } = await opened(world);
  for (let number = 2; number <= 80; number += 1) {
    world.write(OTHER, `m${number}`, { heard: false });
  }
  world.change(first, { content: "edited" }, { heard: false });
  await timeline.catchUp();
  assert.equal(timeline.messages.length, 80);
  assert.equal(contents(timeline)[0], "edited");
  assert.ok(timeline.atEnd);
});

test("after a long absence the rest is read where the reader goes", async () => {
  const world = new World();
  world.write(OTHER, "one");
  const { timeline } = await opened(world);
  for (let number = 2; number <= 400; number += 1) {
    world.write(OTHER, `m${number}`, { heard: false });
  }
  await timeline.catchUp();
  assert.equal(timeline.atEnd, false);
  const loaded = timeline.messages.length;
  world.write(OTHER, "new");
  assert.equal(timeline.messages.length, loaded);
  assert.equal(timeline.missed, 1);
  await timeline.loadNewer();
  assert.equal(timeline.messages.length, loaded + 50);
  await timeline.toEnd();
  assert.equal(contents(timeline).at(-1), "new");
  assert.equal(timeline.missed, 0);
});

test("a message far back is jumped to, and the window grows to both sides", async () => {
  const world = new World();
  for (let number = 1; number <= 300; number += 1) world.write(OTHER, `m${number}`);
  const { timeline } = await opened(world);
  assert.ok(await timeline.jump(100));
  assert.equal(timeline.atEnd, false);
  assert.equal(timeline.atStart, false);
  await timeline.loadOlder();
  await timeline.loadNewer();
  const seqs = timeline.messages.map(({ seq }) => seq);
  assert.deepEqual(seqs, [...seqs].sort((one, other) => one - other));
  assert.equal(new Set(seqs).size, seqs.length);
  assert.equal(await timeline.jump(5000), false);
});

test("the window is bounded in both directions", async () => {
  const world = new World();
  for (let number = 1; number <= 1000; number += 1) world.write(OTHER, `m${number}`);
  const { timeline } = await opened(world);
  for (let page = 0; page < 12; page += 1) await timeline.loadOlder();
  assert.ok(timeline.messages.length <= 400);
  assert.equal(timeline.atEnd, false);
  await timeline.toEnd();
  for (let number = 0; number < 600; number += 1) world.write(OTHER, `n${number}`);
  assert.ok(timeline.messages.length <= 450);
  assert.equal(timeline.atStart, false);
});

test("what is unread is counted, and own messages are read", async () => {
  const world = new World();
  world.write(OTHER, "one");
  const { store } = await opened(world);
  const [item] = store.accepted;
  assert.equal(store.unread, 1);
  const second = world.write(OTHER, "two");
  assert.equal(store.unread, 2);
  world.change(second, { content: "", deleted_at: "2026-01-01T11:00:00.000Z" });
  assert.equal(store.unread, 1);
  world.tell("conversation_read", { conversation_id: HERE, read_seq: 2, unread: 0 });
  assert.equal(store.unread, 0);
  world.write(OTHER, "three");
  world.write(ME, "four");
  assert.equal(store.unread, 0);
  assert.equal(item.last.content, "four");
});

test("an answer that was on its way takes back nothing that events have said", async () => {
  const world = new World();
  world.write(OTHER, "one");
  const { store } = await opened(world);
  const go = world.hold("list_conversations");
  const reading = store.reload();
  await new Promise(setImmediate);
  world.write(ME, "two");
  go();
  await reading;
  assert.equal(store.get(HERE).last.content, "two");
  assert.equal(store.unread, 0);
});

test("a request counts once, however much was written", async () => {
  const world = new World();
  const listed = world.listed.bind(world);
  world.listed = () => ({ ...listed(), request: true });
  for (let number = 0; number < 3; number += 1) world.write(OTHER, "please");
  const { store } = await opened(world);
  assert.equal(store.unread, 1);
  assert.equal(store.requests.length, 1);
  world.tell("request.answered", { conversation_id: HERE, answer: "declined" });
  assert.equal(store.unread, 0);
  assert.equal(store.requests.length, 0);
});

test("who has read a message is known from marks and from what they wrote", async () => {
  const world = new World();
  const { timeline } = await opened(world);
  await new Promise(setImmediate);
  const mine = world.write(ME, "seen?");
  const shown = timeline.find(mine.id);
  assert.deepEqual(timeline.seenBy(shown), []);
  const mark = { conversation_id: HERE, user_id: OTHER, user_name: "User 2" };
  world.tell("message_read", { ...mark, seq: mine.seq });
  world.tell("message_read", { ...mark, seq: 0 });
  assert.deepEqual(timeline.seenBy(shown), [OTHER]);
  const later = world.write(ME, "and this?");
  world.write(OTHER, "yes");
  assert.deepEqual(timeline.seenBy(timeline.find(later.id)), [OTHER]);
});
