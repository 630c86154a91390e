// The state of stories without a page: what events and answers make of it, in whatever order they come.
// Run by `node --test`, with the folder of the client in WEB.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { pathToFileURL } from "node:url";

const storage = new Map();
globalThis.sessionStorage = {
  getItem: (key) => storage.get(key) ?? null,
  setItem: (key, value) => storage.set(key, value),
  removeItem: (key) => storage.delete(key),
};

const web = pathToFileURL(`${process.env.WEB}/screens/stories/`);
const { Stories } = await import(new URL("data.js", web));
const { Outbox } = await import(new URL("outbox.js", web));

const ME = "1";
const OTHER = "2";
const HOUR = 3_600_000;

/** A server that keeps stories, and the connection to it; `hold()` delays its answers. */
class World extends EventTarget {
  items = [];
  asked = [];
  listeners = [];
  state = { kind: "live" };
  refusal = null;
  gate = null;
  queue = [];
  pages = {};

  connection = this;
  session = { user: { id: ME } };
  people = { learn() {} };
  api = { get: async (path, { after = "0" }) => this.pages[path.split("/").at(-1)][Number(after)] };

  on(_, event, listener) {
    this.listeners.push({ event, listener });
    return () => {};
  }

  tell(event, payload) {
    for (const each of this.listeners) if (each.event === event) each.listener(payload);
  }

  settled() {
    return Promise.resolve();
  }

  hold() {
    let open;
    this.gate = new Promise((resolve) => {
      open = resolve;
    });
    return () => {
      this.gate = null;
      open();
    };
  }

  story(id, { author = OTHER, hours = 0, left = 24 * HOUR, ...more } = {}) {
    const item = {
      id,
      version: 1,
      author_id: author,
      text: `text of ${id}`,
      visibility: "PUBLIC",
      created_at: new Date(Date.now() - hours * HOUR).toISOString(),
      expires_at: new Date(Date.now() + left).toISOString(),
      my_reaction: null,
      ...(author === ME ? { audience_user_ids: [], view_count: 0, reaction_count: 0 } : { viewed: false }),
      ...more,
    };
    this.items.push(item);
    return item;
  }

  async request(_, command, payload) {
    this.asked.push(command);
    const { refusal } = this;
    const items = this.items.map((item) => ({ ...item }));
    if (this.gate) await this.gate;
    if (refusal) throw refusal;
    if (command === "list_stories") return { items, next: null };
    const item = this.items.find(({ id }) => id === payload.story_id);
    if (command === "get_story") return { ...item };
    if (command === "react") item.my_reaction = payload.emoji;
    if (command === "unreact") item.my_reaction = null;
    if (command === "view_story") item.viewed = true;
    return null;
  }

  send(_, command, payload) {
    const entry = { payload };
    entry.done = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    this.queue.push(entry);
    return { clientId: payload.client_id, done: entry.done, cancel: () => (entry.cancelled = true) };
  }

  waits() {
    return this.state.kind !== "live";
  }

  become(kind) {
    this.state = { kind };
    this.dispatchEvent(new Event("state"));
  }
}

async function opened(world) {
  const stories = new Stories(world);
  await stories.reload();
  return stories;
}

const ids = (stories) => stories.all.map(({ id }) => id);
const unreachable = Object.assign(new Error("away"), { code: "unreachable" });

test("a story that comes while the list is read stays", async () => {
  const world = new World();
  world.story("old", { hours: 2 });
  const stories = new Stories(world);
  const answer = world.hold();
  const reading = stories.reload();
  await Promise.resolve();
  world.tell("story.created", world.story("new"));
  answer();
  await reading;
  assert.deepEqual(ids(stories), ["new", "old"]);
  stories.dispose();
});

test("a story that is deleted while the list is read does not come back", async () => {
  const world = new World();
  world.story("gone");
  const stories = new Stories(world);
  const answer = world.hold();
  const reading = stories.reload();
  await Promise.resolve();
  world.tell("story.deleted", { story_id: "gone", author_id: OTHER, version: 2 });
  answer();
  await reading;
  assert.deepEqual(ids(stories), []);
  stories.dispose();
});

test("what was deleted while away is gone after the next read", async () => {
  const world = new World();
  world.story("a", { hours: 1 });
  world.story("b", { hours: 2 });
  const stories = await opened(world);
  world.items = world.items.filter(({ id }) => id !== "a");
  await stories.reload();
  assert.deepEqual(ids(stories), ["b"]);
  stories.dispose();
});

