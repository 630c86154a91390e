/** The messages of one conversation: a window of them, kept up to date, without the DOM. */

import { PAGE } from "./data.js";
import { Typists } from "./typists.js";

/** More than this are not held: those at the far end are read again when they are wanted. */
const MAX_LOADED = 400;
/** What was missed while away is read in so many pages; beyond, the reader scrolls to it. */
const CATCH_UP_PAGES = 3;

/**
 * Emits `change`, and `arrived` (detail: a message) when somebody has just written.
 *
 * `messages` are in the order of `seq`, which may skip numbers. `atStart` and `atEnd` say whether
 * the window reaches the ends. `state` is `loading`, `ready` or `failed` (with `error`).
 */
export class Timeline extends EventTarget {
  #store;
  #server;
  #stop;
  #loading = null;
  #typing = new Typists(() => this.#changed());
  #ended = false;
  #asked = null;
  id;
  me;
  state = "loading";
  error = null;
  conversation = null;
  isMember = false;
  messages = [];
  atStart = false;
  atEnd = true;
  /** Messages that came while the window did not reach the end. */
  missed = 0;
  revision = 0;
  /** The unread line stands after the message with this seq; null without one. */
  unreadAfter = null;
  members = new Map();
  hasMoreMembers = false;
  present = new Set();
  presentCount = 0;

  constructor(store, id) {
    super();
    this.#store = store;
    this.#server = store.server;
    this.id = id;
    this.me = store.me;
    this.#stop = this.#server.listen(this.#handlers());
  }

  dispose() {
    this.#ended = true;
    this.#stop();
    this.#typing.dispose();
  }

  get first() {
    return this.messages[0] ?? null;
  }

  get last() {
    return this.messages.at(-1) ?? null;
  }

  find(messageId) {
    return this.messages.find((message) => message.id === messageId);
  }

  /** Who types now: ids. */
  get typing() {
    return this.#typing.keys;
  }

  /** Who has read a message, without the reader: ids. */
  seenBy(message) {
    return [...this.members.values()]
      .filter(({ id, readSeq }) => readSeq >= message.seq && id !== this.me && id !== message.authorId)
      .map(({ id }) => id);
  }

