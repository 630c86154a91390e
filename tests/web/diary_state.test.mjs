// The state of a diary without a page: what events and answers make of it, in whatever order they come.
// Run by `node --test`, with the folder of the client in WEB.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { pathToFileURL } from "node:url";

const { Diary } = await import(new URL("data.js", pathToFileURL(`${process.env.WEB}/screens/diary/`)));

const ZONE = "Pacific/Kiritimati";
const dayAt = (moment) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(moment);
const TODAY = dayAt(new Date());
const YESTERDAY = dayAt(new Date(Date.now() - 86_400_000));

/** A server that keeps a diary, and the connection to it; `hold()` delays its answers. */
class World {
  entries = [];
  tasks = [];
  goals = [];
  asked = [];
  listeners = [];
  gate = null;
  /** Items of a page that fit into one answer. */
  fits = 100;
  connection = this;
  people = { learn() {} };
  #ids = 0;

  on(_, event, listener) {
    const entry = { event, listener };
    this.listeners.push(entry);
    return () => {
      this.listeners = this.listeners.filter((known) => known !== entry);
    };
  }

  tell(event, payload) {
    for (const each of [...this.listeners]) if (each.event === event) each.listener(payload);
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

  add(name, values) {
    this.#ids += 1;
    const at = new Date(Date.UTC(2026, 0, 1) + this.#ids).toISOString();
    const item = { id: `${name}-${this.#ids}`, version: 1, created_at: at, updated_at: at, ...values };
    this[name].push(item);
    return item;
  }

  entry(date, more = {}) {
    return this.add("entries", { date, text: "…", ...more });
  }

  async request(_, command, payload) {
    this.asked.push([command, payload]);
    const answer = this.answer(command, payload);
    if (this.gate) await this.gate;
    if (answer instanceof Error) throw answer;
    return structuredClone(answer);
  }

  answer(command, { limit, after, from, done, completed_from: completed, ...payload }) {
    if (command === "summary") return { time_zone: ZONE, days: [], weeks: [], streak: { current: 0, longest: 0 } };
    if (command.startsWith("delete_")) return null;
    if (command === "get_entry") return this.entries.find(({ id }) => id === payload.entry_id);
    if (command === "update_entry") {
      const { entry_id: id, if_version: version, ...changes } = payload;
      const entry = this.entries.find((each) => each.id === id);
      if (version !== entry.version) return Object.assign(new Error("conflict"), { code: "version_conflict" });
      return Object.assign(entry, changes, { version: version + 1 });
    }
    const items = {
      list_entries: () => this.entries.filter(({ date }) => date === from),
      list_tasks: () => this.tasks.filter((task) => task.done === done && (!completed || dayAt(new Date(task.completed_at)) === completed)),
      list_goals: () => this.goals,
      list_goal_invitations: () => [],
    }[command]?.();
    assert.ok(items, `${command} ${JSON.stringify(payload)}`);
    if (limit > this.fits) return Object.assign(new Error("long"), { code: "answer_too_long" });
    const start = Number(after ?? 0);
    const page = items.slice(start, start + limit);
    return { items: page, next: start + limit < items.length ? String(start + limit) : null };
  }
}

async function opened(world, date = null) {
  const diary = new Diary(world);
  await diary.reload(date);
  return diary;
}

const ids = (items) => items.map(({ id }) => id);
const ticks = () => new Promise((resolve) => setImmediate(resolve));

test("an event that comes while the lists are read stays", async () => {
  const world = new World();
  const old = world.entry(TODAY);
  const diary = new Diary(world);
  const answer = world.hold();
  const reading = diary.reload(TODAY);
  await ticks();
  answer();
  const again = world.hold();
  await ticks();
  world.tell("entry.created", { entry: world.entry(TODAY) });
  world.tell("entry.updated", { entry: { ...old, version: 2, text: "changed" } });
  again();
  await reading;
  assert.deepEqual(diary.entriesOfDay.map(({ text }) => text), ["changed", "…"]);
  diary.dispose();
});

test("what is deleted while the lists are read does not come back", async () => {
  const world = new World();
  const gone = world.add("tasks", { title: "gone", done: false });
  const diary = new Diary(world);
  const answer = world.hold();
  const reading = diary.reload();
  await ticks();
  world.tell("task.deleted", { id: gone.id, version: 2 });
  answer();
  await reading;
  world.tell("task.updated", { task: gone });
  assert.deepEqual(diary.tasksOfDay, []);
  diary.dispose();
});

test("what was deleted while away is gone after the next read", async () => {
  const world = new World();
  const [one, other] = [world.entry(TODAY), world.entry(TODAY)];
  const diary = await opened(world);
  world.entries = [other];
  await diary.reload();
  assert.deepEqual(ids(diary.entriesOfDay), [other.id]);
  assert.equal(diary.entry(one.id), undefined);
  diary.dispose();
});

test("one day's entries are never shown on another", async () => {
  const world = new World();
  const [before, now] = [world.entry(YESTERDAY), world.entry(TODAY)];
  const diary = await opened(world);
  assert.deepEqual(ids(diary.entriesOfDay), [now.id]);
  world.tell("entry.created", { entry: world.entry(YESTERDAY) });
  assert.deepEqual(ids(diary.entriesOfDay), [now.id]);
  const answer = world.hold();
  const reading = diary.reload(YESTERDAY);
  assert.deepEqual(diary.entriesOfDay, []);
  // Heard of on the other day, it is read of this one in the same version.
  world.tell("entry.updated", { entry: before });
  answer();
  await reading;
  assert.deepEqual(ids(diary.entriesOfDay), ids(world.entries.filter(({ date }) => date === YESTERDAY)));
  await diary.reload(null);
  assert.deepEqual(ids(diary.entriesOfDay), [now.id]);
  diary.dispose();
});

test("an entry that is moved to another day leaves, also before a late event of it", async () => {
  const world = new World();
  const entry = world.entry(TODAY);
  const diary = await opened(world);
  world.tell("entry.updated", { entry: { ...entry, version: 3, date: YESTERDAY } });
  world.tell("entry.updated", { entry: { ...entry, version: 2 } });
  assert.deepEqual(diary.entriesOfDay, []);
  world.tell("entry.updated", { entry: { ...entry, version: 4 } });
  assert.deepEqual(ids(diary.entriesOfDay), [entry.id]);
  diary.dispose();
});

test("of two reads at once the later one counts", async () => {
  const world = new World();
  const [before, now] = [world.entry(YESTERDAY), world.entry(TODAY)];
  const diary = new Diary(world);
  const answer = world.hold();
  const first = diary.reload(YESTERDAY);
  await ticks();
  world.gate = null;
  assert.equal(await diary.reload(null), true);
  answer();
  assert.equal(await first, false);
  assert.deepEqual(ids(diary.entriesOfDay), [now.id]);
  assert.equal(diary.entry(before.id), undefined);
  diary.dispose();
});

test("lists are read to their end, in pages that fit", async () => {
  const world = new World();
  for (let n = 0; n < 250; n += 1) {
    world.entry(TODAY);
    world.add("tasks", { title: "open", done: false });
    world.add("goals", { title: "goal", done: false });
  }
  for (let n = 0; n < 30; n += 1) world.add("tasks", { title: "done", done: true, completed_at: new Date().toISOString() });
  world.add("tasks", { title: "before", done: true, completed_at: new Date(Date.now() - 7 * 86_400_000).toISOString() });
  world.fits = 30;
  const diary = await opened(world);
  assert.equal(diary.entriesOfDay.length, 250);
  assert.equal(diary.tasksOfDay.length, 280);
  assert.equal(diary.goals.size, 250);
  assert.deepEqual([...diary.cut], []);
  diary.dispose();
});

test("of a list without end the newest are read, and it is said", async () => {
  const world = new World();
  for (let n = 0; n < 2500; n += 1) world.add("tasks", { title: "open", done: false });
  const diary = await opened(world);
  assert.equal(diary.tasksOfDay.length, 2000);
  assert.deepEqual([...diary.cut], ["tasks"]);
  diary.dispose();
});

test("a deletion by hand holds against whatever comes late", async () => {
  const world = new World();
  const entry = world.entry(TODAY);
  const diary = await opened(world);
  await diary.remove("entry", entry.id);
  // Changed on another device before it was deleted here.
  world.tell("entry.updated", { entry: { ...entry, version: 7 } });
  world.tell("entry.deleted", { id: entry.id, version: 8 });
  assert.deepEqual(diary.entriesOfDay, []);
  diary.dispose();
});

test("what has left is remembered up to a bound", async () => {
  const world = new World();
  const diary = await opened(world);
  for (let n = 0; n < 1001; n += 1) world.tell("task.deleted", { id: `t${n}`, version: 2 });
  const late = (id) => world.tell("task.updated", { task: { ...world.tasks[0], id, version: 1, done: false, updated_at: "2026", created_at: "" } });
  late("t1000");
  assert.deepEqual(diary.tasksOfDay, []);
  late("t0");
  assert.deepEqual(ids(diary.tasksOfDay), ["t0"]);
  diary.dispose();
});

test("a cleared diary is empty, whatever comes late, and is read anew", async () => {
  const world = new World();
  const entry = world.entry(TODAY);
  world.add("goals", { title: "goal", done: false });
  const diary = await opened(world);
  world.entries = [];
  world.goals = [];
  world.asked = [];
  world.tell("diary.cleared", { at: "2026-06-01T00:00:00.000Z" });
  world.tell("entry.updated", { entry: { ...entry, version: 9 } });
  assert.deepEqual([diary.entriesOfDay, diary.goals.size], [[], 0]);
  await ticks();
  assert.ok(world.asked.some(([command]) => command === "list_entries"));
  world.tell("entry.created", { entry: { ...world.entry(TODAY), updated_at: "2026-06-01T00:00:01.000Z" } });
  assert.equal(diary.entriesOfDay.length, 1);
  diary.dispose();
});

test("many events cost one summary, and none after the screen is left", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const world = new World();
  const diary = await opened(world);
  world.asked = [];
  const summaries = () => world.asked.filter(([command]) => command === "summary").length;
  for (let n = 0; n < 5; n += 1) {
    world.tell("entry.created", { entry: world.entry(TODAY) });
    mock.timers.tick(300);
  }
  assert.equal(summaries(), 2);
  diary.dispose();
  diary.later();
  mock.timers.tick(1000);
  assert.equal(summaries(), 2);
  assert.deepEqual(world.listeners, []);
  mock.timers.reset();
});

/** An entry that was read in its first version, and what another device made of it since. */
async function changedElsewhere(changes) {
  const world = new World();
  const entry = world.entry(TODAY, { text: "old", mood: 3, tags: ["a"] });
  const diary = await opened(world);
  const before = structuredClone(entry);
  Object.assign(entry, changes, { version: entry.version + 1 });
  world.asked = [];
  return { world, diary, entry, before };
}

test("only what was changed is sent, of the version that was seen", async () => {
  const { world, diary, before, entry } = await changedElsewhere({});
  entry.version = 1;
  assert.equal(await diary.save("entry", before, { text: "new", mood: 3, tags: ["a"] }), null);
  assert.deepEqual(world.asked[0], ["update_entry", { entry_id: before.id, text: "new", if_version: 1 }]);
  assert.equal(diary.entry(before.id).text, "new");
  world.asked = [];
  assert.equal(await diary.save("entry", entry, { text: "new" }), null);
  assert.deepEqual(world.asked, []);
  diary.dispose();
});

test("what others have changed besides stays", async () => {
  const { diary, before, entry } = await changedElsewhere({ mood: 5 });
  assert.equal(await diary.save("entry", before, { text: "new", mood: 3, tags: ["a"] }), null);
  assert.deepEqual([entry.text, entry.mood, entry.version], ["new", 5, 3]);
  diary.dispose();
});

test("of what both have changed one has to choose, and nothing is lost", async () => {
  const { diary, before, entry } = await changedElsewhere({ text: "theirs", mood: 5 });
  const conflict = await diary.save("entry", before, { text: "mine", mood: null, tags: ["a", "b"] });
  assert.deepEqual(conflict.names, ["text", "mood"]);
  assert.deepEqual(conflict.mine, { text: "mine", mood: null, tags: ["a", "b"] });
  assert.deepEqual([conflict.now.text, entry.text], ["theirs", "theirs"]);
  assert.equal(diary.entry(before.id).text, "theirs");
  assert.equal(await diary.save("entry", conflict.now, { ...conflict.now, ...conflict.mine }), null);
  assert.deepEqual([entry.text, entry.mood, entry.tags], ["mine", null, ["a", "b"]]);
  diary.dispose();
});

test("what was made already, or by others as well, is done", async () => {
  const { diary, before } = await changedElsewhere({ text: "new" });
  assert.equal(await diary.save("entry", before, { text: "new", mood: 3, tags: ["a"] }), null);
  diary.dispose();
});

test("what was made in one moment has one order, whatever order it is read in", async () => {
  const world = new World();
  const at = new Date().toISOString();
  for (const title of "abc") world.add("tasks", { title, done: false, created_at: at });
  const diary = await opened(world);
  const before = ids(diary.tasksOfDay);
  world.tasks.reverse();
  const other = await opened(world);
  assert.deepEqual(ids(other.tasksOfDay), before);
  diary.dispose();
  other.dispose();
});
