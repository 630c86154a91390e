/** One row of the message list: a message, sent or not, with the day and line above it. */

import { el, icon, setText } from "../../lib/dom.js";
import { describe, sentences } from "../../lib/forms.js";
import { clock, day, full } from "../../lib/format.js";
import { avatar, personName } from "../../lib/people.js";
import { attachmentView, uploadView } from "./media.js";
import { summaryOf } from "./names.js";
import { isJumbo, textNodes } from "./text.js";

/** Messages of one author that are not further apart stand under one name. */
const TOGETHER_MS = 5 * 60_000;

/**
 * The rows of a timeline and what is unsent: `{key, message|entry, seq, isOwn, at, newDay, unread,
 * grouped, waits}`.
 */
export function rowsOf(timeline, outbox) {
  const sent = new Set(timeline.messages.map((message) => message.clientId).filter(Boolean));
  const rows = timeline.messages.map((message) => ({
    // An own message keeps the row that it had while it was unsent.
    key: message.clientId ?? `m${message.seq}`,
    message,
    seq: message.seq,
    authorId: message.authorId,
    isOwn: message.authorId === timeline.me,
    at: message.createdAt,
  }));
  if (timeline.atEnd) {
    for (const entry of outbox.of(timeline.id)) {
      if (sent.has(entry.clientId)) continue;
      rows.push({
        key: entry.clientId,
        entry,
        seq: null,
        authorId: timeline.me,
        isOwn: true,
        at: entry.at,
        waits: outbox.waits(entry),
      });
    }
  }
  let before = null;
  for (const row of rows) {
    row.newDay = !before || dayOf(before.at) !== dayOf(row.at);
    row.unread =
      timeline.unreadAfter !== null &&
      row.seq > timeline.unreadAfter &&
      (!before || (before.seq !== null && before.seq <= timeline.unreadAfter)) &&
      !row.isOwn;
    row.grouped =
      !row.newDay &&
      !row.unread &&
      before.authorId === row.authorId &&
      Date.parse(row.at) - Date.parse(before.at) < TOGETHER_MS &&
      !row.message?.replyTo &&
      !row.entry?.replyTo;
    before = row;
  }
  return rows;
}

function dayOf(at) {
  return new Date(at).toDateString();
}

/** Makes rows and keeps them up to date, part by part: what plays or is focused stays. */
export class RowMaker {
  #ctx;
  #room;

  /** @param room `{timeline, files, near, quote(messageId), act: {…}}` */
  constructor(ctx, room) {
    this.#ctx = ctx;
    this.#room = room;
  }

  make(row) {
    const parts = {
      day: el("div", { class: "chat-day", hidden: true }),
      line: el("div", { class: "chat-line", hidden: true }, el("span", {}, this.#t("new.line"))),
      gutter: el("div", { class: "chat-gutter" }),
      head: el("div", { class: "chat-head" }),
      quote: el("div", { class: "chat-quote-place" }),
      text: el("p", { class: "chat-text", dir: "auto" }),
      media: el("div", { class: "chat-media" }),
      foot: el("div", { class: "chat-foot" }),
      reactions: el("div", { class: "chat-reactions" }),
      failed: el("div", { class: "chat-failed" }),
    };
    const node = el(
      "li",
      { class: "chat-row", tabindex: -1 },
      parts.day,
      parts.line,
      el(
        "div",
        { class: "chat-message" },
        parts.gutter,
        el(
          "div",
          { class: "chat-main" },
          parts.head,
          el(
            "div",
            { class: "chat-bubble" },
            parts.quote,
            parts.text,
            parts.media,
            parts.foot,
          ),
          parts.reactions,
          parts.failed,
        ),
      ),
    );
    node.parts = parts;
    node.drawn = {};
    this.update(node, row);
    return node;
  }

  update(node, row) {
    const { message, entry } = row;
    const { parts } = node;
    node.row = row;
    if (row.seq !== null) node.dataset.seq = row.seq;
    node.classList.toggle("own", row.isOwn);
    node.classList.toggle("grouped", row.grouped);
    node.classList.toggle("unsent", Boolean(entry));
    node.classList.toggle("failed", entry?.state === "failed");
    node.classList.toggle("deleted", Boolean(message?.deletedAt));
    node.classList.toggle("calls-me", Boolean(message?.mentions.includes(this.#room.timeline.me)));
    parts.line.hidden = !row.unread;
    this.#part(node, "day", row.newDay && dayOf(row.at) + dayOf(Date.now()), () => {
      parts.day.hidden = !row.newDay;
      parts.day.replaceChildren(el("span", {}, row.newDay ? day(row.at) : ""));
    });
    this.#part(node, "head", [row.grouped, row.authorId, row.at], () => this.#head(parts, row));
    this.#part(node, "quote", (message ?? entry).replyTo, () =>
      this.#quote(parts.quote, (message ?? entry).replyTo),
    );
    const said = message ?? entry;
    const names = said.mentions?.map((id) => this.#ctx.people.name(id));
    this.#part(node, "text", [said.content, said.deletedAt, names], () =>
      this.#text(parts.text, said),
    );
    const media = entry?.uploads.length
      ? entry.clientId
      : said.attachments.map((attachment) => attachment.id).join();
    this.#part(node, "media", media, () => this.#media(parts.media, said));
    this.#part(node, "foot", this.#footKey(row), () => this.#foot(parts.foot, row));
    this.#part(node, "reactions", message?.deletedAt ? [] : message?.reactions, () =>
      this.#reactions(node, message),
    );
    this.#part(node, "failed", entry?.state === "failed" && entry.error, () =>
      this.#failed(parts.failed, entry),
    );
  }