  /** Read the conversation; `seq` is a message to be in the window, else it is the end. */
  async open(seq = null) {
    this.state = "loading";
    this.error = null;
    this.#asked = seq;
    // What is heard from now on is kept, whatever page it belongs to.
    this.atEnd = true;
    this.#changed();
    try {
      await this.#store.ready();
      const found = this.#store.get(this.id) ?? (await this.#server.conversation(this.id));
      if (this.#ended) return;
      // It may have come into the list in the meantime.
      const listed = this.#store.get(this.id);
      this.conversation = listed ?? found;
      this.isMember = Boolean(listed) || found.kind !== "channel";
      const page = await this.#latest();
      if (this.#ended) return;
      this.revision = page.revision;
      const held = this.messages;
      this.#take(page);
      // What was heard while the page was on its way.
      for (const message of held) this.#apply(message);
      const { readSeq, unread } = this.conversation;
      if (this.isMember && unread > 0 && readSeq > 0) this.unreadAfter = readSeq;
      // Only then: where one stands is settled once, with the first view.
      if (seq !== null) await this.#around(seq);
      else if (this.unreadAfter !== null && this.first?.seq > readSeq && !this.atStart) {
        // The line of what is unread is to be in the window, as far as it is near.
        await this.#older();
      }
      if (this.#ended) return;
      this.state = "ready";
    } catch (error) {
      if (this.#ended) return;
      this.state = "failed";
      this.error = error;
    }
    this.#changed();
    this.#readMembers();
  }

  /** Have the message with this seq in the window; whether there is such a one. */
  async jump(seq) {
    if (!this.#has(seq)) {
      await this.#around(seq);
      this.#changed();
    }
    return this.#has(seq);
  }

  /** Read the page before the window. */
  loadOlder() {
    if (this.atStart || this.state !== "ready") return Promise.resolve();
    return this.#once(() => this.#older());
  }

  /** Read the page after the window. */
  loadNewer() {
    if (this.atEnd || this.state !== "ready") return Promise.resolve();
    return this.#once(async () => {
      const page = await this.#server.history(this.id, { after: this.last?.seq ?? 0 });
      this.#merge(page.items);
      this.atEnd = !page.more;
      if (this.atEnd) this.missed = 0;
      if (this.messages.length > MAX_LOADED) {
        this.messages = this.messages.slice(-MAX_LOADED);
        this.atStart = false;
      }
    });
  }

  /** Have the latest messages in the window. */
  async toEnd() {
    if (this.atEnd) return;
    this.#take(await this.#server.history(this.id));
    this.#changed();
  }

  /** Read what was missed, so that the window is what a fresh load would show. */
  async catchUp() {
    // What is being read is fresh; what failed is read again as it was asked for.
    if (this.state === "loading") return;
    if (this.state === "failed") return this.open(this.#asked);
    const { conversation } = this;
    try {
      if (this.isMember && conversation.kind === "channel" && !conversation.request) {
        this.#takePresence(await this.#server.join(this.id));
      }
      if (this.atEnd) await this.#fill();
      await this.#change();
    } catch (error) {
      // What cannot be read any more says so; what failed for the moment is tried again.
      if (["conversation_not_found", "channel_private"].includes(error.code)) {
        this.state = "failed";
        this.error = error;
      }
    }
    this.#changed();
    await this.#readMembers();
  }

  /** Take over a message that this page has sent, edited or deleted. */
  apply(message) {
    if (message.conversationId !== this.id) return;
    this.#apply(message);
    this.#changed();
  }

  /** Add or remove an own reaction at once; the server's answer settles it. */
  async react(message, emoji) {
    const on = !message.reactions.find((each) => each.emoji === emoji)?.userIds.includes(this.me);
    const before = message.reactions;
    message.reactions = withReaction(before, emoji, this.me, on);
    this.#changed();
    try {
      this.apply(await this.#server.react(message.id, emoji, on));
    } catch (error) {
      message.reactions = before;
      this.#changed();
      throw error;
    }
  }

  async edit(message, content) {
    this.apply(await this.#server.edit(message.id, content));
  }

  async remove(message) {
    this.apply(await this.#server.remove(message.id));
  }

  /** Join the channel that was looked at. */
  async join() {
    const snapshot = await this.#server.join(this.id);
    this.isMember = true;
    this.#store.add({ ...this.conversation, ...snapshot.conversation, request: false });
    await this.open();
  }

  /** Note that the request has been accepted. */
  accepted() {
    this.conversation = { ...this.conversation, request: false };
    this.isMember = true;
    this.#changed();
    this.catchUp();
  }

  /** Note that the account has become a member at another device. */
  entered() {
    this.isMember = true;
    this.#changed();
    this.catchUp();
  }

  /** Note that the account is no member any more. */
  lost() {
    const { kind, private: isPrivate } = this.conversation ?? {};
    if (kind === "channel" && !isPrivate) this.isMember = false;
    else if (kind !== "direct") {
      this.state = "failed";
      this.error = { code: "conversation_not_found" };
    }
    this.#changed();
  }

  /** Begin the unread line anew: what comes from now on is below it. */
  markUnreadFrom(seq) {
    this.unreadAfter = seq;
  }

  #handlers() {
    const here = (run) => (event) => event.conversationId === this.id && run(event);
    return {
      message: here((message) => {
        this.#typing.delete(message.authorId);
        const member = this.members.get(message.authorId);
        if (member) member.readSeq = Math.max(member.readSeq, message.seq);
        this.#apply(message);
        this.#changed();
        this.dispatchEvent(new CustomEvent("arrived", { detail: message }));
      }),
      changed: here((message) => {
        this.#apply(message);
        this.#changed();
      }),
      reaction: here((event) => this.#onReaction(event)),
      read: here(({ userId, seq }) => {
        const member = this.members.get(userId) ?? { id: userId, readSeq: 0, status: null };
        member.readSeq = Math.max(member.readSeq, seq);
        this.members.set(userId, member);
        this.#changed();
      }),
      typing: here(({ userId }) => this.#onTyping(userId)),
      present: here(({ userId, on }) => {
        if (on === this.present.has(userId)) return;
        if (on) this.present.add(userId);
        else this.present.delete(userId);
        this.presentCount += on ? 1 : -1;
        this.#changed();
      }),
      status: ({ userId, status }) => this.#onStatus(userId, status),
      shown: here(() => this.#readMembers()),
      member: here(({ userId, on }) => {
        if (!on) this.members.delete(userId);
        else if (!this.members.has(userId)) {
          this.members.set(userId, { id: userId, readSeq: 0, status: null });
          this.#readMembers();
        }
        this.#changed();
      }),
    };
  }

  #onReaction({ messageId, emoji, userId, revision, on }) {
    const message = this.find(messageId);
    if (!message || message.deletedAt || revision <= message.revision) return;
    message.reactions = withReaction(message.reactions, emoji, userId, on);
    this.#changed();
  }

  #onTyping(userId) {
    if (userId === this.me) return;
    this.#typing.add(userId);
    this.#changed();
  }

  #onStatus(userId, status) {
    const member = this.members.get(userId);
    if (!member || member.status === null) return;
    member.status = status;
    this.#changed();
  }

  /** Read the end of the conversation, and hear it from then on. */
  async #latest() {
    const { kind, request } = this.conversation;
    // Joining a channel by its name accepts it, so what one was only asked into is read from aside.
    if (kind !== "channel" || !this.isMember || request) return this.#server.history(this.id);
    const snapshot = await this.#server.join(this.id);
    this.#takePresence(snapshot);
    const { readSeq, unread } = snapshot;
    this.conversation = { ...this.conversation, readSeq, unread };
    return snapshot;
  }

  #takePresence({ present, presentCount }) {
    this.present = present;
    this.presentCount = presentCount;
  }

  async #around(seq) {
    const half = Math.floor(PAGE / 2);
    this.#take(await this.#server.history(this.id, { before: seq + half }));
  }

  async #older() {
    const page = await this.#server.history(this.id, { before: this.first?.seq ?? 0 });
    this.#merge(page.items);
    this.atStart = !page.more;
    if (this.messages.length > MAX_LOADED) {
      this.messages = this.messages.slice(0, MAX_LOADED);
      this.atEnd = false;
    }
  }

  /** Read what came after the window. */
  async #fill() {
    for (let page = 0; page < CATCH_UP_PAGES; page += 1) {
      const after = this.last?.seq ?? 0;
      const { items, more } = await this.#server.history(this.id, { after });
      this.#merge(items);
      if (!more) return;
    }
    this.atEnd = false;
  }

