/** The inbox: newest first, by day; the archive; and which notifications one wants. */

import { el, icon } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { roving } from "../../lib/keys.js";
import { listView } from "../../lib/listview.js";
import { go, placeOf } from "../../lib/router.js";
import { Inbox } from "./data.js";
import { preferences } from "./preferences.js";
import { rowOf, updateRow } from "./rows.js";

const VIEWS = { "": "inbox", archive: "archive", preferences: "preferences" };

let ctx = null;
let inbox = null;
let body = null;
let head = null;
let view = null;
let shown = null;

export const screen = {
  async mount(root, context, params) {
    ctx = context;
    inbox = new Inbox(ctx);
    head = headOf();
    body = el("div", { class: "notifications-body" });
    root.append(head.element, body);
    inbox.addEventListener("changed", draw);
    inbox.addEventListener("arrived", ({ detail }) => ctx.announce(detail.title));
    await show(params);
  },
  update: (params) => show(params),
  unmount() {
    shown?.dispose?.();
    inbox?.dispose();
    shown = inbox = view = null;
  },
  catchUp() {
    shown?.reload?.();
  },
};

async function show([name = ""]) {
  const wanted = VIEWS[name] ?? "inbox";
  if (wanted === view) return;
  view = wanted;
  shown?.dispose?.();
  head.choose(view);
  shown = view === "preferences" ? preferences(ctx, inbox) : list(view === "archive");
  body.replaceChildren(shown.element);
  draw();
  if (view === "preferences") await inbox.count().catch(() => {});
  else await shown.reload();
}

function draw() {
  head.readAll.hidden = view !== "inbox" || inbox.unread === 0;
  if (view === "preferences") return;
  shown?.show(view === "archive" ? inbox.archived : inbox.items);
  shown?.settle();
}

function headOf() {
  const { t } = ctx;
  const places = Object.entries(VIEWS).map(([param, id]) =>
    el("button", { type: "button", dataset: { view: id }, onclick: () => ctx.go(...[param].filter(Boolean)) }, t(`view.${id}`)),
  );
  const readAll = el(
    "button",
    { type: "button", class: "quiet notifications-read-all", hidden: true, onclick: () => attempt(inbox.readAll()) },
    icon("check-double", { size: 18 }),
    t("read.all"),
  );
  return {
    element: el("div", { class: "row notifications-head" }, el("div", { class: "segments", role: "group", "aria-label": t("views") }, places), readAll),
    readAll,
    choose: (id) => places.forEach((place) => place.setAttribute("aria-pressed", String(place.dataset.view === id))),
  };
}

function list(archive) {
  const { t } = ctx;
  const actions = { open, archive: putAway };
  const items = () => (archive ? inbox.archived : inbox.items);
  const update = (node, item) => updateRow(ctx, node, item, items()[items().indexOf(item) - 1]);
  const view = listView(ctx, {
    load: (after) => inbox.page(after, { archived: archive }),
    key: ({ id }) => id,
    make: (item) => {
      const row = rowOf(ctx, item, actions);
      update(row, item);
      return row;
    },
    update,
    empty: { text: t(archive ? "empty.archive" : "empty") },
    label: t(archive ? "view.archive" : "screen.notifications"),
  });
  const settle = roving(view.element, ".notifications-open", { direction: "vertical" });
  view.element.addEventListener("keydown", (event) => keys(event, archive));
  return { ...view, show: view.show, settle };
}

/** Delete puts away; right and left move between a notification and its button. */
function keys(event, archive) {
  const row = event.target.closest(".notifications-row");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowRight") row.querySelector(".notifications-archive")?.focus();
  else if (event.key === "ArrowLeft") row.querySelector(".notifications-open").focus();
  else if (event.key === "Delete" && !archive) putAway(row.item);
  else return;
  event.preventDefault();
}

async function attempt(work) {
  try {
    await work;
  } catch (error) {
    ctx.toast(describe(error), { kind: "error" });
  }
}

function open(item) {
  attempt(inbox.read(item));
  const place = placeOf(item.link);
  if (place) go(place);
}

/** The focus goes to the row that takes the place of the one put away. */
function putAway(item) {
  const rows = [...body.querySelectorAll(".notifications-row")];
  const row = rows.find((known) => known.item === item);
  const focused = row?.contains(document.activeElement);
  const at = rows.indexOf(row);
  attempt(inbox.archive(item));
  if (focused) (rows[at + 1] ?? rows[at - 1])?.querySelector(".notifications-open").focus();
  ctx.announce(ctx.t("archived", { title: item.title }));
}
