/**
 * What the server calls things: the commands, routes, events and fields of chat, and nothing else.
 *
 * Conversations, messages and members leave here in the page's own shapes:
 *
 * - conversation `{id, kind: "channel"|"direct"|"group", private, request, title, createdBy,
 *   createdAt, last, seq, readSeq, unread, memberIds, status, memberCount}`
 * - message `{id, conversationId, seq, authorId, content, type, replyTo, mentions, attachments,
 *   reactions: [{emoji, userIds}], clientId, createdAt, editedAt, deletedAt, revision}`
 * - attachment `{id, name, contentType, kind: "image"|"video"|"audio", size}`
 * - member `{id, readSeq, status}`; names are learned by `lib/people.js`
 */

import { addressOf } from "../../lib/address.js";
import { hrefTo } from "../../lib/router.js";

const CHAT = "/chat";
const MEMBERS_PAGE = 100;
/** Members that are read of one channel: enough to say who has seen a message. */
const MEMBERS_MAX = 500;
export const PAGE = 50;
/** A message has this many attachments at most, all of one kind. */
export const ATTACHMENTS_MAX = 10;
export const CONTENT_MAX = 10_000;
/** What others see of somebody who types holds this long; it is repeated a little sooner. */
export const TYPING_MS = 5000;
export const TYPING_EVERY_MS = 3000;
export const STATUSES = ["available", "away", "busy"];

/** The chat of the signed-in account. */
export class ChatServer {
  #connection;
  #api;
  #people;

  constructor({ connection, api, people }) {
    this.#connection = connection;
    this.#api = api;
    this.#people = people;
  }

