/** Stories: a strip of people, the feed below it, and a viewer over the page. */

import { el, icon, reconcile, setText } from "../../lib/dom.js";
import { describe, sentences } from "../../lib/forms.js";
import { emptyNote, errorNote, skeletonOf } from "../../lib/listview.js";
import { roving } from "../../lib/keys.js";
import { avatar, personName } from "../../lib/people.js";
import { go } from "../../lib/router.js";
import { openComposer } from "./composer.js";
import { Stories } from "./data.js";
import { moreButton } from "./more.js";
import { outboxOf } from "./outbox.js";
import { fly, markReaction, reactionRow } from "./reactions.js";
import { openViewer } from "./viewer.js";

const RING = 60;
/** The countdown of a card has minutes at most, so this is often enough. */
const COUNTDOWN_MS = 30_000;
/** What loads faster than this shows no skeleton: it would only flicker. */
const SKELETON_MS = 150;

let stories = null;
let outbox = null;
let ctx = null;
let view = null;
let viewer = null;
let composer = null;
/** The story of the address, until the stories are known. */
let wanted = null;

export const screen = {
  async mount(root, context, params) {
    ctx = context;
    wanted = params;
    const own = (stories = new Stories(ctx));
    outbox = outboxOf(ctx);
    view = draw(root);
    stories.addEventListener("changed", show);
    stories.addEventListener("reacted", celebrate);
    outbox.addEventListener("changed", show);
    outbox.addEventListener("posted", posted);
    ctx.connection.addEventListener("state", show);
    view.timer = setInterval(show, COUNTDOWN_MS);
    // The reader may have left by then.
    const { status } = view;
    const waiting = setTimeout(() => status.replaceChildren(skeletonOf(4)), SKELETON_MS);
    await read();
    clearTimeout(waiting);
    if (stories !== own) return;
    view.feed.classList.add("stories-live");
    show();
  },
  update: open,
  unmount() {
    clearInterval(view?.timer);
    ctx.connection.removeEventListener("state", show);
    outbox?.removeEventListener("changed", show);
    outbox?.removeEventListener("posted", posted);
    viewer?.close({ stay: true });
    composer?.close();
    stories?.dispose();
    stories = outbox = view = wanted = null;
  },
  catchUp: () => read(),
};

/** Read the stories, and then open the one that the address asked for meanwhile. */
async function read() {
  const own = stories;
  await own?.reload();
  if (own === null || stories !== own || stories.failed) return;
  if (wanted) open(wanted);
}

function posted({ detail: story }) {
  stories?.add(story);
}

function compose() {
  composer ??= openComposer(ctx, { outbox, closed: () => (composer = null) });
}

function draw(root) {
  const { t } = ctx;
  const add = el(
    "button",
    { type: "button", class: "stories-ring", onclick: compose },
    el("span", { class: "stories-plus" }, avatar(ctx.session.user.id, { size: RING }), icon("plus", { size: 16 })),
    el("span", { class: "cut" }, t("compose")),
  );
  const people = el("ul", { class: "stories-people" });
  const rings = el("nav", { class: "stories-rings", "aria-label": t("rings") }, add, people);
  const status = el("div", { class: "stories-status" });
  const unsent = el("ul", { class: "stories-feed stories-unsent", "aria-label": t("unsent") });
  const feed = el("ol", { class: "stories-feed", "aria-label": t("feed") });
  root.append(rings, unsent, status, feed);
  const settle = roving(rings, ".stories-ring", { direction: "horizontal" });
  return { root, people, unsent, feed, status, settle };
}

function show() {
  if (!stories || !view) return;
  const { t } = ctx;
  reconcile(view.people, stories.authors, { key: ({ id }) => id, make: ring, update: updateRing });
  view.settle();
  reconcile(view.unsent, outbox.entries, {
    key: ({ clientId }) => clientId,
    make: unsentCard,
    update: updateUnsent,
  });
  const all = stories.all;
  reconcile(view.feed, all, { key: ({ id }) => id, make: card, update: updateCard });
  const stale = stories.readAt !== null && ["reconnecting", "offline"].includes(ctx.connection.state.kind);
  for (const part of [view.people, view.feed]) part.classList.toggle("stale", stale);
  drawStatus(stale ? "stale" : stories.failed ? "failed" : all.length ? "" : "empty", t);
}

/** Drawn anew only for another state, so that a button in it keeps the focus. */
function drawStatus(state, t) {
  if (stories.readAt === null && state !== "failed") return;
  const drawn = `${state} ${state === "stale" ? stories.readAt : ""}`;
  if (view.status.dataset.drawn === drawn) return;
  view.status.dataset.drawn = drawn;
  if (state === "failed") view.status.replaceChildren(errorNote(stories.failed, read));
  else if (state === "empty") {
    const action = { label: t("compose"), run: compose };
    view.status.replaceChildren(emptyNote({ text: t("empty"), symbol: "stories", action }));
  } else if (state === "stale") {
    const time = ctx.format.clock(stories.readAt);
    view.status.replaceChildren(el("p", { class: "as-of" }, t("list.stale", { time })));
  } else view.status.replaceChildren();
}