test("of two reads at once the later one counts, whichever is answered last", async () => {
  const world = new World();
  world.story("a");
  const stories = new Stories(world);
  const answer = world.hold();
  const first = stories.reload();
  await new Promise((resolve) => setImmediate(resolve));
  world.gate = null;
  world.items = [];
  world.story("b");
  await stories.reload();
  answer();
  await first;
  assert.deepEqual(ids(stories), ["b"]);
  stories.dispose();
});

test("oneself comes first, then who has something unseen, then the newest", async () => {
  const world = new World();
  world.story("seen", { author: "3", hours: 1, viewed: true });
  world.story("unseen", { author: "4", hours: 5 });
  world.story("own", { author: ME, hours: 9 });
  world.story("later", { author: "5", hours: 2, viewed: true });
  const stories = await opened(world);
  assert.deepEqual(
    stories.authors.map(({ id, unseen }) => [id, unseen]),
    [[ME, false], ["4", true], ["3", false], ["5", false]],
  );
  stories.dispose();
});

test("a story ends by itself when its time is over", async (context) => {
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: Date.now() });
  context.after(() => mock.timers.reset());
  const world = new World();
  world.story("short", { left: 1000 });
  const stories = await opened(world);
  let changes = 0;
  stories.addEventListener("changed", () => (changes += 1));
  assert.ok(stories.get("short"));
  mock.timers.tick(1100);
  assert.equal(changes, 1);
  assert.equal(stories.get("short"), null);
  assert.deepEqual(ids(stories), []);
  stories.dispose();
});

test("a page that slept past the end of a story does not show it", async (context) => {
  mock.timers.enable({ apis: ["Date", "setTimeout"], now: Date.now() });
  context.after(() => mock.timers.reset());
  const world = new World();
  world.story("short", { left: 1000 });
  const stories = await opened(world);
  mock.timers.setTime(Date.now() + HOUR);
  assert.equal(stories.get("short"), null);
  assert.deepEqual(ids(stories), []);
  stories.dispose();
});

