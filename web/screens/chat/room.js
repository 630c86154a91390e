/** One conversation: its head, its messages and where they are written. */

import { announce, el, icon, reconcile, setText } from "../../lib/dom.js";
import { emptyNote, errorNote, skeletonOf } from "../../lib/listview.js";
import { clock } from "../../lib/format.js";
import { confirmDialog } from "../../lib/dialog.js";
import { avatar, people } from "../../lib/people.js";
import { reportDialog } from "../../lib/report.js";
import { toast } from "../../lib/toast.js";
import { Actions } from "./actions.js";
import { composer } from "./composer.js";
import { otherOf } from "./conversations.js";
import { seenDialog } from "./dialogs.js";
import { head, signOf } from "./head.js";
import { Files, Near, silence } from "./media.js";
import { nameOf, summaryOf } from "./names.js";
import { requestBar } from "./requests.js";
import { RowMaker, reasonOf, rowsOf } from "./rows.js";
import { Scroll } from "./scroll.js";
import { searchPanel } from "./search.js";
import { Timeline } from "./timeline.js";

const SKELETON_MS = 150;
/** What is on screen this long is read. */
const READ_MS = 250;
/** What comes within this time is said to screen readers as one. */
const SAY_MS = 900;
const FLASH_MS = 1600;

/**
 * Show a conversation.
 *
 * `shared` is `{store, outbox}` of the screen; `seq` a message to jump to. Returns `{element, jump,
 * catchUp, dispose, id}`.
 */
