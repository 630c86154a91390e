/** What the server knows of notifications: commands, events, fields. No DOM here. */

import { isUnanswered } from "../../lib/answers.js";

const NAMESPACE = "/market";
const PAGE = 30;

/**
 * The inbox and the archive, newest first. Emits `changed` whenever they or `unread` have changed, and
 * `arrived` (detail: the item) with a new notification.
 *
 * An item is `{id, type, title, message, link, created_at, read, archived}`. Events and answers may
 * cross: of several counts the one with the highest revision holds, and what an event said since a
 * page was asked for is applied to the page. What the reader does holds at once; while away it waits.
 */
export class Inbox extends EventTarget {
  #connection;
  #stop;
  #revision = -1;
  #heard = new Set();
  #waiting = new Map();
  items = [];
  archived = [];
  unread = 0;

  constructor({ connection }) {
    super();
    this.#connection = connection;
    const hear = (name) => connection.on(NAMESPACE, name, (event) => this.#hear(name, event));
    this.#stop = ["notification", "notification.read", "notification.archived"].map(hear);
    const state = () => connection.state.kind === "live" && this.#again();
    connection.addEventListener("state", state);
    this.#stop.push(() => connection.removeEventListener("state", state));
  }

  dispose() {
    for (const stop of this.#stop) stop();
    this.#waiting.clear();
  }

  async count() {
    await this.#connection.settled();
    this.#counted(await this.#ask("count_unread"));
    this.#tell();
  }

  /** A page of the inbox or the archive; `next` of the one before, or null for the first. */
  async page(after, { archived = false } = {}) {
    const heard = [];
    this.#heard.add(heard);
    try {
      const query = { limit: PAGE, ...(archived && { archived }), ...(after && { after }) };
      const page = await this.#ask("list_notifications", query);
      const list = archived ? "archived" : "items";
      const known = new Set(after ? this[list].map(({ id }) => id) : []);
      const fresh = page.items.filter(({ id }) => !known.has(id));
      this[list] = after ? [...this[list], ...fresh] : fresh;
      for (const [name, event] of heard) if (event.revision > page.revision) this.#apply(name, event);
      for (const { apply } of this.#waiting.values()) apply();
      this.#counted(page);
      this.#tell();
      const shown = new Set(this[list].map(({ id }) => id));
      return { items: after ? fresh.filter(({ id }) => shown.has(id)) : this[list], next: page.next };
    } finally {
      this.#heard.delete(heard);
    }
  }

  async read(item) {
    if (item.read) return;
    const apply = () => this.#mark([[item.id, item.id]]);
    await this.#do(`read ${item.id}`, "read_notification", { id: item.id }, apply);
  }

  /** Mark all as read that have come so far. */
  async readAll() {
    const newest = Math.max(0, ...this.items.map(({ id }) => id));
    const apply = () => this.#mark([[0, newest]]);
    await this.#do("read all", "read_all_notifications", newest ? { up_to: newest } : {}, apply);
  }

  async archive(item) {
    const apply = () => this.#putAway(item.id);
    await this.#do(`archive ${item.id}`, "archive_notification", { id: item.id }, apply);
  }

  /** Types and whether they are wanted: `{type: true}`. */
  preferences() {
    return this.#ask("get_notification_preferences");
  }

  setPreference(type, wanted) {
    return this.#ask("update_notification_preferences", { [type]: wanted });
  }

  #ask(command, payload = {}) {
    return this.#connection.request(NAMESPACE, command, payload);
  }

  /** Show what is wanted at once, and have it done; it is undone when it is refused. */
  async #do(key, command, payload, apply) {
    const before = [this.items.map((item) => ({ ...item })), [...this.archived], this.unread];
    apply();
    this.#tell();
    try {
      this.#counted(await this.#ask(command, payload));
      this.#waiting.delete(key);
    } catch (error) {
      // It is asked for again when the server is back.
      if (isUnanswered(error)) this.#waiting.set(key, { command, payload, apply });
      else {
        this.#waiting.delete(key);
        [this.items, this.archived, this.unread] = before;
        this.#tell();
        throw error;
      }
    }
    this.#tell();
  }

  /** Do what could not be done while away. */
  #again() {
    for (const [key, { command, payload, apply }] of [...this.#waiting]) {
      this.#do(key, command, payload, apply).catch(() => {});
    }
  }

  #hear(name, event) {
    for (const heard of this.#heard) heard.push([name, event]);
    this.#apply(name, event);
    this.#counted(event);
    this.#tell();
  }

  #apply(name, event) {
    if (name === "notification.read") this.#mark(event.ranges);
    else if (name === "notification.archived") this.#putAway(event.id);
    else this.#arrive(event);
  }

  #arrive({ unread: _unread, user_id: _account, revision: _revision, ...item }) {
    const known = [...this.items, ...this.archived].some(({ id }) => id === item.id);
    if (known) return;
    const fresh = { ...item, read: false, archived: false };
    this.items = [fresh, ...this.items].sort((one, other) => other.id - one.id);
    this.dispatchEvent(new CustomEvent("arrived", { detail: fresh }));
  }

  #mark(ranges) {
    const within = ({ id }) => ranges.some(([first, last]) => id >= first && id <= last);
    for (const item of this.items) {
      if (item.read || !within(item)) continue;
      item.read = true;
      this.unread = Math.max(0, this.unread - 1);
    }
  }

  #putAway(id) {
    const item = this.items.find((known) => known.id === id);
    if (!item) return;
    if (!item.read) this.unread = Math.max(0, this.unread - 1);
    this.items = this.items.filter((known) => known !== item);
    this.archived = [{ ...item, read: true, archived: true }, ...this.archived].sort((one, other) => other.id - one.id);
  }

  #counted({ unread, revision }) {
    if (revision < this.#revision) return;
    this.#revision = revision;
    this.unread = unread;
  }

  #tell() {
    this.dispatchEvent(new Event("changed"));
  }
}

/** The types of notifications as people look for them; those that no group names stand in `other`. */
export const GROUPS = {
  offers: ["match_created", "offer_expiring"],
  buying: ["order_created", "order_shipped", "payment_succeeded", "payment_failed", "order_refunded"],
  selling: ["order_paid", "order_delivered", "payout_completed", "payment_returned"],
  both: ["order_reminder", "order_cancelled", "order_complaint"],
};

/** The icon of a type. */
export function symbolOf(type) {
  if (type.includes("ship") || type.includes("deliver")) return "truck";
  if (type.startsWith("pay") || type.includes("paid") || type.includes("refund")) return "card";
  if (type.includes("reminder") || type.includes("expiring")) return "clock";
  if (type.includes("complaint") || type.includes("cancel")) return "flag";
  return type === "match_created" ? "check-double" : "box";
}
