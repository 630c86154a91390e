/** The list of conversations: read once, then kept by events; what is unread is counted from it. */

import { isUnanswered } from "../../lib/answers.js";
import { perSession } from "../../lib/session.js";
import { ChatServer } from "./data.js";
import { Typists } from "./typists.js";

/** More conversations than this are only found by search. */
const MAX = 500;

/** The conversations of the signed-in account: one list for the badge and for the screen. */
export const conversationsOf = perSession((ctx) => new Conversations(ctx));

/** Emits `change`; `state` is `loading`, `ready` or `failed` (with `error`). */
export class Conversations extends EventTarget {
  #items = new Map();
  #mentions = new Map();
  #blocked = new Set();
  #typists = new Typists(() => this.#changed());
  /** By conversation, the last message seen of which the server does not know yet. */
  #unsaidReads = new Map();
  #stop = [];
  #turn = 0;
  #reading = false;
  #connection;
  server;
  me;
  state = "loading";
  error = null;
  ownStatus = "available";
  /** When the list was last equal to the server's. */
  readAt = null;

  constructor(ctx) {
    super();
    this.#connection = ctx.connection;
    this.server = new ChatServer(ctx);
    this.me = ctx.session.user.id;
    this.#stop.push(this.server.listen(this.#handlers()));
    const catchUp = () => this.reload();
    const state = () => this.#onState();
    // Who is available is not sent again to one that was away.
    for (const event of ["catchup", "recovered"]) ctx.connection.addEventListener(event, catchUp);
    ctx.connection.addEventListener("state", state);
    this.#stop.push(() => {
      for (const event of ["catchup", "recovered"]) ctx.connection.removeEventListener(event, catchUp);
      ctx.connection.removeEventListener("state", state);
    });
    this.#onState();
  }

  /** Resolves once the list has been read, or could not be. */
  ready() {
    if (this.state !== "loading") return Promise.resolve();
    return new Promise((resolve) => {
      const check = () => {
        if (this.state === "loading") return;
        this.removeEventListener("change", check);
        resolve();
      };
      this.addEventListener("change", check);
    });
  }

  dispose() {
    this.#turn += 1;
    for (const stop of this.#stop.splice(0)) stop();
    this.#typists.dispose();
    this.#items.clear();
  }

  /** Accepted ones, the latest active first. */
  get accepted() {
    return this.#sorted((each) => !each.request);
  }

  /** Those one was asked into and has not answered. */
  get requests() {
    return this.#sorted((each) => each.request);
  }

  get(id) {
    return this.#items.get(id);
  }

  /** The direct conversation with an account. */
  directWith(userId) {
    return [...this.#items.values()].find(
      (each) => each.kind === "direct" && otherOf(each, this.me) === userId,
    );
  }

  /** What is unread in all of them; a request counts once, however much was written. */
  get unread() {
    let count = 0;
    for (const each of this.#items.values()) {
      count += each.request ? Number(each.unread > 0) : each.unread;
    }
    return count;
  }

  /** Whether an unread message of a conversation names the account. */
  isMentioned(id) {
    return (this.#mentions.get(id) ?? 0) > (this.#items.get(id)?.readSeq ?? 0);
  }

  /** Who types in a conversation: ids. */
  typing(id) {
    const [mark, own] = [`${id} `, this.me];
    return this.#typists.keys
      .filter((key) => key.startsWith(mark))
      .map((key) => key.slice(mark.length))
      .filter((userId) => userId !== own);
  }

  isBlocked(userId) {
    return this.#blocked.has(userId);
  }

  get blocked() {
    return [...this.#blocked];
  }

  /** Read the list anew; what is shown stays until the answer is there. */
  async reload() {
    this.#turn += 1;
    const turn = this.#turn;
    this.#reading = true;
    try {
      // Followed first: what is said from then on is heard, what was said before is in the list.
      await this.server.follow();
      await Promise.all([...this.#unsaidReads.values()].map((message) => this.#sayRead(message)));
      const found = new Map();
      let after = null;
      do {
        const page = await this.server.conversations(after);
        if (turn !== this.#turn) return;
        for (const item of page.items) found.set(item.id, item);
        after = page.next;
      } while (after && found.size < MAX);
      const [mentions, blocked] = await Promise.all([
        this.server.mentions(),
        this.server.blocked(),
      ]);
      if (turn !== this.#turn) return;
      for (const [id, item] of found) {
        found.set(id, merged(this.#items.get(id), item));
      }
      this.#items = found;
      this.#blocked = new Set(blocked);
      this.#mentions.clear();
      for (const message of mentions.items) this.#noteMention(message);
      this.state = "ready";
      this.error = null;
      this.readAt = Date.now();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.error = error;
      if (this.state !== "ready") this.state = "failed";
    } finally {
      if (turn === this.#turn) this.#reading = false;
    }
    this.#changed();
  }

  /** Take over a conversation that the account belongs to. */
  add(conversation) {
    this.#items.set(conversation.id, merged(this.#items.get(conversation.id), conversation));
    this.#changed();
    const followed = conversation.kind === "channel" ? this.server.follow() : Promise.resolve();
    followed.catch(() => {}).then(() => this.refresh(conversation.id));
  }

  /** Read one conversation anew. */
  async refresh(id) {
    try {
      const fresh = await this.server.conversation(id);
      const known = this.#items.get(id);
      if (!known) return;
      this.#items.set(id, merged(known, fresh));
      this.#changed();
    } catch {
      // The next catch-up reads it.
    }
  }

  remove(id) {
    if (this.#items.delete(id)) this.#changed();
  }

  /** Have read up to a message of a conversation. */
  async markRead(message) {
    const known = this.#items.get(message.conversationId);
    if (!known || known.request || message.seq <= known.readSeq) return;
    // At once here: a badge that waits for the answer flickers.
    known.readSeq = message.seq;
    if (message.seq >= known.seq) known.unread = 0;
    this.#changed();
    await this.#sayRead(message);
  }

  /** Tell the server; what cannot be said now is said before the list is read anew. */
  async #sayRead(message) {
    this.#unsaidReads.set(message.conversationId, message);
    try {
      this.#onOwnRead(await this.server.read(message.id));
    } catch (error) {
      if (isPassing(error)) return;
    }
    if (this.#unsaidReads.get(message.conversationId) === message) {
      this.#unsaidReads.delete(message.conversationId);
    }
  }

  #handlers() {
    return {
      message: (message) => {
        this.#typists.delete(`${message.conversationId} ${message.authorId}`);
        this.#onMessage(message);
      },
      typing: ({ conversationId, userId }) => {
        this.#typists.add(`${conversationId} ${userId}`);
        this.#changed();
      },
      changed: (message) => this.#onChanged(message),
      ownRead: (state) => this.#onOwnRead(state),
      status: ({ userId, status }) => this.#onStatus(userId, status),
      shown: ({ conversationId }) => this.refresh(conversationId),
      ownStatus: (status) => {
        this.ownStatus = status;
        this.#changed();
      },
      added: (conversation) => this.add(conversation),
      member: ({ conversationId, userId, on }) => this.#onMember(conversationId, userId, on),
      answered: ({ conversationId, accepted }) => {
        const known = this.#items.get(conversationId);
        if (!accepted) this.remove(conversationId);
        else if (known) {
          known.request = false;
          this.#changed();
          this.refresh(conversationId);
        } else this.#adopt(conversationId);
      },
      blocked: ({ userId, on }) => {
        if (on) this.#blocked.add(userId);
        else this.#blocked.delete(userId);
        this.#changed();
      },
      mentioned: (message) => {
        this.#noteMention(message);
        this.#changed();
      },
    };
  }

  #onMessage(message) {
    const known = this.#items.get(message.conversationId);
    if (!known) return this.#adopt(message.conversationId);
    const isOwn = message.authorId === this.me;
    const isNew = message.seq > known.seq;
    if (isNew) {
      known.seq = message.seq;
      known.last = message;
      if (!isOwn && message.seq > known.readSeq) known.unread += 1;
    }
    // Whoever writes has read up to it; a list that was read just before may not know.
    if (isOwn && message.seq > known.readSeq) {
      known.readSeq = message.seq;
      if (message.seq >= known.seq) known.unread = 0;
    }
    if (isNew || isOwn) this.#changed();
  }

  #onChanged(message) {
    const known = this.#items.get(message.conversationId);
    if (!known) return;
    const { last } = known;
    const isNewer = last?.id === message.id && message.revision > last.revision;
    if (message.deletedAt && message.seq > known.readSeq && message.authorId !== this.me) {
      known.unread = Math.max(0, known.unread - 1);
    }
    if (isNewer) known.last = message;
    this.#changed();
  }

  #onOwnRead({ conversationId, readSeq, unread }) {
    const known = this.#items.get(conversationId);
    if (!known || readSeq < known.readSeq) return;
    known.readSeq = readSeq;
    known.unread = unread;
    this.#changed();
  }

  #onStatus(userId, status) {
    const direct = this.directWith(userId);
    if (!direct) return;
    direct.status = status;
    this.#changed();
  }

  #onMember(conversationId, userId, on) {
    const known = this.#items.get(conversationId);
    if (userId === this.me) {
      if (on && !known) this.#adopt(conversationId);
      if (!on) this.remove(conversationId);
      return;
    }
    if (!known?.memberIds) return;
    const others = known.memberIds.filter((id) => id !== userId);
    known.memberIds = on ? [...others, userId] : others;
    this.#changed();
  }

  /** A conversation that is not in the list yet. */
  async #adopt(id) {
    try {
      // One that was made elsewhere is not followed yet.
      await this.server.follow();
      const found = await this.server.conversation(id);
      if (!this.#items.has(id)) this.#items.set(id, found);
      this.#changed();
    } catch {
      // It was left meanwhile, or the next catch-up reads it.
    }
  }

  #noteMention(message) {
    const known = this.#mentions.get(message.conversationId) ?? 0;
    if (message.seq > known) this.#mentions.set(message.conversationId, message.seq);
  }

  #onState() {
    // The first connection brings no catch-up, and what failed is tried again.
    const isDue = this.state !== "ready" || this.error;
    if (this.#connection.state.kind === "live" && isDue && !this.#reading) this.reload();
    this.#changed();
  }

  #sorted(wanted) {
    return [...this.#items.values()].filter(wanted).sort((one, other) => {
      const [left, right] = [one, other].map((each) => each.last?.createdAt ?? each.createdAt);
      return left < right ? 1 : left > right ? -1 : 0;
    });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** The other side of a direct conversation. */
export function otherOf(conversation, me) {
  return conversation.memberIds?.find((id) => id !== me) ?? null;
}

/** What was read, with what events have said in the meantime: they may be faster than an answer. */
function merged(known, fresh) {
  if (!known || (known.seq <= fresh.seq && known.readSeq <= fresh.readSeq)) return fresh;
  const { last, seq } = known.seq > fresh.seq ? known : fresh;
  const readSeq = Math.max(known.readSeq, fresh.readSeq);
  return { ...fresh, last, seq, readSeq, unread: readSeq >= seq ? 0 : known.unread };
}

/** Whether a command that failed so may succeed when it is sent again. */
function isPassing(error) {
  return isUnanswered(error) || ["unavailable", "too_many_requests"].includes(error.code);
}
