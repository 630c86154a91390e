/** What can be done with a message: a small bar on the one that is pointed at, keys, a long press. */

import { el, icon } from "../../lib/dom.js";
import { menuOf } from "../../lib/menu.js";
import { toast } from "../../lib/toast.js";
import { linkTo } from "./data.js";
import { QUICK, openEmoji } from "./emoji.js";

const LONG_PRESS_MS = 450;

/** One bar for all rows, and one tab stop among them. */
export class Actions {
  #ctx;
  #room;
  #rows;
  #bar;
  #more;
  #smile;
  #stops = [];
  #current = null;
  #pressing = null;

  /** @param room `{rows, timeline, act, focusComposer()}` */
  constructor(ctx, room) {
    this.#ctx = ctx;
    this.#room = room;
    this.#rows = room.rows;
    const { t } = ctx;
    this.#smile = this.#button("smile", t("action.react"), () => this.#pickEmoji());
    this.#more = this.#button("more", t("action.more"), null);
    this.#more.classList.add("chat-more");
    menuOf(this.#more, () => this.#items());
    this.#bar = el(
      "div",
      { class: "chat-actions", role: "group", "aria-label": t("action.label") },
      QUICK.map((emoji) =>
        el(
          "button",
          {
            type: "button",
            class: "icon-button small chat-quick",
            tabindex: -1,
            "aria-label": t("action.quick", { emoji }),
            onclick: () => this.#run((message) => room.act.react(message, emoji)),
          },
          emoji,
        ),
      ),
      this.#smile,
      this.#button("reply", t("action.reply"), () => this.#run(room.act.reply)),
      this.#more,
    );
    this.#listen();
  }