  /**
   * Hear what happens; `handlers` are named after what they hear. Returns what ends it.
   *
   * `message(message)`, `changed(message)`, `reaction({messageId, conversationId, emoji, userId,
   * revision, on})`, `read({conversationId, userId, seq})`, `ownRead({conversationId, readSeq,
   * unread})`, `typing({conversationId, userId})`, `present({conversationId, userId, on})`,
   * `status({userId, status})`, `ownStatus(status)`, `added(conversation)`, `member({conversationId,
   * userId, on})`, `answered({conversationId, accepted})`, `blocked({userId, on})`,
   * `mentioned(message)`, `shown({conversationId, userId})`
   */
  listen(handlers) {
    const wire = {
      new_message: (it) => handlers.message?.(this.#message(it)),
      message_updated: (it) => handlers.changed?.(this.#message(it)),
      message_deleted: (it) => handlers.changed?.(this.#message(it)),
      message_reacted: (it) => handlers.reaction?.(reactionOf(it, true)),
      message_unreacted: (it) => handlers.reaction?.(reactionOf(it, false)),
      message_read: (it) =>
        handlers.read?.({ conversationId: it.conversation_id, userId: it.user_id, seq: it.seq }),
      conversation_read: (it) => handlers.ownRead?.(readState(it)),
      typing: (it) => handlers.typing?.(this.#who(it)),
      channel_joined: (it) => handlers.present?.({ ...this.#who(it), on: true }),
      channel_left: (it) => handlers.present?.({ ...this.#who(it), on: false }),
      user_status_change: (it) => handlers.status?.({ ...this.#who(it), status: it.status }),
      own_status_change: (it) => handlers.ownStatus?.(it.status),
      conversation_added: (it) => handlers.added?.(conversationOf(it.conversation)),
      member_added: (it) => handlers.member?.({ ...this.#who(it), on: true }),
      member_left: (it) => handlers.member?.({ ...this.#who(it), on: false }),
      "request.answered": (it) =>
        handlers.answered?.({
          conversationId: it.conversation_id,
          accepted: it.answer === "accepted",
        }),
      "block.changed": (it) => handlers.blocked?.({ userId: it.blocked_user_id, on: it.blocked }),
      mentioned: (it) => handlers.mentioned?.(this.#message(it)),
      "contact.accepted": (it) => handlers.shown?.({ ...this.#who(it), status: it.status }),
    };
    const stops = Object.entries(wire).map(([event, run]) => this.#connection.on(CHAT, event, run));
    return () => stops.forEach((stop) => stop());
  }

  /** Hear the account's channels on this connection, also those it joins from now on. */
  async follow() {
    await this.#do("follow_channels");
  }

  /** A page of the account's conversations: `{items, next}`. */
  async conversations(after) {
    const page = await this.#do("list_conversations", { ...(after && { after }), limit: PAGE });
    return { items: page.items.map((item) => this.#listed(item)), next: page.next };
  }

  /** One conversation as the list has it; throws `conversation_not_found`, `channel_private`. */
  async conversation(id) {
    const item = await this.#api.get(`/api/v1/conversations/${encodeURIComponent(id)}`);
    return this.#listed(item);
  }

  /** A page of the channels that can be joined: `{items, next}`. */
  async channels(after) {
    const page = await this.#do("list_channels", { ...(after && { after }), limit: 100 });
    return { items: page.items.map(conversationOf), next: page.next };
  }

  /**
   * Join a channel: the latest messages, and who is here.
   *
   * `{items, seq, revision, more, readSeq, unread, present, presentCount}`
   */
  async join(id) {
    const it = await this.#do("join_channel", { channel_id: id });
    const items = it.messages.map((message) => this.#message(message));
    return {
      conversation: conversationOf(it.conversation),
      items,
      seq: it.seq,
      revision: it.revision,
      more: items.length > 0 && items.length >= PAGE,
      readSeq: it.read_seq,
      unread: it.unread,
      present: new Set(it.present.map((user) => this.#who(user).userId)),
      presentCount: it.present_count,
    };
  }

  /** A page of messages: `{items, seq, revision, more}`. */
  async history(id, { before, after, limit = PAGE } = {}) {
    const page = await this.#do("history", {
      conversation_id: id,
      ...(before != null && { before }),
      ...(after != null && { after }),
      limit,
    });
    const items = page.items.map((message) => this.#message(message));
    return { items, seq: page.seq, revision: page.revision, more: page.more };
  }

  /** Messages that were changed after a revision: `{items, revision, more}`. */
  async changes(id, revision) {
    const page = await this.#do("changes", { conversation_id: id, after: revision, limit: 100 });
    const items = page.messages.map((message) => this.#message(message));
    return { items, revision: page.revision, more: page.more };
  }

  /** One message, for what quotes it. */
  async message(id) {
    const answer = await this.#api.get(`/api/v1/messages/${encodeURIComponent(id)}`);
    return this.#message(answer.data ?? answer);
  }

  /** Messages with `text`, the latest first: `{items, before}`. */
  async search(id, text, before) {
    const page = await this.#do("search", {
      conversation_id: id,
      text,
      ...(before != null && { before }),
      limit: 30,
    });
    return { items: page.items.map((message) => this.#message(message)), before: page.before };
  }

  /** Messages that name the account, the latest first: `{items, next}`. */
  async mentions(after) {
    const page = await this.#do("list_mentions", { ...(after && { after }), limit: 30 });
    return { items: page.items.map((message) => this.#message(message)), next: page.next };
  }

  /** Who belongs to a conversation, as far as the page shows it. */
  async members(id) {
    const found = [];
    let after = "";
    do {
      const query = { conversation_id: id, limit: MEMBERS_PAGE, ...(after && { after }) };
      const page = await this.#do("list_members", query);
      found.push(...page.items.map((item) => this.#member(item)));
      after = page.next;
    } while (after && found.length < MEMBERS_MAX);
    return { items: found, more: Boolean(after) };
  }

  /** Send a message now or when the server is back: as `Connection.send`, `done` a message. */
  send({ conversationId, content, type, replyTo, attachments, clientId }) {
    const sent = this.#connection.send(CHAT, "send_message", {
      conversation_id: conversationId,
      content,
      message_type: type,
      reply_to: replyTo,
      attachments,
      client_id: clientId,
    });
    return { ...sent, done: sent.done.then((message) => this.#message(message)) };
  }

  async edit(messageId, content) {
    return this.#message(await this.#do("edit_message", { message_id: messageId, content }));
  }

  async remove(messageId) {
    return this.#message(await this.#do("delete_message", { message_id: messageId }));
  }

  /** Report a message to the operators, once: `{reason, note?}`. */
  async report(messageId, what) {
    await this.#do("report_message", { message_id: messageId, ...what });
  }

  async react(messageId, emoji, on) {
    const command = on ? "react" : "unreact";
    return this.#message(await this.#do(command, { message_id: messageId, emoji }));
  }

  /** Have read up to a message: `{conversationId, readSeq, unread}`. */
  async read(messageId) {
    return readState(await this.#do("message_read", { message_id: messageId }));
  }

  async type(conversationId) {
    await this.#do("typing", { conversation_id: conversationId });
  }

  async changeStatus(status) {
    await this.#do("status_change", { status });
  }

  /** Make a channel now or when the server is back: as `Connection.send`, `done` the channel. */
  createChannel({ name, title, isPrivate }) {
    return this.#make("create_channel", { name, private: isPrivate, ...(title && { title }) });
  }

  /** Begin a conversation with `people`: ids of accounts, or whole e-mail addresses. */
  createConversation(people, title) {
    return this.#make("create_conversation", { participants: people, ...(title && { title }) });
  }

  #make(command, payload) {
    const sent = this.#connection.send(CHAT, command, payload);
    return { ...sent, done: sent.done.then(conversationOf) };
  }

  async invite(conversationId, people) {
    await this.#do("invite", { conversation_id: conversationId, participants: people });
  }

  async leave(conversationId) {
    await this.#do("leave_conversation", { conversation_id: conversationId });
  }

  async accept(conversationId) {
    await this.#do("accept_conversation", { conversation_id: conversationId });
  }

  async decline(conversationId) {
    await this.#do("decline_conversation", { conversation_id: conversationId });
  }

  async block(userId, on) {
    await this.#do(on ? "block_user" : "unblock_user", { user_id: userId });
  }

  /** Accounts that are blocked: ids. */
  async blocked() {
    const found = [];
    let after = null;
    do {
      const page = await this.#do("list_blocked", { ...(after && { after }), limit: 100 });
      found.push(...page.items.map((item) => this.#who(item).userId));
      after = page.next;
    } while (after && found.length < MEMBERS_MAX);
    return found;
  }

  /** Upload a file into a conversation: an attachment that a message may name within an hour. */
  async upload(conversationId, file, { progress, signal }) {
    const form = new FormData();
    form.append("conversation_id", conversationId);
    form.append("file", file, file.name);
    return attachmentOf(await this.#api.upload("/api/v1/uploads", form, { progress, signal }));
  }

  /** The bytes of an attachment. */
  file(attachmentId) {
    return this.#api.blob(`/api/v1/uploads/${encodeURIComponent(attachmentId)}`);
  }

  #do(command, payload) {
    return this.#connection.request(CHAT, command, payload);
  }

  #listed(item) {
    return {
      ...conversationOf(item),
      last: item.last_message && this.#message(item.last_message),
    };
  }

  #message(it) {
    this.#people.learn({ id: it.author_id, name: it.author_name });
    return {
      id: it.id,
      conversationId: it.conversation_id,
      seq: it.seq,
      authorId: it.author_id,
      content: it.content,
      type: it.message_type,
      replyTo: it.reply_to,
      mentions: it.mentions,
      attachments: it.attachments.map(attachmentOf),
      reactions: it.reactions.map(({ emoji, user_ids: userIds }) => ({ emoji, userIds })),
      clientId: it.client_id,
      createdAt: it.created_at,
      editedAt: it.edited_at,
      deletedAt: it.deleted_at,
      revision: it.revision,
    };
  }

  #member(it) {
    const { userId: id } = this.#who(it);
    return { id, readSeq: it.read_seq, status: it.status ?? null };
  }

  #who(it) {
    this.#people.learn({ id: it.user_id, name: it.user_name });
    return { conversationId: it.conversation_id, userId: it.user_id };
  }
}

/** The link of a message or conversation, to be passed on. */
export function linkTo(conversationId, seq) {
  const hash = hrefTo("chat", conversationId, ...(seq ? [String(seq)] : []));
  return new URL(hash, addressOf("/")).href;
}

function conversationOf(it) {
  return {
    id: it.id,
    kind: it.kind,
    private: it.private,
    request: it.request,
    title: it.title,
    createdBy: it.created_by,
    createdAt: it.created_at,
    last: null,
    seq: it.seq ?? 0,
    readSeq: it.read_seq ?? 0,
    unread: it.unread ?? 0,
    memberIds: it.member_ids ?? null,
    status: it.status ?? null,
    memberCount: it.member_count ?? null,
  };
}

function attachmentOf(it) {
  return {
    id: it.id,
    name: it.name,
    contentType: it.content_type,
    kind: it.content_type.split("/")[0],
    size: it.size,
  };
}

function reactionOf(it, on) {
  return {
    messageId: it.message_id,
    conversationId: it.conversation_id,
    emoji: it.emoji,
    userId: it.user_id,
    revision: it.revision,
    on,
  };
}

function readState(it) {
  return { conversationId: it.conversation_id, readSeq: it.read_seq, unread: it.unread };
}