  #part(node, name, value, draw) {
    const key = JSON.stringify(value ?? null);
    if (node.drawn[name] === key) return;
    node.drawn[name] = key;
    const had = node.parts[name].contains(document.activeElement);
    draw();
    if (had && !node.contains(document.activeElement)) node.focus({ preventScroll: true });
    const stop = node.tabIndex === 0 ? 0 : -1;
    for (const inner of node.parts[name].querySelectorAll("a, button, input")) inner.tabIndex = stop;
  }

  #head({ head, gutter }, row) {
    const time = el("time", { datetime: row.at, title: full(row.at) }, clock(row.at));
    if (row.grouped) {
      head.replaceChildren();
      gutter.replaceChildren(time);
      return;
    }
    gutter.replaceChildren(avatar(row.authorId, { size: 36 }));
    head.replaceChildren(personName(row.authorId, { class: "chat-author" }), " ", time);
  }

  #quote(place, replyTo) {
    place.replaceChildren();
    if (!replyTo) return;
    const name = el("bdi", { class: "chat-author" });
    const text = el("bdi", { class: "cut" });
    const button = el("button", { type: "button", class: "chat-quote", tabindex: -1 }, name, text);
    place.append(button);
    this.#room.quote(replyTo).then(
      (quoted) => {
        name.replaceWith(personName(quoted.authorId, { class: "chat-author" }));
        text.textContent = summaryOf(this.#ctx, quoted);
        button.addEventListener("click", () => this.#room.act.jump(quoted.seq));
      },
      () => setText(text, this.#t("quote.missing")),
    );
  }

  #text(place, { content, deletedAt, mentions }) {
    place.classList.toggle("jumbo", !deletedAt && isJumbo(content));
    place.hidden = !deletedAt && !content;
    if (deletedAt) return place.replaceChildren(this.#t("message.deleted"));
    const called = (mentions ?? []).map((id) => ({ id, name: this.#ctx.people.get(id)?.name }));
    place.replaceChildren(...textNodes(content, called, this.#room.timeline.me));
  }

  #media(place, { attachments, uploads, deletedAt }) {
    const { files, near } = this.#room;
    const tools = { files, near, t: this.#ctx.t };
    const shown = deletedAt
      ? []
      : uploads?.length
        ? uploads.map((upload) => uploadView(upload, this.#ctx.t))
        : attachments.map((attachment) => attachmentView(attachment, tools));
    place.hidden = shown.length === 0;
    place.classList.toggle("many", shown.length > 1);
    place.replaceChildren(...shown);
  }

  #footKey(row) {
    const { message, entry } = row;
    if (entry) return [entry.state, row.waits];
    return [message.editedAt, row.isOwn && this.#room.timeline.seenBy(message).length, message.deletedAt];
  }

  #foot(place, row) {
    const { message, entry } = row;
    const time = el("time", { class: "chat-when", datetime: row.at, title: full(row.at) }, clock(row.at));
    const edited =
      message?.editedAt &&
      !message.deletedAt &&
      el("span", { class: "chat-edited", title: full(message.editedAt) }, this.#t("message.edited"));
    place.replaceChildren(
      ...[edited, time, row.isOwn && !message?.deletedAt && this.#tick(message, entry, row)].filter(Boolean),
    );
  }

  #tick(message, entry, row) {
    if (entry?.state === "failed") return icon("alert", { size: 16, label: this.#t("tick.failed") });
    if (entry) {
      const label = row.waits ? this.#t("waiting") : this.#t("tick.sending");
      return el("span", { class: "chat-tick", title: label }, icon("clock", { size: 15, label }));
    }
    const seen = this.#room.timeline.seenBy(message);
    const names = seen.slice(0, 3).map((id) => this.#ctx.people.name(id)).join(", ");
    const rest = seen.length - 3;
    const label = seen.length
      ? this.#t("tick.seen", { names: rest > 0 ? `${names} +${rest}` : names })
      : this.#t("tick.sent");
    return el(
      "button",
      {
        type: "button",
        class: ["chat-tick", seen.length && "seen"],
        tabindex: -1,
        title: label,
        "aria-label": label,
        onclick: () => this.#room.act.seen(message),
      },
      icon(seen.length ? "check-double" : "check", { size: 16 }),
    );
  }

  #reactions(node, message) {
    const place = node.parts.reactions;
    const reactions = message && !message.deletedAt ? message.reactions : [];
    place.hidden = reactions.length === 0;
    // Kept by their emoji, so that the focus stays on one that is pressed.
    const known = new Map([...place.children].map((child) => [child.dataset.emoji, child]));
    const shown = reactions.map(({ emoji, userIds }) => {
      const mine = userIds.includes(this.#room.timeline.me);
      const names = userIds.slice(0, 8).map((id) => this.#ctx.people.name(id)).join(", ");
      const chip =
        known.get(emoji) ??
        el(
          "button",
          {
            type: "button",
            class: "chat-reaction arrived",
            tabindex: -1,
            dataset: { emoji },
            onclick: () => this.#room.act.react(node.row.message, emoji),
          },
          el("span", { "aria-hidden": "true" }, emoji),
          el("span", { class: "numbers", "aria-hidden": "true" }),
          el("span", { class: "unseen" }),
        );
      setText(chip.children[1], String(userIds.length));
      setText(chip.lastElementChild, this.#t("reaction.by", { emoji, names, count: userIds.length }));
      chip.setAttribute("aria-pressed", String(mine));
      chip.title = names;
      return chip;
    });
    for (const [emoji, chip] of known) {
      if (!reactions.some((each) => each.emoji === emoji)) chip.remove();
    }
    shown.forEach((chip, index) => {
      if (place.children[index] !== chip) place.insertBefore(chip, place.children[index] ?? null);
    });
  }

  #failed(place, entry) {
    place.hidden = entry?.state !== "failed";
    if (place.hidden) return place.replaceChildren();
    const { act } = this.#room;
    place.replaceChildren(
      el("span", { role: "alert" }, this.#reason(entry.error)),
      el(
        "button",
        { type: "button", class: "quiet small", tabindex: -1, onclick: () => act.retry(entry) },
        this.#t("failed.retry"),
      ),
      el(
        "button",
        { type: "button", class: "quiet small danger", tabindex: -1, onclick: () => act.discard(entry) },
        this.#t("failed.discard"),
      ),
    );
  }

  #reason(error) {
    return reasonOf(this.#ctx.t, error);
  }

  #t(key, values) {
    return this.#ctx.t(key, values);
  }
}

const OWN_REASONS = new Set([
  "media_type_refused",
  "media_unreadable",
  "too_large",
  "upload_quota_exceeded",
  "user_blocked",
  "conversation_not_found",
  "message_not_found",
  "channel_private",
  "channel_taken",
  "too_many_reactions",
  "too_many_lookups",
  "too_many_members",
  "too_many_uploads",
]);

/** Why something was refused, in the reader's words. */
export function reasonOf(t, error) {
  if (OWN_REASONS.has(error.code)) return t(`refused.${error.code}`);
  const fields = Object.values(error.fields ?? {});
  return fields.length ? fields.map(sentences).join(" ") : describe(error);
}