  dispose() {
    clearTimeout(this.#pressing);
    for (const stop of this.#stops) stop();
  }

  /** Have one row that Tab reaches, after the rows have changed. */
  settle() {
    if (this.#current?.isConnected) return;
    this.#current = null;
    if (this.#rows.lastElementChild) this.choose(this.#rows.lastElementChild);
  }

  /** Make a row the one that Tab reaches, with what is in it. */
  choose(row) {
    if (this.#current === row) return;
    if (this.#current) setStops(this.#current, -1);
    this.#current = row;
    setStops(row, 0);
  }

  #listen() {
    const rows = this.#rows;
    const on = (event, run, options) => {
      rows.addEventListener(event, run, options);
      this.#stops.push(() => rows.removeEventListener(event, run, options));
    };
    const rowOf = ({ target }) => target.closest?.(".chat-row");
    on("pointerover", (event) => {
      if (event.pointerType === "mouse") this.#offer(rowOf(event));
    });
    on("focusin", (event) => {
      const row = rowOf(event);
      if (!row) return;
      this.choose(row);
      if (row.matches(":focus-visible") || row.querySelector(":focus-visible")) this.#offer(row);
    });
    on("keydown", (event) => this.#onKey(event, rowOf(event)));
    on("pointerdown", (event) => {
      clearTimeout(this.#pressing);
      const row = rowOf(event);
      if (event.pointerType === "mouse" || !row) return;
      this.#pressing = setTimeout(() => this.#openMenu(row), LONG_PRESS_MS);
    });
    for (const end of ["pointerup", "pointercancel", "pointermove"]) {
      on(end, (event) => {
        if (end !== "pointermove" || Math.hypot(event.movementX, event.movementY) > 3) {
          clearTimeout(this.#pressing);
        }
      });
    }
    on("contextmenu", (event) => {
      // A long press on a touch screen asks for this menu and not for the browser's.
      if (event.pointerType === "touch") event.preventDefault();
    });
  }

  #onKey(event, row) {
    if (!row || event.target !== row) {
      if (row && event.key === "Escape") {
        event.stopPropagation();
        row.focus();
      }
      return;
    }
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const next = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.#rows.firstElementChild,
      End: this.#rows.lastElementChild,
    };
    if (event.key in next && plain) {
      event.preventDefault();
      const to = next[event.key];
      to?.focus();
      to?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape") this.#room.focusComposer();
    else if ((event.key === "Enter" || event.key === "ContextMenu") && plain) {
      event.preventDefault();
      this.#openMenu(row);
    } else if (plain && event.key === "r") {
      event.preventDefault();
      this.#run(this.#room.act.reply, row);
    } else if (plain && event.key === "e" && row.row.isOwn) {
      event.preventDefault();
      this.#run(this.#room.act.edit, row);
    }
  }

  #offer(row) {
    if (!row || !this.#allows(row)) return;
    this.#bar.classList.toggle("reading", !this.#mayWrite);
    const place = row.querySelector(".chat-message");
    if (this.#bar.parentElement !== place) place.append(this.#bar);
  }

  #allows({ row }) {
    return row.message && !row.message.deletedAt;
  }

  /** Who only looks into a channel, or is only asked, can copy and report. */
  get #mayWrite() {
    const { timeline } = this.#room;
    return timeline.isMember && !timeline.conversation.request;
  }

  #openMenu(row) {
    if (!this.#allows(row)) return;
    this.choose(row);
    this.#offer(row);
    // Without a pointer on it the bar is not laid out, and the menu would have no place beside it.
    this.#bar.classList.add("shown");
    this.#more.click();
    this.#bar.classList.remove("shown");
  }

  #run(action, row = this.#bar.closest(".chat-row")) {
    if (row && this.#allows(row) && this.#mayWrite) action(row.row.message);
  }

  #pickEmoji() {
    const row = this.#bar.closest(".chat-row");
    if (!row) return;
    openEmoji(this.#smile, this.#ctx.t, (emoji) => {
      this.#run((message) => this.#room.act.react(message, emoji), row);
      row.focus({ preventScroll: true });
    });
  }

  #items() {
    const { t } = this.#ctx;
    const row = this.#bar.closest(".chat-row");
    const { message, isOwn } = row.row;
    const { act } = this.#room;
    const writes = this.#mayWrite;
    return [
      writes && { label: t("action.react"), icon: "smile", run: () => setTimeout(() => this.#pickEmoji()) },
      writes && { label: t("action.reply"), icon: "reply", run: () => setTimeout(() => act.reply(message)) },
      message.content && {
        label: t("action.copy"),
        icon: "copy",
        run: () => this.#copy(message.content),
      },
      {
        label: t("action.link"),
        icon: "share",
        run: () => this.#copy(linkTo(message.conversationId, message.seq)),
      },
      !isOwn && { label: t("report"), icon: "flag", run: () => setTimeout(() => act.report(message)) },
      isOwn && { label: t("action.seen"), icon: "eye", run: () => setTimeout(() => act.seen(message)) },
      isOwn && writes && { label: t("edit"), icon: "edit", run: () => setTimeout(() => act.edit(message)) },
      isOwn && writes && {
        label: t("delete"),
        icon: "trash",
        danger: true,
        run: () => setTimeout(() => act.remove(message)),
      },
    ].filter(Boolean);
  }

  async #copy(text) {
    const { t } = this.#ctx;
    try {
      await navigator.clipboard.writeText(text);
      toast(t("copied"), { kind: "ok" });
    } catch {
      toast(t("copied.not"), { kind: "error" });
    }
  }

  #button(symbol, label, run) {
    return el(
      "button",
      {
        type: "button",
        class: "icon-button small",
        tabindex: -1,
        "aria-label": label,
        title: label,
        onclick: run,
      },
      icon(symbol, { size: 18 }),
    );
  }
}

function setStops(row, stop) {
  row.tabIndex = stop;
  for (const inner of row.querySelectorAll("a, button, input, video")) {
    if (!inner.closest(".chat-actions")) inner.tabIndex = stop;
  }
}