function ring(group) {
  const { t } = ctx;
  const node = el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "stories-ring", onclick: () => openFirst(group.id) },
      avatar(group.id, { size: RING }),
      group.own ? el("span", { class: "cut" }, t("own")) : personName(group.id, { class: "cut" }),
      el("span", { class: "unseen" }),
    ),
  );
  updateRing(node, group);
  return node;
}

/** The button stays, and with it the focus that comes back from the viewer. */
function updateRing(node, { stories: own, unseen }) {
  const picture = node.querySelector(".avatar");
  picture.classList.toggle("ring-unseen", unseen);
  picture.classList.toggle("ring-seen", !unseen);
  const words = ctx.t(unseen ? "ring.unseen" : "ring", { count: own.length });
  setText(node.querySelector(".unseen"), words);
}

function openFirst(authorId) {
  const group = stories.authors.find(({ id }) => id === authorId);
  const first = group?.stories.find(({ viewed }) => !viewed) ?? group?.stories[0];
  if (first) ctx.go(first.id);
}

function card(story) {
  const { t } = ctx;
  const node = el(
    "li",
    { class: ["card", "stories-card", view.feed.matches(".stories-live") && "arrived"] },
    el(
      "header",
      { class: "row" },
      avatar(story.authorId, { size: 36 }),
      el(
        "div",
        { class: "grow stories-who" },
        personName(story.authorId, { class: "cut" }),
        el(
          "span",
          { class: "muted small" },
          ctx.format.ago(story.createdAt),
          el("span", { class: "stories-left" }),
        ),
      ),
      story.isPrivate && icon("lock", { size: 16, label: t("private") }),
      !story.own && moreButton(ctx, stories, () => story.id),
    ),
    el("a", { class: "stories-text", href: ctx.href(story.id), dir: "auto" }, story.text),
    el(
      "footer",
      { class: "stories-foot" },
      story.own
        ? el(
            "button",
            { type: "button", class: "quiet small", onclick: () => ctx.go(story.id, "seen") },
            icon("eye", { size: 16 }),
            el("span", { class: "stories-views" }),
          )
        : reactionRow(ctx, stories, story),
    ),
  );
  updateCard(node, story);
  return node;
}

function updateCard(node, story) {
  const { t } = ctx;
  const left = ctx.format.left(story.expiresAt);
  setText(node.querySelector(".stories-left"), left ? ` · ${t("left", { time: left })}` : "");
  node.classList.toggle("unseen-story", !story.viewed);
  if (story.own) setText(node.querySelector(".stories-views"), t("views", { count: story.views }));
  else markReaction(ctx, node, story);
}

function unsentCard(entry) {
  const { t } = ctx;
  const { clientId } = entry;
  const node = el(
    "li",
    { class: "card stories-card stories-unsent-card" },
    el("p", { class: "stories-text", dir: "auto" }, entry.text),
    el(
      "footer",
      { class: "row" },
      el("span", { class: "row grow small stories-unsent-state" }),
      el(
        "button",
        { type: "button", class: "quiet small stories-retry", onclick: () => outbox.retry(clientId) },
        t("retry"),
      ),
      el(
        "button",
        { type: "button", class: "quiet small", onclick: () => outbox.discard(clientId) },
        t("discard"),
      ),
    ),
  );
  updateUnsent(node, entry);
  return node;
}

function updateUnsent(node, { error }) {
  const fields = sentences(error?.fields);
  const said = error ? fields || describe(error) : ctx.t("waiting");
  node.querySelector(".stories-retry").hidden = !error;
  const state = node.querySelector(".stories-unsent-state");
  if (state.textContent === said) return;
  node.classList.toggle("failed", Boolean(error));
  state.replaceChildren(icon(error ? "alert" : "clock", { size: 16 }), el("span", {}, said));
  if (error) ctx.announce(said);
}

function open(params) {
  const [id, part] = params;
  wanted = null;
  if (!id || !stories) {
    viewer?.close();
    return;
  }
  if (viewer?.shows(id)) return;
  if (!stories.get(id)) {
    // Until they were read nothing is known to be missing.
    if (stories.readAt === null || stories.failed) wanted = params;
    else missing();
    return;
  }
  viewer?.close({ stay: true });
  const own = (viewer = openViewer(ctx, stories, id, {
    seen: part === "seen",
    closed: (stay) => {
      if (viewer !== own) return;
      viewer = null;
      if (!stay && stories) leave();
    },
  }));
}

function missing() {
  viewer?.close({ stay: true });
  ctx.toast(ctx.t("missing"));
  leave();
}

/** Going back from the feed does not open the viewer again. */
function leave() {
  go(ctx.href(), { replace: true });
}

/** A reaction flies up where it was made and where it arrives, and is said to screen readers there. */
function celebrate({ detail: { storyId, userId, emoji } }) {
  if (stories?.get(storyId)?.own) {
    ctx.announce(ctx.t("reacted", { name: ctx.people.name(userId), emoji }));
  }
  fly(emoji);
}
