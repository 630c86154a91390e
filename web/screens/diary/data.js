/** What the server knows of the diary: commands, events and fields. No DOM here. */

import { readAll, readPage } from "./pages.js";

const NAMESPACE = "/diary";
export const MOODS = [1, 2, 3, 4, 5];
export const WEEKS = 12;
export const PRIORITIES = ["low", "normal", "high"];
export const REPEATS = ["none", "daily", "weekly"];
/** The summary is read again this long after the first of several changes, so that many cost one read. */
const SUMMARY_MS = 400;
/** Things that are known to have left: an event does not come later than a thousand others. */
const LEFT_MAX = 1000;

/** Entries of a page of what is found. */
const FOUND_PAGE = 20;
/** Tags to choose from: more than a list of suggestions shows. */
const TAGS_OFFERED = 100;
const MOTIVATIONS_PAGE = 10;
/** Changes of others that do not concern one's own, while it is sent, before one is told of them. */
const TRIES = 3;
/** Notices of what has fallen due: more than one reads; the oldest give way. */
const NOTICES_MAX = 20;

const MAPS = { entry: "entries", task: "tasks", goal: "goals" };

/**
 * One day's entries and tasks, and all goals, kept in step by events; emits `changed`, `due` with the
 * notice as `detail` when a task falls due, `motivated` with a motivation, `reached`
 * ({title, by}) when a goal is, `gone` ({kind, id}) when something is deleted, and `cleared`.
 *
 * Of each id the highest version holds, in whatever order answers and events come.
 */
export class Diary extends EventTarget {
  #connection;
  #people;
  #stop;
  #timer = null;
  #turn = 0;
  /** What was changed or has left while the lists are read: a page may be older. */
  #touched = new Set();
  /** Of what is gone, or not of the day shown: the lowest version that may be held again. */
  #left = new Map();
  #ended = false;
  #notices = new Map();
  /** When everything was deleted, or "". */
  #clearedAt = "";
  /** The day that is shown, null for today. */
  #date = null;
  entries = new Map();
  tasks = new Map();
  goals = new Map();
  /** Who was heard to come further last, by goal: `{id, version, at, reached}`. */
  movers = new Map();
  invitations = [];
  /** The entries that were found last, by id; what becomes of them is followed. */
  found = new Map();
  #search = 0;
  summary = null;
  /** The lists of which more was there than is read: `entries`, `tasks`, `goals`. */
  cut = new Set();
  readAt = null;

