/** The list of conversations, with what is unread, and a search that finds people and channels too. */

import { bdi, el, icon, reconcile } from "../../lib/dom.js";
import { badge, clock, date, day } from "../../lib/format.js";
import { roving } from "../../lib/keys.js";
import { emptyNote, errorNote, skeletonOf } from "../../lib/listview.js";
import { menuOf } from "../../lib/menu.js";
import { avatar, people } from "../../lib/people.js";
import { findPeople } from "../../lib/picker.js";
import { kept } from "../../lib/session.js";
import { toast } from "../../lib/toast.js";
import { answered } from "./answered.js";
import { otherOf } from "./conversations.js";
import { STATUSES } from "./data.js";
import {
  blockedDialog,
  browseChannels,
  mentionsDialog,
  newChannel,
  newConversation,
} from "./dialogs.js";
import { signOf } from "./head.js";
import { nameOf, summaryOf } from "./names.js";
import { reasonOf } from "./rows.js";
import { foldName } from "./text.js";

const SKELETON_MS = 150;
const TYPED_MS = 300;
/** The people and channels that were found for a text, besides one's own conversations. */
const NOTHING = { text: "", people: [], channels: [] };

/** Build the side: `{element, open(id), dispose}`. */
export function conversationList(ctx, { store, outbox }) {
  const { t } = ctx;
  let openId = null;
  let drawing = null;
  let found = NOTHING;
  let looking = null;
  let turn = 0;

  const filter = el("input", {
    type: "search",
    class: "chat-filter",
    placeholder: t("search"),
    "aria-label": t("list.search"),
    enterkeyhint: "search",
  });
  const add = iconButton("plus", t("list.new"));
  menuOf(add, () => [
    { label: t("new.message"), icon: "edit", run: later(() => newConversation(ctx, store)) },
    { label: t("channel.new"), icon: "hash", run: later(() => newChannel(ctx, store)) },
    { label: t("channels.title"), icon: "search", run: later(() => browseChannels(ctx, store)) },
  ]);
  const own = iconButton("more", t("list.options"));
  own.classList.add("chat-own");
  menuOf(own, () => [
    ...STATUSES.map((status) => ({
      label: t(`presence.${status}`),
      checked: store.ownStatus === status,
      run: () => store.server.changeStatus(status).catch(fail),
    })),
    null,
    { label: t("mentions.title"), icon: "flag", run: later(() => mentionsDialog(ctx, store)) },
    { label: t("blocked.title"), icon: "block", run: later(() => blockedDialog(ctx, store)) },
  ]);
  const status = el("div", { class: "chat-list-status" });
  const sections = el("div", { class: "chat-sections" });
  const element = el(
    "nav",
    { class: "side chat-side", "aria-label": t("list.label") },
    el("div", { class: "chat-side-bar" }, filter, add, own),
    status,
    sections,
  );
  const settle = roving(sections, ".chat-entry", { direction: "vertical" });

  function iconButton(symbol, label) {
    return el(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label },
      icon(symbol, { size: 20 }),
    );
  }

  function later(run) {
    return () => setTimeout(run);
  }

  function fail(error) {
    toast(reasonOf(t, error), { kind: "error" });
  }

  function drawSoon() {
    drawing ??= requestAnimationFrame(() => {
      drawing = null;
      draw();
    });
  }

  function draw() {
    const wanted = foldName(filter.value.trim());
    const away = ["reconnecting", "offline"].includes(ctx.connection.state.kind);
    sections.classList.toggle("stale", away && store.readAt !== null);
    drawOwn();
    const named = (conversation) => foldName(nameOf(ctx, conversation, store.me) + conversation.id);
    const keep = (conversation) => !wanted || named(conversation).includes(wanted);
    const accepted = store.accepted.filter(keep);
    const requests = store.requests.filter(keep);
    const known = new Set(store.accepted.map((each) => otherOf(each, store.me)));
    const strangers = wanted
      ? found.people.filter((id) => !known.has(id)).map((id) => ({ id: `p${id}`, person: id }))
      : [];
    const channels = wanted ? found.channels.filter(({ id }) => !store.get(id)) : [];
    const groups = [
      { id: "requests", label: t("list.requests"), items: requests },
      { id: "all", label: wanted ? t("list.found") : null, items: accepted },
      { id: "people", label: t("list.people"), items: strangers },
      { id: "channels", label: t("list.channels"), items: channels },
    ].filter(({ items }) => items.length > 0);
    drawStatus(groups.length, wanted, away);
    reconcile(sections, groups, {
      key: ({ id }) => id,
      make: (group) => {
        const node = el(
          "section",
          {},
          el("h2", { class: "chat-section" }, el("span"), el("span", { class: "badge inline", hidden: true })),
          el("ul", { class: "chat-list" }),
        );
        update(node, group);
        return node;
      },
      update,
    });
    settle();
  }

  function update(node, { id, label, items }) {
    const [heading, list] = node.children;
    heading.hidden = !label;
    heading.firstElementChild.textContent = label ?? "";
    heading.lastElementChild.hidden = id !== "requests";
    heading.lastElementChild.textContent = badge(items.length);
    list.setAttribute("aria-label", label ?? t("list.label"));
    reconcile(list, items, {
      key: (item) => item.id,
      make: (item) => {
        const row = el("li", {}, id === "people" ? personEntry(item) : entry(item));
        if (id !== "people") drawEntry(row, item);
        return row;
      },
      update: (row, item) => id !== "people" && drawEntry(row, item),
    });
  }

  function entry(conversation) {
    return el(
      "a",
      { class: "chat-entry", href: ctx.href(conversation.id), tabindex: -1 },
      el("span", { class: "chat-face" }),
      el(
        "span",
        { class: "grow" },
        el("span", { class: "chat-entry-top" }, bdi("", { class: "chat-entry-name cut" }), el("time", { class: "muted small" })),
        el(
          "span",
          { class: "chat-entry-top" },
          el("span", { class: "chat-entry-last cut muted" }),
          el("span", { class: "chat-at", hidden: true }, "@"),
          el("span", { class: "badge inline", hidden: true }),
        ),
      ),
      el("span", { class: "unseen" }),
    );
  }

  function drawEntry(row, conversation) {
    const link = row.firstElementChild;
    const [face, grow, spoken] = link.children;
    const [topLine, bottomLine] = grow.children;
    const other = conversation.kind === "direct" ? otherOf(conversation, store.me) : null;
    const shown = other && !conversation.request && !store.isBlocked(other) ? conversation.status : null;
    const faceKey = JSON.stringify([other, shown, people.get(other)?.name]);
    if (face.dataset.shown !== faceKey) {
      face.dataset.shown = faceKey;
      face.replaceChildren(
        other
          ? avatar(other, { size: 40, status: shown ?? undefined })
          : el("span", { class: "chat-sign" }, icon(signOf(conversation), { size: 20 })),
      );
    }
    const name = nameOf(ctx, conversation, store.me);
    topLine.firstElementChild.textContent = name;
    const at = conversation.last?.createdAt;
    const time = topLine.lastElementChild;
    time.textContent = at ? shortTime(at) : "";
    if (at) time.setAttribute("datetime", at);
    const [last, mention, count] = bottomLine.children;
    last.replaceChildren(...lastLine(conversation));
    const { unread } = conversation;
    link.classList.toggle("unread", unread > 0);
    const mentioned = unread > 0 && store.isMentioned(conversation.id);
    mention.hidden = !mentioned;
    count.hidden = unread === 0;
    count.textContent = badge(unread);
    spoken.textContent = [
      unread > 0 && t("list.unread", { count: unread }),
      mentioned && t("list.mentioned"),
      shown && t(`presence.${shown}`),
    ]
      .filter(Boolean)
      .join(", ");
    if (conversation.id === openId) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  function lastLine(conversation) {
    const [typing, ...more] = store.typing(conversation.id);
    if (typing && !conversation.request) {
      const names = people.name(typing);
      const text = more.length ? t("typing.many") : t("typing.some", { names, count: 1 });
      return [el("span", { class: "chat-now" }, text)];
    }
    const draft = kept.get(`chat.draft.${store.me}.${conversation.id}`)?.text;
    if (draft && conversation.id !== openId) {
      return [el("span", { class: "chat-draft" }, t("list.draft")), " ", bdi(draft)];
    }
    const unsent = outbox.of(conversation.id);
    if (unsent.length) {
      const failed = unsent.some(({ state }) => state === "failed");
      return [
        icon(failed ? "alert" : "clock", { size: 14, label: t(failed ? "tick.failed" : "waiting") }),
        " ",
        bdi(summaryOf(ctx, unsent.at(-1))),
      ];
    }
    const { last } = conversation;
    if (!last) return [t(conversation.memberCount === null ? "list.nothing" : "channels.look")];
    const who =
      last.authorId === store.me
        ? `${t("person.you")}: `
        : conversation.kind === "direct"
          ? ""
          : `${people.name(last.authorId)}: `;
    return [bdi(who), bdi(summaryOf(ctx, last))];
  }

  function personEntry({ person }) {
    return el(
      "button",
      {
        type: "button",
        class: "chat-entry",
        tabindex: -1,
        onclick: async () => {
          try {
            const made = await answered(ctx, store.server.createConversation([person]));
            store.add(made);
            filter.value = "";
            ctx.go(made.id);
            drawSoon();
          } catch (error) {
            fail(error);
          }
        },
      },
      avatar(person, { size: 40 }),
      el("span", { class: "grow chat-entry-name cut" }, bdi(people.name(person))),
    );
  }

  function drawStatus(count, wanted, away) {
    if (store.state === "failed" && !away) status.replaceChildren(errorNote(store.error, () => store.reload()));
    else if (away && store.readAt !== null) {
      status.replaceChildren(el("p", { class: "as-of" }, t("list.stale", { time: clock(store.readAt) })));
    } else if (store.state === "ready" && count === 0) status.replaceChildren(wanted ? nothing() : empty());
    else if (store.state === "ready") status.replaceChildren();
  }

  function nothing() {
    return emptyNote({ text: t("list.none"), symbol: "search" });
  }

  function empty() {
    const note = emptyNote({
      text: t("list.empty"),
      symbol: "chat",
      action: { label: t("new.message"), run: () => newConversation(ctx, store) },
    });
    note.querySelector("button").classList.add("primary");
    note.append(
      el("button", { type: "button", onclick: () => browseChannels(ctx, store) }, t("channels.title")),
    );
    return note;
  }

  function drawOwn() {
    if (own.dataset.status === store.ownStatus) return;
    own.dataset.status = store.ownStatus;
    own.replaceChildren(avatar(store.me, { size: 30, status: store.ownStatus }));
    own.title = t(`presence.${store.ownStatus}`);
    own.setAttribute("aria-label", `${t("list.options")}: ${own.title}`);
  }

  async function look() {
    clearTimeout(looking);
    turn += 1;
    const own = turn;
    const text = filter.value.trim();
    let next = { ...NOTHING, text };
    if (text) {
      try {
        const [{ items }, ids] = await Promise.all([store.server.channels(), findPeople(text)]);
        const wanted = foldName(text);
        next = {
          text,
          people: ids,
          channels: items.filter(({ id, title }) => foldName(`${id}${title ?? ""}`).includes(wanted)),
        };
      } catch {
        // What is in the list is found all the same.
      }
    }
    if (own !== turn) return;
    found = next;
    drawSoon();
  }

  const firstHit = () => sections.querySelector(".chat-entry");

  /** Open the first of what matches the text as it is now. */
  async function openFirst() {
    const text = filter.value.trim();
    if (!text) return;
    // People and channels may have been found for an earlier text, and only one's own are drawn at once.
    if (found.text !== text) found = NOTHING;
    draw();
    if (!firstHit() && found.text !== text) {
      await look();
      if (filter.value.trim() !== text) return;
      draw();
    }
    firstHit()?.click();
  }

  function clear() {
    clearTimeout(looking);
    turn += 1;
    filter.value = "";
    found = NOTHING;
    draw();
    filter.focus();
  }

  filter.addEventListener("input", () => {
    clearTimeout(looking);
    drawSoon();
    looking = setTimeout(look, TYPED_MS);
  });
  filter.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      draw();
      firstHit()?.focus();
    } else if (event.key === "Enter" && !event.isComposing) openFirst();
  });
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filter.value) {
      event.preventDefault();
      event.stopPropagation();
      clear();
    }
  });
  // Up from the first of the list is back to the search.
  sections.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "ArrowUp" || event.target !== firstHit()) return;
      event.preventDefault();
      event.stopPropagation();
      filter.focus();
    },
    { capture: true },
  );
  store.addEventListener("change", drawSoon);
  outbox.addEventListener("change", drawSoon);
  people.addEventListener("change", drawSoon);
  ctx.connection.addEventListener("state", drawSoon);
  const skeleton = setTimeout(() => {
    if (store.state === "loading") status.replaceChildren(skeletonOf(7));
  }, SKELETON_MS);
  draw();

  return {
    element,
    open(id) {
      openId = id;
      drawSoon();
    },
    dispose() {
      turn += 1;
      clearTimeout(skeleton);
      clearTimeout(looking);
      cancelAnimationFrame(drawing);
      store.removeEventListener("change", drawSoon);
      outbox.removeEventListener("change", drawSoon);
      people.removeEventListener("change", drawSoon);
      ctx.connection.removeEventListener("state", drawSoon);
    },
  };
}

/** The clock of today, else the day, as short as it is clear. */
function shortTime(at) {
  const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(Date.now()) - midnight(at)) / 86_400_000);
  if (days < 1) return clock(at);
  if (days === 1) return day(at);
  const then = new Date(at);
  const local = new Date(then - then.getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
  return date(local, days < 7 ? { weekday: "short" } : { day: "numeric", month: "short" });
}