test("many views cost one read of the counts, and end with the server's", async (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const world = new World();
  const own = world.story("own", { author: ME });
  const stories = await opened(world);
  for (const viewer of ["7", "8", "9"]) {
    world.tell("story.viewed", { story_id: "own", viewer_id: viewer, viewed_at: own.created_at });
  }
  assert.equal(stories.get("own").views, 3);
  own.view_count = 4;
  mock.timers.tick(1000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(stories.get("own").views, 4);
  assert.equal(world.asked.filter((command) => command === "get_story").length, 1);
  stories.dispose();
});

test("a view that could not be sent is sent with the next read", async () => {
  const world = new World();
  world.story("a");
  const stories = await opened(world);
  world.refusal = unreachable;
  await assert.rejects(stories.view("a"));
  assert.equal(stories.get("a").viewed, false);
  world.refusal = null;
  await stories.reload();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(world.items[0].viewed, true);
  assert.equal(stories.get("a").viewed, true);
  stories.dispose();
});

test("a reaction flies once it is the server's, and a refused one is taken back", async () => {
  const world = new World();
  world.story("a");
  const stories = await opened(world);
  const flown = [];
  stories.addEventListener("reacted", ({ detail }) => flown.push(detail));
  await stories.react("a", "🔥");
  assert.deepEqual(flown, [{ storyId: "a", userId: ME, emoji: "🔥" }]);
  assert.equal(stories.get("a").myReaction, "🔥");
  world.refusal = unreachable;
  await assert.rejects(stories.react("a", "😂"));
  assert.equal(stories.get("a").myReaction, "🔥");
  world.refusal = null;
  await stories.react("a", "🔥");
  assert.equal(world.items[0].my_reaction, null);
  assert.equal(stories.get("a").myReaction, null);
  assert.equal(flown.length, 1);
  stories.dispose();
});

test("a reaction stays when the event of its story comes late", async () => {
  const world = new World();
  const item = world.story("a");
  const stories = await opened(world);
  await stories.react("a", "👏");
  world.tell("story.created", { ...item, my_reaction: null });
  assert.equal(stories.get("a").myReaction, "👏");
  stories.dispose();
});

test("the audience has all pages, and who reacted without a counted view", async () => {
  const world = new World();
  world.story("own", { author: ME, view_count: 2 });
  const at = new Date().toISOString();
  const view = (id) => ({ viewer_id: id, viewed_at: at });
  world.pages = {
    viewers: [{ items: [view("7")], next: "1" }, { items: [view("8")], next: null }],
    reactions: [{ items: [{ user_id: "8", emoji: "🔥" }, { user_id: "9", emoji: "👏", reacted_at: at }] }],
  };
  const stories = await opened(world);
  const { people, more } = await stories.audience("own");
  assert.deepEqual(
    people.map(({ userId, emoji }) => [userId, emoji]),
    [["7", null], ["8", "🔥"], ["9", "👏"]],
  );
  assert.equal(more, 0);
  stories.dispose();
});

test("what is posted while away waits, is shown, and is published once", async () => {
  storage.clear();
  const world = new World();
  world.become("offline");
  const outbox = new Outbox(world);
  assert.equal(await outbox.post({ text: "later", audience: [OTHER] }), "waiting");
  assert.deepEqual(outbox.entries.map(({ text }) => text), ["later"]);
  const [{ payload }] = world.queue;
  assert.equal(payload.visibility, "PRIVATE");
  assert.deepEqual(payload.audience_user_ids, [OTHER]);

  // The page is loaded again: the same command goes out, under the same client_id.
  const next = new World();
  const again = new Outbox(next);
  assert.equal(next.queue[0].payload.client_id, payload.client_id);
  const posted = [];
  again.addEventListener("posted", ({ detail }) => posted.push(detail.id));
  next.queue[0].resolve({ id: "s" });
  await next.queue[0].done;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(posted, ["s"]);
  assert.deepEqual(again.entries, []);
  assert.equal(storage.size, 0);
});

test("what loses its answer while it is posted turns into what waits", async () => {
  storage.clear();
  const world = new World();
  const outbox = new Outbox(world);
  const posting = outbox.post({ text: "cut off", audience: null });
  assert.deepEqual(outbox.entries, []);
  world.become("reconnecting");
  assert.equal(await posting, "waiting");
  assert.deepEqual(outbox.entries.map(({ text }) => text), ["cut off"]);
});

test("what is refused at once is the composer's, what is refused later says why", async () => {
  storage.clear();
  const world = new World();
  const outbox = new Outbox(world);
  const error = Object.assign(new Error("no"), { code: "invalid", fields: { text: ["No."] } });
  const posting = outbox.post({ text: "now", audience: null });
  world.queue[0].reject(error);
  await assert.rejects(posting, error);
  assert.deepEqual(outbox.entries, []);

  world.become("offline");
  await outbox.post({ text: "later", audience: null });
  world.become("live");
  world.queue[1].reject(error);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(outbox.entries.map((entry) => entry.error.fields), [{ text: ["No."] }]);
  const { clientId } = outbox.entries[0];
  outbox.retry(clientId);
  assert.equal(world.queue[2].payload.client_id, clientId);
  outbox.discard(clientId);
  assert.equal(world.queue[2].cancelled, true);
  assert.equal(storage.size, 0);
});

test("nothing of an account is kept after its session", async () => {
  storage.clear();
  const world = new World();
  world.become("offline");
  const outbox = new Outbox(world);
  await outbox.post({ text: "mine", audience: null });
  storage.clear();
  outbox.dispose();
  world.queue[0].reject(unreachable);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(storage.size, 0);
});

/** Resolve once `stories` has changed so that `check` holds. */
const until = (stories, check) =>
  new Promise((resolve) => {
    const look = () => check() && resolve();
    stories.addEventListener("changed", look);
    look();
  });

test("what was seen in one tab of an account is seen in its others, and in nobody else's", async () => {
  const seenHere = new World();
  const sameAccount = new World();
  const sameAgain = new World();
  const other = new World();
  other.session = { user: { id: "3" } };
  const worlds = [seenHere, sameAccount, sameAgain, other];
  for (const world of worlds) {
    world.story("first");
    world.story("second");
  }
  const [one, two, three, theirs] = await Promise.all(worlds.map(opened));
  await one.view("first");
  await until(two, () => two.get("first").viewed);
  assert.deepEqual([two.get("second").viewed, theirs.get("first").viewed], [false, false]);
  // It is not told a second time: nothing asks the server.
  assert.deepEqual(sameAccount.asked, ["list_stories"]);
  // One that has ended hears nothing any more.
  two.dispose();
  await one.view("second");
  await until(three, () => three.get("second").viewed);
  assert.equal(two.get("second").viewed, false);
  for (const stories of [one, three, theirs]) stories.dispose();
});