  /** Apply the changes to messages that were missed. */
  async #change() {
    let more = true;
    while (more) {
      const page = await this.#server.changes(this.id, this.revision);
      for (const message of page.items) if (this.#has(message.seq)) this.#apply(message);
      this.revision = page.revision;
      more = page.more;
    }
  }

  async #readMembers() {
    if (this.state !== "ready") return;
    try {
      const { items, more } = await this.#server.members(this.id);
      if (this.#ended) return;
      const before = this.members;
      this.members = new Map(
        items.map((member) => {
          const readSeq = Math.max(member.readSeq, before.get(member.id)?.readSeq ?? 0);
          return [member.id, { ...member, readSeq }];
        }),
      );
      this.hasMoreMembers = more;
    } catch {
      // Ticks and dots are missing then; the next catch-up reads them.
    }
    this.#changed();
  }

  #once(load) {
    this.#loading ??= load()
      .then(() => this.#changed())
      .finally(() => {
        this.#loading = null;
      });
    return this.#loading;
  }

  #take({ items, seq, more }) {
    this.messages = items;
    this.atStart = !more;
    this.atEnd = (this.last?.seq ?? 0) >= seq;
    if (this.atEnd) this.missed = 0;
  }

  #merge(items) {
    for (const message of items) this.#apply(message, { inside: true });
  }

  #apply(message, { inside = false } = {}) {
    const at = this.messages.findIndex((known) => known.seq >= message.seq);
    const known = at >= 0 && this.messages[at].seq === message.seq ? this.messages[at] : null;
    if (known) {
      if (message.revision >= known.revision) {
        // Events tell nobody else's client_id; the own one is kept.
        this.messages[at] = { ...message, clientId: message.clientId ?? known.clientId };
      }
      return;
    }
    if (inside) {
      if (at < 0) this.messages.push(message);
      else this.messages.splice(at, 0, message);
      return;
    }
    // A message before the window is no part of it.
    if (at === 0 && !this.atStart) return;
    if (at >= 0) this.messages.splice(at, 0, message);
    else if (this.atEnd) this.messages.push(message);
    else this.missed += 1;
    if (this.messages.length > MAX_LOADED + PAGE) {
      this.messages = this.messages.slice(-MAX_LOADED);
      this.atStart = false;
    }
  }

  #has(seq) {
    return this.messages.some((message) => message.seq === seq);
  }

  #changed() {
    if (!this.#ended) this.dispatchEvent(new Event("change"));
  }
}

/** The reactions after one was given or taken back. */
export function withReaction(reactions, emoji, userId, on) {
  const found = reactions.find((each) => each.emoji === emoji);
  if (!found) return on ? [...reactions, { emoji, userIds: [userId] }] : reactions;
  const others = found.userIds.filter((id) => id !== userId);
  const userIds = on ? [...others, userId] : others;
  return reactions
    .map((each) => (each === found ? { emoji, userIds } : each))
    .filter((each) => each.userIds.length > 0);
}
