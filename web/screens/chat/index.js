/** Chat: the list of conversations beside the one that is open. */

import { el, icon } from "../../lib/dom.js";
import { conversationsOf } from "./conversations.js";
import { newConversation } from "./dialogs.js";
import { conversationList } from "./list.js";
import { outboxOf } from "./outbox.js";
import { room } from "./room.js";

let ctx = null;
let root = null;
let shared = null;
let list = null;
let main = null;
let open = null;

/** Messages were not missed; who is here is read anew. */
const onRecovered = () => open?.catchUp();

export const screen = {
  mount(place, context, params) {
    ctx = context;
    ctx.connection.addEventListener("recovered", onRecovered);
    root = place;
    const store = conversationsOf(ctx);
    shared = { store, outbox: outboxOf(ctx, store.server) };
    list = conversationList(ctx, shared);
    main = el("div", { class: "chat-place" });
    root.classList.add("split");
    root.replaceChildren(list.element, main);
    show(params);
  },
  update(params) {
    show(params);
  },
  unmount() {
    ctx.connection.removeEventListener("recovered", onRecovered);
    open?.dispose();
    list?.dispose();
    open = null;
    list = null;
  },
  catchUp() {
    open?.catchUp();
  },
};

function show([id, seq]) {
  const wanted = /^\d{1,10}$/.test(seq ?? "") ? Number(seq) : null;
  root.dataset.shows = id ? "main" : "side";
  list.open(id ?? null);
  if (id && open?.id === id) {
    if (wanted !== null) open.jump(wanted);
    return;
  }
  const before = open?.id;
  ctx.setTitle(ctx.t("screen.chat"));
  open?.dispose();
  open = null;
  if (id) {
    open = room(ctx, shared, id, wanted);
    main.replaceChildren(open.element);
    return;
  }
  main.replaceChildren(nothingOpen());
  // Back on a phone: the focus is where one came from.
  if (before) list.element.querySelector(`a[href="${CSS.escape(ctx.href(before))}"]`)?.focus();
}

function nothingOpen() {
  const { t } = ctx;
  return el(
    "div",
    { class: "note empty chat-nothing" },
    icon("chat", { size: 36 }),
    el("p", {}, t("room.none")),
    el(
      "button",
      { type: "button", onclick: () => newConversation(ctx, shared.store) },
      icon("edit", { size: 18 }),
      t("new.message"),
    ),
  );
}
