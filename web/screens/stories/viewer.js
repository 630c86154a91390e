/** One story after the other, over the whole page. A view counts when it was shown for a second. */

import { bdi, calm, el, icon, setText } from "../../lib/dom.js";
import { confirmDialog, openDialog } from "../../lib/dialog.js";
import { describe } from "../../lib/forms.js";
import { avatar, personName } from "../../lib/people.js";
import { moreButton } from "./more.js";
import { markReaction, reactionRow } from "./reactions.js";

const VIEW_MS = 1_000;
/** What is let go within this was a tap; what is held for longer pauses. */
const TAP_MS = 300;
const TAP_PX = 10;
const COUNTDOWN_MS = 30_000;

/**
 * Open the viewer at a story; returns `{shows(id), close()}`.
 *
 * It goes through the stories of one author and on to the next author's. How long a story is shown is
 * the duration of its segment's animation; there is none, and one goes on by hand, at own stories and
 * for who asked for less motion.
 */
export function openViewer(ctx, stories, first, { seen = false, closed }) {
  const { t } = ctx;
  let order = stories.authors.flatMap((group) => group.stories.map(({ id }) => id));
  let id = first;
  let counted = null;
  let seenOpen = seen;
  let stay = false;
  let pressed = null;
  let drawnSegments = "";
  let drawnWho = "";
  let foot = null;
  /** Why the story is held: `asked`, `pressed`, `reading` (who has seen it) or `deciding`. */
  const holds = new Set();

  const segments = el("div", { class: "stories-segments", "aria-hidden": "true" });
  const who = el("div", { class: "row grow stories-viewer-who" });
  const pause = el("button", {
    type: "button",
    class: "icon-button",
    onclick: () => hold("asked", !holds.has("asked")),
  });
  const more = moreButton(ctx, stories, () => id, (busy) => hold("deciding", busy));
  // A reader who moves on by key or button hears what is shown then.
  const text = el("p", { class: "stories-viewer-text", dir: "auto", "aria-live": "polite" });
  const footer = el("div", { class: "stories-viewer-foot" });
  const position = el("p", { class: "unseen", role: "status" });
  const previous = step(-1, "left", "previous");
  const next = step(1, "right", "next");
  const stage = el("div", { class: "stories-stage" }, previous, text, next);
  const dialog = openDialog({
    title: t("viewer", { name: ctx.people.name(stories.get(first).authorId) }),
    content: [segments, el("div", { class: "row" }, who, pause, more), stage, footer, position],
    kind: "full",
  });
  dialog.element.classList.add("stories-viewer");
  const title = dialog.element.querySelector("h2");

  function step(by, symbol, name) {
    const key = by > 0 ? "ArrowRight" : "ArrowLeft";
    return el(
      "button",
      {
        type: "button",
        class: ["icon-button", "stories-step"],
        "aria-label": t(name),
        "aria-keyshortcuts": key,
        title: t(`${name}.keys`),
        onclick: () => move(by),
      },
      icon(symbol, { size: 28 }),
    );
  }

  function move(by) {
    // What has ended since it was listed is passed over.
    order = order.filter((other) => other === id || stories.get(other));
    const place = order.indexOf(id) + by;
    if (place < 0) return;
    if (place >= order.length) return dialog.close();
    show(order[place]);
  }

  /** Go to the next (1) or the previous (-1) author: to what is new of theirs, else their first. */
  function moveAuthor(by) {
    order = order.filter((other) => other === id || stories.get(other));
    const authorOf = (other) => stories.get(other)?.authorId;
    const author = authorOf(id);
    const place = order.indexOf(id);
    const ahead = by > 0 ? order.slice(place) : order.slice(0, place).reverse();
    const found = ahead.find((other) => authorOf(other) !== author);
    if (!found) return by > 0 ? dialog.close() : undefined;
    const theirs = order.filter((other) => authorOf(other) === authorOf(found));
    show(theirs.find((other) => !stories.get(other).viewed) ?? theirs[0]);
  }

  function show(wanted) {
    id = wanted;
    seenOpen = false;
    holds.delete("reading");
    history.replaceState(history.state, "", ctx.href(id));
    begin();
  }

  /** Show the story anew, and begin to count its time. */
  function begin() {
    draw();
    drawHold();
    count();
  }

  /** Nothing is shown in a tab that is behind others. */
  function count() {
    clearTimeout(counted);
    if (!document.hidden) counted = setTimeout(() => stories.view(id).catch(() => {}), VIEW_MS);
  }

  function hold(reason, wanted) {
    if (wanted) holds.add(reason);
    else holds.delete(reason);
    drawHold();
  }

  function drawHold() {
    const runs = !calm() && !stories.get(id)?.own;
    const asked = holds.has("asked");
    dialog.element.classList.toggle("still", !runs);
    dialog.element.classList.toggle("held", holds.size > 0 || document.hidden);
    dialog.element.classList.toggle("pressed", holds.has("pressed"));
    pause.hidden = !runs;
    if (pause.dataset.asked === String(asked)) return;
    pause.dataset.asked = String(asked);
    pause.replaceChildren(icon(asked ? "play" : "pause"));
    pause.setAttribute("aria-label", t(asked ? "play" : "pause"));
  }

  function draw() {
    const story = stories.get(id);
    if (!story) return leave();
    const group = order.filter((other) => stories.get(other)?.authorId === story.authorId);
    setText(title, t("viewer", { name: ctx.people.name(story.authorId) }));
    drawSegments(group);
    setText(position, t("viewer.position", { n: group.indexOf(id) + 1, count: group.length }));
    drawWho(story);
    text.classList.toggle("long", story.text.length > 200);
    setText(text, story.text);
    const isFirst = order.indexOf(id) === 0;
    if (isFirst && document.activeElement === previous) next.focus();
    previous.disabled = isFirst;
    more.hidden = story.own;
    drawFoot(story);
  }

  /** It has expired or was deleted while it was shown. */
  function leave() {
    const place = order.indexOf(id);
    const after = order.slice(place + 1).find((other) => stories.get(other));
    if (!after) return dialog.close();
    order = order.filter((other) => stories.get(other));
    show(after);
  }

  /** Drawn anew only for another story: the segment that runs keeps its place. */
  function drawSegments(group) {
    const drawn = `${id} ${group}`;
    if (drawnSegments === drawn) return;
    drawnSegments = drawn;
    const at = group.indexOf(id);
    segments.replaceChildren(
      ...group.map((_, n) => el("span", { class: n < at ? "past" : n === at ? "now" : "" })),
    );
  }

  function drawWho(story) {
    if (drawnWho !== id) {
      drawnWho = id;
      who.replaceChildren(
        avatar(story.authorId, { size: 40 }),
        el(
          "div",
          { class: "grow stories-who" },
          personName(story.authorId, { class: "cut" }),
          el("span", { class: "small" }, ctx.format.ago(story.createdAt), el("span", { class: "stories-left" })),
        ),
        ...(story.isPrivate ? [icon("lock", { size: 18, label: t("private") })] : []),
      );
    }
    const left = ctx.format.left(story.expiresAt);
    setText(who.querySelector(".stories-left"), left ? ` · ${t("left", { time: left })}` : "");
  }

  function drawFoot(story) {
    if (foot?.id !== id) {
      // Who has the focus in the row keeps it when the story changes by itself.
      const { emoji } = footer.contains(document.activeElement) ? document.activeElement.dataset : {};
      const inside = footer.contains(document.activeElement);
      foot = story.own ? ownFoot(story) : readersFoot(story);
      footer.replaceChildren(...foot.nodes);
      if (inside) (footer.querySelector(`[data-emoji="${emoji}"]`) ?? footer.querySelector("button")).focus();
    }
    foot.update(story);
  }

  function readersFoot({ id: shown }) {
    const row = reactionRow(ctx, stories, stories.get(shown));
    return { id: shown, nodes: [row], update: (story) => markReaction(ctx, row, story) };
  }

  function ownFoot({ id: shown }) {
    const list = el("ul", { class: "stories-seen", "aria-label": t("seen"), tabindex: "0" });
    const label = el("span");
    const toggle = el("button", { type: "button", class: "quiet" }, icon("eye", { size: 18 }), label);
    let filled = null;
    const open = (wanted) => {
      seenOpen = wanted;
      list.hidden = !wanted;
      toggle.setAttribute("aria-expanded", String(wanted));
      hold("reading", wanted);
    };
    const update = (story) => {
      setText(label, t("views", { count: story.views }));
      const current = `${story.views} ${story.reactions} ${story.revision}`;
      if (!seenOpen || filled === current) return;
      filled = current;
      fill(list, shown);
    };
    toggle.addEventListener("click", () => {
      open(!seenOpen);
      const story = stories.get(shown);
      if (story) update(story);
    });
    const remove = el(
      "button",
      { type: "button", class: "quiet stories-delete", onclick: () => discard(shown) },
      icon("trash", { size: 18 }),
      t("delete"),
    );
    open(seenOpen);
    const bar = el("div", { class: "row" }, toggle, el("span", { class: "grow" }), remove);
    return { id: shown, nodes: [list, bar], update };
  }

  async function fill(list, shown) {
    try {
      const { people, more } = await stories.audience(shown);
      const rows = people.map(({ userId, emoji, at }) =>
        el(
          "li",
          { class: "row" },
          avatar(userId, { size: 32 }),
          personName(userId, { class: "grow cut" }),
          emoji && bdi(emoji),
          el("span", { class: "small" }, ctx.format.ago(at)),
        ),
      );
      if (more) rows.push(el("li", {}, t("seen.more", { count: more })));
      list.replaceChildren(...(rows.length ? rows : [el("li", {}, t("seen.none"))]));
    } catch (error) {
      list.replaceChildren(el("li", {}, describe(error)));
    }
  }

  async function discard(shown) {
    hold("deciding", true);
    const wanted = await confirmDialog({
      title: t("delete.title"),
      text: t("delete.text"),
      action: t("delete"),
      danger: true,
    });
    hold("deciding", false);
    if (!wanted) return;
    await stories.remove(shown).catch((error) => ctx.toast(describe(error), { kind: "error" }));
  }

  function press(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    pressed = { x: event.clientX, y: event.clientY, at: event.timeStamp };
    stage.setPointerCapture(event.pointerId);
    hold("pressed", true);
  }

  /** A tap on the first third goes back, on the rest on; a longer hold has only paused. */
  function release(event) {
    if (!pressed) return;
    const { x, y, at } = pressed;
    pressed = null;
    hold("pressed", false);
    const moved = Math.hypot(event.clientX - x, event.clientY - y) > TAP_PX;
    if (event.type === "pointercancel" || moved || event.timeStamp - at > TAP_MS) return;
    const { left, width } = stage.getBoundingClientRect();
    move(x - left < width / 3 ? -1 : 1);
  }

  function visibility() {
    drawHold();
    count();
  }

  dialog.element.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest(".menu")) return;
    if (by && event.shiftKey) moveAuthor(by);
    else if (event.target.closest("[role=group], .stories-seen")) return;
    else if (by) move(by);
    else if (event.key === " " && !event.target.closest("button")) hold("asked", !holds.has("asked"));
    else return;
    event.preventDefault();
  });
  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  segments.addEventListener("animationend", () => move(1));
  document.addEventListener("visibilitychange", visibility);
  stories.addEventListener("changed", draw);
  const countdown = setInterval(draw, COUNTDOWN_MS);
  dialog.closed.then(() => {
    clearTimeout(counted);
    clearInterval(countdown);
    document.removeEventListener("visibilitychange", visibility);
    stories.removeEventListener("changed", draw);
    closed(stay);
  });
  begin();
  return {
    shows: (other) => other === id,
    close: ({ stay: staying = false } = {}) => {
      stay = staying;
      dialog.close();
    },
  };
}
