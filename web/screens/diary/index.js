/** The diary: one day with its mood, entries, tasks; goals, motivation, and twelve weeks at a glance. */

import { el, icon } from "../../lib/dom.js";
import { errorNote, skeletonOf, staleNote } from "../../lib/listview.js";
import { weeksPart } from "./charts.js";
import { Diary } from "./data.js";
import { duePart } from "./due.js";
import { entriesPart } from "./entries.js";
import { goalsPart } from "./goals.js";
import { motivationPart } from "./motivation.js";
import { placeOf, searchOf, searchPart } from "./search.js";
import { tasksPart } from "./tasks.js";

/** How soon the screen notices that a task is late, or that it is midnight. */
const CLOCK_MS = 20_000;

let ctx = null;
let diary = null;
let date = null;
/** What is searched for, null while a day is shown. */
let search = null;
let parts = null;
let failed = null;
let clock = null;
/** The day that was read, to notice midnight. */
let read = null;

export const screen = {
  async mount(root, context, params) {
    ctx = context;
    const { t } = ctx;
    diary = new Diary(ctx);
    search = searchOf(params);
    date = search ? null : dayOf(params);
    read = failed = null;
    const status = el("div", {});
    const head = el("header", { class: "row diary-head" });
    const due = duePart(ctx, diary);
    const entries = entriesPart(ctx, diary);
    const tasks = tasksPart(ctx, diary);
    const goals = goalsPart(ctx, diary);
    const motivation = motivationPart(ctx, diary);
    const finding = searchPart(ctx, diary);
    const weeks = weeksPart(ctx, diary);
    const body = el(
      "div",
      { class: "diary-body", hidden: true },
      el("div", { class: "diary-column" }, entries.element, tasks.element),
      el(
        "div",
        { class: "diary-column" },
        goals.element,
        motivation.element,
        weeks.element,
      ),
    );
    parts = { status, head, body, due, entries, tasks, goals, motivation, finding, weeks };
    root.append(head, status, due.element, body, finding.element);
    diary.addEventListener("changed", draw);
    ctx.connection.addEventListener("state", connected);
    clock = setInterval(turn, CLOCK_MS);
    await Promise.all([reload(), search && finding.show(search)]);
  },
  update(params) {
    const searched = search;
    search = searchOf(params);
    if (search) {
      parts.finding.show(search);
      draw();
      if (!searched) parts.finding.focus();
      return;
    }
    const wanted = dayOf(params);
    if (wanted === date) return draw();
    date = wanted;
    reload();
  },
  unmount() {
    clearInterval(clock);
    ctx?.connection.removeEventListener("state", connected);
    parts?.motivation.dispose();
    parts?.finding.dispose();
    diary?.dispose();
    diary = null;
  },
  async catchUp() {
    parts.motivation.reload();
    if (search) parts.finding.reload();
    await reload();
  },
};

/** The day of an address, null for today or for what is no day. */
function dayOf([text]) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text ?? "")) return null;
  const moment = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(text) ? text : null;
}

async function reload() {
  const own = diary;
  const wanted = date;
  const waiting = setTimeout(() => own === diary && read === null && !search && parts.status.replaceChildren(skeletonOf(4)), 150);
  try {
    const reading = own.reload(wanted);
    // The day changes at once; what there is of it follows.
    draw();
    if (!(await reading) || own !== diary) return;
    failed = null;
    read = diary.day;
    draw();
  } catch (error) {
    if (own !== diary || wanted !== date) return;
    failed = error;
    say();
  } finally {
    clearTimeout(waiting);
  }
}

/** Time goes on: what is late shows it, and a day that is left open overnight becomes the next one. */
function turn() {
  if (!diary?.summary || read === null) return;
  if (date === null && read !== diary.today) reload();
  else parts.tasks.draw();
}

/** What failed for want of a connection is tried again when there is one. */
function connected() {
  if (failed && ctx.connection.state.kind === "live") reload();
  else say();
}

/** Say what went wrong, or how old what is shown is while the server is away. */
function say() {
  if (!diary) return;
  const away = ["reconnecting", "offline"].includes(ctx.connection.state.kind);
  const stale = away && !failed && read !== null && !search;
  parts.body.classList.toggle("stale", stale);
  if (failed && !search) parts.status.replaceChildren(errorNote(failed, reload));
  else if (stale) parts.status.replaceChildren(staleNote(diary.readAt));
  else if (read !== null || search) parts.status.replaceChildren();
}

/** Put children in place of those before; what has the focus by its `data-focus` keeps it. */
function redraw(parent, ...children) {
  const focused = parent.contains(document.activeElement) && document.activeElement.dataset.focus;
  parent.replaceChildren(...children);
  if (focused) parent.querySelector(`[data-focus="${focused}"]`)?.focus({ preventScroll: true });
}

function draw() {
  if (!diary) return;
  const { t, format } = ctx;
  parts.body.hidden = read === null || search !== null;
  parts.finding.element.hidden = search === null;
  if (search) {
    const back = el("a", { class: "button quiet small diary-today", href: ctx.href(...(date ? [date] : [])) }, icon("left", { size: 18 }), t("search.back"));
    redraw(parts.head, back);
    return say();
  }
  if (!diary.summary || read === null) return;
  const { day, today } = diary;
  const step = (by, symbol, label) => {
    const to = new Date(`${day}T00:00:00Z`);
    to.setUTCDate(to.getUTCDate() + by);
    const target = to.toISOString().slice(0, 10);
    const href = target === today ? ctx.href() : ctx.href(target);
    return el("a", { class: "icon-button", href, "aria-label": label, dataset: { focus: symbol } }, icon(symbol));
  };
  const { current, longest } = diary.summary.streak;
  redraw(
    parts.head,
    step(-1, "left", t("day.before")),
    el("h2", {}, day === today ? t("today") : format.date(day, { dateStyle: "full" })),
    ...(day < today ? [step(1, "right", t("day.after"))] : []),
    ...(day === today ? [] : [el("a", { class: "button quiet small diary-today", href: ctx.href() }, t("day.today"))]),
    el("span", { class: "grow" }),
    el("a", { class: "icon-button diary-find", href: ctx.href(...placeOf({})), "aria-label": t("search.title"), dataset: { focus: "search" } }, icon("search")),
    el("span", { class: "diary-streak", title: t("streak.longest", { count: longest }) }, icon("flame", { size: 18 }), t("streak", { count: current })),
  );
  parts.due.draw();
  parts.entries.draw();
  parts.tasks.draw();
  parts.goals.draw();
  parts.weeks.draw();
  say();
}