export function room(ctx, shared, id, seq = null) {
  const { t } = ctx;
  const { store, outbox } = shared;
  const timeline = new Timeline(store, id);
  const files = new Files(store.server);
  const quotes = new Map();
  let newCount = 0;
  let opened = false;
  let drawing = null;
  let reading = null;
  let saying = null;
  let unsaid = [];
  let ended = false;
  let search = null;
  let isListed = Boolean(store.get(id));

  const rows = el("ol", { class: "chat-rows", "aria-label": t("messages.label") });
  const beginning = el("div", { class: "chat-beginning", hidden: true });
  const status = el("div", { class: "chat-status" });
  const space = el("div", { class: "chat-space" }, status, beginning, rows);
  const scroller = el("div", { class: "chat-scroller" }, space);
  const near = new Near(scroller);
  const scroll = new Scroll(scroller, rows, () => timeline.atEnd);
  const typing = el("p", { class: "chat-typing", "aria-live": "off" });
  const jumpButton = el(
    "button",
    { type: "button", class: "chat-jump", hidden: true, onclick: toEnd },
    el("span"),
    icon("down", { size: 18 }),
  );
  const foot = el("div", { class: "chat-foot-place" });
  const top = head(ctx, { store, timeline, openSearch, leave: () => ctx.go() });
  const body = el("div", { class: "chat-body" }, scroller, jumpButton);
  const drop = el("div", { class: "chat-drop", hidden: true, "aria-hidden": "true" }, icon("attach", { size: 28 }), t("composer.drop"));
  const element = el(
    "section",
    { class: "chat-room", "aria-label": t("conversation.label") },
    top.element,
    body,
    typing,
    foot,
    drop,
  );

  const act = {
    jump: (to) => jump(to),
    seen: (message) => seenDialog(ctx, timeline, message),
    retry: ({ clientId }) => outbox.retry(clientId),
    discard({ clientId }) {
      const entry = outbox.discard(clientId);
      // What was written is not lost with the attempt to send it.
      if (entry?.content && writer) writer.put(entry.content);
    },
    react: (message, emoji) =>
      timeline.react(message, emoji).catch((error) => toast(reasonOf(t, error), { kind: "error" })),
    reply: (message) => writer?.reply(message),
    edit: (message) => writer?.edit(message),
    report: (message) =>
      reportDialog({
        title: t("report.message"),
        send: (what) =>
          store.server.report(message.id, what).catch((error) => {
            throw Object.assign(error, { message: reasonOf(t, error) });
          }),
      }),
    async remove(message) {
      const wanted = await confirmDialog({
        title: t("delete.title"),
        text: summaryOf(ctx, message),
        action: t("delete"),
        danger: true,
      });
      if (!wanted) return;
      timeline.remove(message).catch((error) => toast(reasonOf(t, error), { kind: "error" }));
    },
  };
  const maker = new RowMaker(ctx, { timeline, files, near, quote, act });
  const actions = new Actions(ctx, { rows, timeline, act, focusComposer: () => writer?.focus() });
  let writer = null;
  let writerKind = "";

  function quote(messageId) {
    const known = timeline.find(messageId);
    if (known) return Promise.resolve(known);
    if (!quotes.has(messageId)) {
      const found = store.server.message(messageId);
      found.catch(() => quotes.delete(messageId));
      quotes.set(messageId, found);
    }
    return quotes.get(messageId);
  }

  // Drawing

  function drawSoon() {
    drawing ??= requestAnimationFrame(() => {
      drawing = null;
      draw();
    });
  }

  function draw() {
    if (ended) return;
    const { state } = timeline;
    if (state === "ready" && !timeline.isMember && store.get(id)) timeline.entered();
    if (timeline.conversation) document.title = `${titled()} · ${t("screen.chat")}`;
    top.draw();
    drawStatus();
    const shown = state === "failed" ? [] : rowsOf(timeline, outbox);
    reconcile(rows, shown, {
      key: (row) => row.key,
      make: (row) => maker.make(row),
      update: (node, row) => maker.update(node, row),
    });
    actions.settle();
    drawTyping();
    drawFoot();
    if (!opened && state === "ready") arrive();
    else scroll.hold();
    drawJump();
    more();
  }

  function titled() {
    const name = nameOf(ctx, timeline.conversation, store.me);
    return timeline.conversation.kind === "channel" ? `#${name}` : name;
  }

  function drawStatus() {
    const { state } = timeline;
    const away = ["reconnecting", "offline"].includes(ctx.connection.state.kind);
    rows.classList.toggle("stale", away && state === "ready");
    beginning.hidden = state !== "ready" || !timeline.atStart;
    if (!beginning.hidden) drawBeginning();
    if (state === "failed") status.replaceChildren(failure());
    else if (away && state === "ready") {
      if (!status.querySelector(".as-of")) {
        status.replaceChildren(el("p", { class: "as-of" }, t("list.stale", { time: clock(Date.now()) })));
      }
    } else if (state === "ready") status.replaceChildren();
  }

  function failure() {
    const { code } = timeline.error;
    if (code === "conversation_not_found" || code === "channel_private") {
      return emptyNote({
        text: t(`refused.${code}`),
        action: { label: t("room.back"), run: () => ctx.go() },
        symbol: "chat",
      });
    }
    return errorNote(timeline.error, () => timeline.catchUp());
  }

  function drawBeginning() {
    const { conversation } = timeline;
    const name = nameOf(ctx, conversation, store.me);
    const kind = conversation.kind;
    const other = kind === "direct" && otherOf(conversation, store.me);
    const key = JSON.stringify([name, other, conversation.title]);
    if (beginning.dataset.shown === key) return;
    beginning.dataset.shown = key;
    const parts = [
      other
        ? avatar(other, { size: 56 })
        : el("span", { class: "chat-sign large" }, icon(signOf(conversation), { size: 28 })),
      el("h3", {}, el("bdi", {}, kind === "channel" ? `#${conversation.id}` : name)),
      kind === "channel" && conversation.title && el("p", { dir: "auto" }, conversation.title),
      el("p", { class: "muted" }, t(`beginning.${kind}`, { name: kind === "channel" ? `#${name}` : name })),
    ];
    beginning.replaceChildren(...parts.filter(Boolean));
  }

  function drawTyping() {
    const names = timeline.typing.map((who) => people.name(who));
    const text =
      names.length === 0
        ? ""
        : names.length <= 2
          ? t("typing.some", { names: names.join(", "), count: names.length })
          : t("typing.many");
    setText(typing, text);
  }

  function drawFoot() {
    const { conversation } = timeline;
    const kind = footKind();
    if (kind === writerKind) return;
    writerKind = kind;
    if (kind !== "write") {
      writer?.dispose();
      writer = null;
    }
    if (kind === "write") {
      writer = composer(ctx, {
        id,
        timeline,
        server: store.server,
        outbox,
        quote,
        sent: toEnd,
        lastOwn: () =>
          timeline.messages.findLast((message) => message.authorId === store.me && !message.deletedAt),
      });
      foot.replaceChildren(writer.element);
      if (matchMedia("(min-width: 960px) and (pointer: fine)").matches && seq === null) writer.focus();
    } else if (kind === "request") {
      foot.replaceChildren(requestBar(ctx, store, timeline));
    } else if (kind === "join") {
      const join = el("button", { type: "button", class: "primary" }, t("channel.join", { name: id }));
      join.addEventListener("click", async () => {
        join.setAttribute("aria-busy", "true");
        await timeline.join().catch((error) => toast(reasonOf(t, error), { kind: "error" }));
        join.removeAttribute("aria-busy");
      });
      foot.replaceChildren(el("div", { class: "chat-ask" }, el("p", {}, t("channel.preview")), join));
    } else if (kind === "blocked") {
      const other = otherOf(conversation, store.me);
      const unblock = el("button", { type: "button" }, t("block.undo"));
      unblock.addEventListener("click", () =>
        store.server.block(other, false).catch((error) => toast(reasonOf(t, error), { kind: "error" })),
      );
      foot.replaceChildren(el("div", { class: "chat-ask" }, el("p", {}, t("block.done")), unblock));
    } else foot.replaceChildren();
  }

  function footKind() {
    const { conversation, state } = timeline;
    if (!conversation || state === "failed" || (state === "loading" && !opened)) return "";
    if (conversation.request) return "request";
    if (!timeline.isMember) return "join";
    const other = conversation.kind === "direct" && otherOf(conversation, store.me);
    return other && store.isBlocked(other) ? "blocked" : "write";
  }

  function drawJump() {
    const away = opened && !scroll.pinned;
    const count = newCount + timeline.missed;
    jumpButton.hidden = !away;
    if (!away) return;
    setText(jumpButton.firstElementChild, count ? t("new.count", { count }) : "");
    jumpButton.setAttribute("aria-label", count ? t("new.jump", { count }) : t("new.end"));
    jumpButton.classList.toggle("has-new", count > 0);
  }

  // Moving

  /** Stand where one reads on: at the message asked for, the unread line, or the end. */
  function arrive() {
    opened = true;
    const line = rows.querySelector(".chat-line:not([hidden])");
    if (seq !== null) point(seq);
    else if (line) scroll.show(line, 0.3);
    else scroll.toEnd();
    readSoon();
  }

  async function jump(to) {
    try {
      const found = await timeline.jump(to);
      draw();
      if (found) point(to);
      else toast(t("refused.message_not_found"));
    } catch (error) {
      toast(reasonOf(t, error), { kind: "error" });
    }
  }

  function point(to) {
    const row = rows.querySelector(`[data-seq="${Number(to)}"]`);
    if (!row) return scroll.toEnd();
    scroll.show(row, 0.35);
    actions.choose(row);
    row.focus({ preventScroll: true });
    row.classList.add("found");
    setTimeout(() => row.classList.remove("found"), FLASH_MS);
  }

  async function toEnd() {
    try {
      await timeline.toEnd();
    } catch (error) {
      return toast(reasonOf(t, error), { kind: "error" });
    }
    newCount = 0;
    scroll.pinned = true;
    draw();
    scroll.toEnd();
    readSoon();
  }

  /** Read on ahead of the reader. */
  function more() {
    if (timeline.state !== "ready" || !opened) return;
    const ahead = scroller.clientHeight * 1.5;
    if (scroller.scrollTop < ahead && !timeline.atStart) timeline.loadOlder().catch(() => {});
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    if (below < ahead && !timeline.atEnd) timeline.loadNewer().catch(() => {});
  }

  function onScroll() {
    if (scroll.pinned) newCount = 0;
    drawJump();
    more();
    readSoon();
  }

  function readSoon() {
    reading ??= setTimeout(() => {
      reading = null;
      markRead();
    }, READ_MS);
  }

  function markRead() {
    if (ended || document.visibilityState !== "visible" || !opened || !timeline.isMember) return;
    const last = scroll.pinned
      ? timeline.last
      : timeline.messages.findLast(({ seq: each }) => scroll.isSeen(each));
    if (last) store.markRead(last);
  }

  function onArrived({ detail: message }) {
    const isOwn = message.authorId === store.me;
    if (isOwn) return;
    const hidden = document.visibilityState !== "visible";
    if (!scroll.pinned) newCount += timeline.atEnd ? 1 : 0;
    if (hidden && (timeline.unreadAfter === null || timeline.unreadAfter < (store.get(id)?.readSeq ?? 0))) {
      timeline.markUnreadFrom(message.seq - 1);
    }
    if (!hidden) sayLater(message);
    readSoon();
  }

  function sayLater(message) {
    unsaid.push(message);
    saying ??= setTimeout(() => {
      saying = null;
      const [first] = unsaid;
      const text =
        unsaid.length === 1
          ? `${people.name(first.authorId)}: ${summaryOf(ctx, first)}`
          : t("new.count", { count: unsaid.length });
      unsaid = [];
      announce(text);
    }, SAY_MS);
  }

  // Searching

  function openSearch() {
    if (search) return closeSearch();
    search = searchPanel(ctx, { store, id, close: closeSearch, jump: (to) => jump(to) });
    body.append(search.element);
    search.focus();
  }

  function closeSearch() {
    search?.element.remove();
    search?.dispose();
    search = null;
    top.focusSearch();
  }

  // Files that are dropped anywhere on the conversation

  const isFiles = (event) => event.dataTransfer?.types.includes("Files") && writer;
  element.addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  element.addEventListener("dragleave", (event) => {
    if (!element.contains(event.relatedTarget)) drop.hidden = true;
  });
  element.addEventListener("drop", (event) => {
    drop.hidden = true;
    if (!isFiles(event)) return;
    event.preventDefault();
    writer.addFiles(event.dataTransfer.files);
  });

  // Beginning and end

  const onOutbox = ({ detail }) => detail === id && drawSoon();
  const onSent = ({ detail: { message, entry } }) => {
    entry.uploads.forEach((upload, index) => {
      const attachment = message.attachments[index];
      if (attachment) files.keep(attachment, upload.file);
    });
    timeline.apply(message);
  };
  const onStore = () => {
    const fresh = store.get(id);
    // One was just let in where one could not read.
    if (fresh && !isListed && timeline.state === "failed") timeline.catchUp();
    if (fresh && !timeline.conversation) isListed = true;
    if (fresh && timeline.conversation) {
      const wasRequest = timeline.conversation.request;
      timeline.conversation = fresh;
      if (wasRequest && !fresh.request) timeline.accepted();
      isListed = true;
    } else if (isListed && store.state === "ready") {
      // It was left, or declined, at another device.
      isListed = false;
      timeline.lost();
    }
    drawSoon();
  };
  const onState = () => {
    // What could not be read for want of a connection is read when there is one.
    if (ctx.connection.state.kind === "live" && timeline.state === "failed") timeline.catchUp();
    drawSoon();
  };
  const onVisible = () => document.visibilityState === "visible" && readSoon();
  timeline.addEventListener("change", drawSoon);
  timeline.addEventListener("arrived", onArrived);
  outbox.addEventListener("change", onOutbox);
  outbox.addEventListener("sent", onSent);
  store.addEventListener("change", onStore);
  people.addEventListener("change", drawSoon);
  ctx.connection.addEventListener("state", onState);
  document.addEventListener("visibilitychange", onVisible);
  scroll.moved = onScroll;
  const skeleton = setTimeout(() => {
    if (timeline.state === "loading") status.replaceChildren(skeletonOf(6));
  }, SKELETON_MS);
  timeline.open(seq);

  return {
    element,
    id,
    timeline,
    jump,
    catchUp: () => timeline.catchUp(),
    dispose() {
      // What was on screen a moment ago has been read.
      if (reading) markRead();
      ended = true;
      clearTimeout(skeleton);
      clearTimeout(reading);
      clearTimeout(saying);
      cancelAnimationFrame(drawing);
      silence();
      timeline.dispose();
      timeline.removeEventListener("change", drawSoon);
      outbox.removeEventListener("change", onOutbox);
      outbox.removeEventListener("sent", onSent);
      store.removeEventListener("change", onStore);
      people.removeEventListener("change", drawSoon);
      ctx.connection.removeEventListener("state", onState);
      document.removeEventListener("visibilitychange", onVisible);
      writer?.dispose();
      search?.dispose();
      actions.dispose();
      scroll.dispose();
      near.dispose();
      files.dispose();
      element.remove();
    },
  };
}