  constructor({ connection, people }) {
    super();
    this.#connection = connection;
    this.#people = people;
    const hear = (event, run) => connection.on(NAMESPACE, event, run);
    const put = (kind) => (event) => this.#put(kind, event[kind]);
    const drop = (kind) => ({ id, version }) => this.#drop(kind, id, version);
    this.#stop = [
      ...["entry.created", "entry.updated"].map((name) => hear(name, put("entry"))),
      hear("entry.deleted", drop("entry")),
      ...["task.created", "task.updated", "task.completed", "task.reopened"].map((name) => hear(name, put("task"))),
      hear("task.deleted", drop("task")),
      hear("task.due", (event) => this.#fallDue(event)),
      ...["goal.created", "goal.updated", "goal.progress", "goal.completed"].map((name) => hear(name, put("goal"))),
      hear("goal.progress", (event) => this.#move(event)),
      hear("goal.completed", (event) => this.#move(event, true)),
      hear("goal.deleted", drop("goal")),
      ...["goal.invited", "goal.uninvited"].map((name) => hear(name, () => this.later())),
      hear("motivation_generated", (detail) => this.dispatchEvent(new CustomEvent("motivated", { detail }))),
      hear("diary.cleared", ({ at }) => this.#clear(at)),
    ];
  }

  dispose() {
    this.#ended = true;
    this.#turn += 1;
    clearTimeout(this.#timer);
    for (const stop of this.#stop) stop();
  }

  ask(command, payload = {}) {
    return this.#connection.request(NAMESPACE, command, payload);
  }

  /** Today where the account lives, as the server counts days. */
  get today() {
    return this.#dayOf(new Date());
  }

  /** The day that is shown. */
  get day() {
    return this.#date ?? this.today;
  }

  /** The day of a moment where the account lives. */
  #dayOf(moment) {
    return dayIn(this.summary?.time_zone, new Date(moment));
  }

  /** The hour and minute of a moment where the account lives, `18:30`. */
  #timeOf(moment) {
    const zone = this.summary?.time_zone;
    const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(zone ? { timeZone: zone } : {}) };
    return new Intl.DateTimeFormat("en-GB", options).format(moment);
  }

  /**
   * Read a day anew (null: today); false when another read has begun since.
   *
   * What events bring meanwhile stays, and what is not of the day leaves.
   */
  async reload(date = this.#date) {
    this.#turn += 1;
    const own = this.#turn;
    this.#date = date;
    this.#touched.clear();
    this.#leaveOtherDays();
    await this.#connection.settled();
    const read = (command, filter) => readAll((page) => this.ask(command, { ...filter, ...page }));
    // Which day today is, the summary says.
    const summary = this.ask("summary", { weeks: WEEKS }).then((found) => {
      if (own === this.#turn) this.summary = found;
      return found;
    });
    const ofDay = (run) => summary.then((found) => run(date ?? dayIn(found.time_zone)));
    const [, entries, open, done, goals, invitations] = await Promise.all([
      summary,
      ofDay((day) => read("list_entries", { from: day, to: day })),
      read("list_tasks", { done: false }),
      ofDay((day) => read("list_tasks", { done: true, completed_from: day, completed_to: day })),
      read("list_goals", {}),
      read("list_goal_invitations", {}),
    ]);
    if (own !== this.#turn) return false;
    this.invitations = invitations.items;
    this.cut = new Set(
      Object.entries({ entries, tasks: open, goals }).flatMap(([name, list]) => (list.more ? [name] : [])),
    );
    this.#fill("entry", entries.items);
    this.#fill("task", [...open.items, ...done.items]);
    this.#fill("goal", goals.items);
    this.readAt = Date.now();
    this.#changed();
    return true;
  }

  /** Read the summary again once events have come to rest: it is made of many things. */
  later() {
    if (this.#ended) return;
    this.#timer ??= setTimeout(async () => {
      this.#timer = null;
      const own = this.#turn;
      try {
        const [summary, invitations] = await Promise.all([
          this.ask("summary", { weeks: WEEKS }),
          readAll((page) => this.ask("list_goal_invitations", page)),
        ]);
        if (own !== this.#turn) return;
        this.summary = summary;
        this.invitations = invitations.items;
        this.#changed();
      } catch {
        // The next reload has it.
      }
    }, SUMMARY_MS);
  }

  /** An entry that is known, or undefined. */
  entry(id) {
    return this.entries.get(id) ?? this.found.get(id);
  }

  /**
   * A page of the entries that a search finds: `{text, tag, mood, from, to}`, each text or left out.
   *
   * What they become is followed in `found` until the next search.
   */
  async search({ text, tag, mood, from, to }, after = null) {
    if (after === null) this.#search += 1;
    const own = this.#search;
    const which = { tag, from, to, mood: mood && Number(mood), ...(text ? { text } : {}) };
    const filter = Object.fromEntries(Object.entries(which).filter(([, value]) => value));
    const command = text ? "search_entries" : "list_entries";
    const [page] = await readPage((part) => this.ask(command, { ...filter, ...part }), after, FOUND_PAGE);
    if (own !== this.#search) return page;
    if (after === null) this.found.clear();
    for (const item of page.items) this.found.set(item.id, item);
    return page;
  }

  /** What has become of entries that were found, without those that are gone. */
  inFound(items) {
    return items.map(({ id }) => this.found.get(id)).filter(Boolean);
  }

  /** The tags of all entries, the most used ones first. */
  async tags() {
    return (await this.ask("list_tags")).items.slice(0, TAGS_OFFERED).map(({ tag }) => tag);
  }

  /** The entries of the day that is shown, in the order in which they were written. */
  get entriesOfDay() {
    return [...this.entries.values()].filter((entry) => this.#isShown("entry", entry)).sort(byCreation);
  }

  /** Tasks for the day: those due by then, those without a day, and those done on it. */
  get tasksOfDay() {
    return [...this.tasks.values()]
      .filter((task) => this.#isShown("task", task))
      .filter((task) => task.done || !task.due_date || task.due_date <= this.day)
      .sort((a, b) => Number(a.done) - Number(b.done) || byCreation(a, b));
  }

  /** All goals, those to be reached first, the newest before the others. */
  get allGoals() {
    return [...this.goals.values()].sort((a, b) => Number(a.done) - Number(b.done) || byCreation(b, a));
  }

  /** Whether an open task should have been done: its day is over, or its time has come. */
  isLate({ done, due_date: date, due_time: time }) {
    if (done || !date || date > this.today) return false;
    return date < this.today || (time !== null && time <= this.#timeOf(new Date()));
  }

  /** What has fallen due, the latest first: `{id, taskId, title, dueAt, dueDate}`. */
  get notices() {
    return [...this.#notices.values()].reverse();
  }

  dismiss(id) {
    this.#notices.delete(id);
    this.#changed();
  }

  /** Make something, now or when the server is back; `kind` is what the answer is. */
  create(command, payload, kind) {
    const sent = this.#connection.send(NAMESPACE, command, payload);
    sent.done.then((item) => this.#put(kind, item)).catch(() => {});
    return sent;
  }

  async change(command, payload, kind) {
    const answer = await this.ask(command, payload);
    if (answer?.id) this.#put(kind, answer);
    return answer;
  }

  /**
   * Change what differs from a thing as it was when the change began, and nothing that somebody else
   * has changed since.
   *
   * Resolves to null when it is done, and else to `{now, mine, names}`: the thing as it is now, what is
   * wanted of it, and of which of that it has to be chosen.
   */
  async save(kind, before, values) {
    const mine = Object.fromEntries(Object.entries(values).filter(([name, value]) => !isEqual(name, value, before[name])));
    let { version } = before;
    for (let tries = 0; Object.keys(mine).length > 0; tries += 1) {
      try {
        await this.change(`update_${kind}`, { [`${kind}_id`]: before.id, ...mine, if_version: version }, kind);
        return null;
      } catch (error) {
        if (error.code !== "version_conflict" || tries === TRIES) throw error;
      }
      const now = await this.ask(`get_${kind}`, { [`${kind}_id`]: before.id });
      this.#put(kind, now);
      const wanted = Object.keys(mine).filter((name) => !isEqual(name, now[name], mine[name]));
      // The answer to what was sent before was lost, or others want the same.
      if (wanted.length === 0) return null;
      const names = wanted.filter((name) => !isEqual(name, now[name], before[name]));
      if (names.length > 0) return { now, mine, names };
      version = now.version;
    }
    return null;
  }

  /** Delete for good. */
  async remove(kind, id) {
    await this.ask(`delete_${kind}`, { [`${kind}_id`]: id });
    this.#drop(kind, id, Infinity);
  }

  motivate(challenge, stress) {
    return this.#connection.request(
      NAMESPACE,
      "request_motivation",
      { current_challenge: challenge, stress_level: stress },
      { timeoutMs: 30_000 },
    );
  }

  motivations(after) {
    return this.ask("list_motivations", { limit: MOTIVATIONS_PAGE, ...(after ? { after } : {}) });
  }

  /** Whether a thing is of what is shown: one day's entries, what was done on it and what is to do. */
  #isShown(kind, item) {
    if (kind === "entry") return item.date === this.day;
    if (kind === "task" && item.done) return !item.completed_at || this.#dayOf(item.completed_at) === this.day;
    return true;
  }

  /** Take over what an event or an answer has brought. */
  #put(kind, item) {
    if (!item || item.updated_at <= this.#clearedAt) return;
    this.#touched.add(item.id);
    const found = (this.found.get(item.id)?.version ?? Infinity) < item.version;
    if (found) this.found.set(item.id, item);
    if (!this.#keep(kind, item) && !found) return;
    this.later();
    this.#changed();
  }

  /** Keep the item if it is later than what is known of it; says whether it was. */
  #keep(kind, item) {
    const map = this[MAPS[kind]];
    if ((map.get(item.id)?.version ?? 0) >= item.version) return false;
    if ((this.#left.get(item.id) ?? 0) > item.version) return false;
    if (this.#isShown(kind, item)) {
      map.set(item.id, item);
      this.#left.delete(item.id);
    } else {
      map.delete(item.id);
      this.#leave(item.id, item.version);
    }
    return true;
  }

  /** A reminder comes once, and after a crash of the server perhaps again under the same id. */
  #fallDue({ reminder_id: id, task, due_at: dueAt }) {
    this.#put("task", task);
    if (this.#notices.has(id) || !isSame(this.tasks.get(task.id), task)) return;
    const { title, due_date: date, due_time: time } = task;
    // Of repetitions that went by untold the last is told; done is then what is due since then.
    const notice = { id, taskId: task.id, title, dueAt, dueDate: date, dueTime: time };
    this.#notices.set(id, notice);
    for (const oldest of this.#notices.keys()) {
      if (this.#notices.size <= NOTICES_MAX) break;
      this.#notices.delete(oldest);
    }
    this.dispatchEvent(new CustomEvent("due", { detail: notice }));
    this.#changed();
  }

  /** Note who came further with a goal. */
  #move({ goal, by }, reached = false) {
    this.#people.learn(by);
    if (this.goals.get(goal.id)?.version === goal.version) {
      this.movers.set(goal.id, { id: by.id, version: goal.version, at: goal.updated_at, reached });
    }
    if (reached) this.dispatchEvent(new CustomEvent("reached", { detail: { title: goal.title, by } }));
    this.#changed();
  }

  #drop(kind, id, version) {
    this.#touched.add(id);
    this.movers.delete(id);
    this.found.delete(id);
    const map = this[MAPS[kind]];
    if ((map.get(id)?.version ?? 0) > version) return;
    this.#leave(id, version + 1);
    map.delete(id);
    this.dispatchEvent(new CustomEvent("gone", { detail: { kind, id } }));
    this.later();
    this.#changed();
  }

  #leave(id, least) {
    const known = this.#left.get(id) ?? 0;
    this.#left.delete(id);
    this.#left.set(id, Math.max(known, least));
    for (const oldest of this.#left.keys()) {
      if (this.#left.size <= LEFT_MAX) break;
      this.#left.delete(oldest);
    }
  }

  /** Make a list that was read what is held of its kind, but for what has changed meanwhile. */
  #fill(kind, items) {
    const map = this[MAPS[kind]];
    const listed = new Set(items.map(({ id }) => id));
    for (const id of map.keys()) if (!listed.has(id) && !this.#touched.has(id)) map.delete(id);
    for (const item of items) this.#keep(kind, item);
  }

  /** What was held of another day is read again when one comes back to it. */
  #leaveOtherDays() {
    for (const [kind, name] of Object.entries(MAPS)) {
      for (const item of this[name].values()) {
        if (this.#isShown(kind, item)) continue;
        this[name].delete(item.id);
        this.#leave(item.id, item.version);
      }
    }
  }

  #clear(at) {
    this.#clearedAt = at;
    for (const name of Object.values(MAPS)) this[name].clear();
    this.found.clear();
    this.movers.clear();
    this.#changed();
    this.dispatchEvent(new Event("cleared"));
    this.reload().catch(() => {
      // What was deleted is gone from the screen; the next reload has the rest.
    });
  }

  #changed() {
    // A notice holds as long as its task is due as it was then.
    for (const [id, { taskId, dueDate, dueTime }] of this.#notices) {
      if (!isSame(this.tasks.get(taskId), { due_date: dueDate, due_time: dueTime })) this.#notices.delete(id);
    }
    this.dispatchEvent(new Event("changed"));
  }
}

/** Whether two values of a field are the same; of steps, whatever was done of them. */
function isEqual(name, ...values) {
  const [one, other] = values.map((value) => JSON.stringify(name === "steps" ? value.map(({ title }) => title) : (value ?? null)));
  return one === other;
}

/** Whether a task is still to be done, and due as another says. */
function isSame(task, { due_date: date, due_time: time }) {
  return Boolean(task) && !task.done && task.due_date === date && task.due_time === time;
}

function dayIn(zone, moment = new Date()) {
  // Of Canada's English, dates are written as the server writes them.
  return new Intl.DateTimeFormat("en-CA", zone ? { timeZone: zone } : {}).format(moment);
}

function byCreation(a, b) {
  return a.created_at.localeCompare(b.created_at) || a.id.localeCompare(b.id);
}
