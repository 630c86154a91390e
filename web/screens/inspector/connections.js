/** All connections by kind: open ones first, the closed ones of the older APIs behind one line. */

import { api } from "../../lib/api.js";
import { bdi, el } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { addressOf, doors } from "./doors.js";
import { RawConnection } from "./raw.js";
import { visible } from "./tree.js";

const OPEN = new Set(["connecting", "connected", "reconnecting"]);

/** The sockets of the older APIs that the inspector has opened; they end with it. */
export class RawConnections extends EventTarget {
  #ctx;
  #connections = new Map();
  #states = new Map();

  constructor(ctx) {
    super();
    this.#ctx = ctx;
  }

  /** `{state, detail?, ms?}` of a door; `ms` is how long its last pong took. */
  state({ id }) {
    return this.#states.get(id) ?? { state: "closed" };
  }

  isOpen(door) {
    return OPEN.has(this.state(door).state);
  }

  open(door) {
    this.#of(door).open();
  }

  close(door) {
    this.#of(door).close();
  }

  send(door, text) {
    this.#of(door).send({ text });
  }

  closeAll() {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
    this.#states.clear();
  }

  #of(door) {
    if (!this.#connections.has(door.id)) this.#connections.set(door.id, this.#make(door));
    return this.#connections.get(door.id);
  }

  #make(door) {
    const { frames, session, t } = this.#ctx;
    let asked = 0;
    const tell = (state, { detail = "", ms } = {}) => {
      this.#states.set(door.id, { state, detail, ms });
      this.dispatchEvent(new Event("changed"));
    };
    return new RawConnection(door, {
      session,
      t,
      verify: () => api.get("/api/v1/auth/me"),
      tell: (state, detail) => tell(state, { detail }),
      log: (direction, name, payload) => {
        frames.add(addressOf(door), direction, name, payload);
        if (direction === "out" && name === "ping") asked = performance.now();
        if (direction !== "in" || name !== "pong" || !asked) return;
        const ms = Math.round(performance.now() - asked);
        asked = 0;
        frames.add(addressOf(door), "note", `${ms} ms`, "ping → pong");
        tell("connected", { ms });
      },
    });
  }
}

/** Returns `{element, stop}`. */
export function connectionList(ctx, raw) {
  const { t } = ctx;
  const named = el("ul", { class: "inspector-doors" });
  const open = el("ul", { class: "inspector-doors" });
  const shut = el("ul", { class: "inspector-doors" });
  const more = el("summary", {});
  const rest = el("details", { class: "inspector-more" }, more, shut);
  const count = el("span", { class: "muted small" });

  const draw = () => {
    const focused = document.activeElement?.dataset?.door;
    const namespaces = doors.filter(({ kind }) => kind === "socketio");
    named.replaceChildren(...namespaces.map((door) => rowOf(ctx, door, namespaceState(ctx), bookOf(ctx, door))));
    const all = doors.filter(({ kind }) => kind === "raw");
    const opened = all.filter((door) => raw.isOpen(door));
    const closed = all.filter((door) => !raw.isOpen(door));
    const row = (door) => rowOf(ctx, door, raw.state(door), null, buttons(ctx, raw, door));
    open.replaceChildren(...opened.map(row));
    shut.replaceChildren(...closed.map(row));
    more.textContent = t("older.closed", { count: closed.length });
    rest.hidden = closed.length === 0;
    const live = ctx.connection.state.kind === "live" ? namespaces.length : 0;
    count.textContent = t("connections.open", { count: live + opened.length });
    if (focused) element.querySelector(`button[data-door="${focused}"]`)?.focus();
  };
  // A checksum is news of a book; other frames change nothing here.
  const noted = ({ detail }) => detail.payload?.checksum !== undefined && draw();
  ctx.connection.addEventListener("state", draw);
  ctx.frames.addEventListener("frame", noted);
  raw.addEventListener("changed", draw);
  const element = el(
    "details",
    { class: "inspector-section" },
    el("summary", {}, t("connections"), " ", count),
    el("h3", { class: "small" }, "Socket.IO"),
    named,
    el("h3", { class: "small" }, t("older")),
    open,
    rest,
    statistics(ctx),
  );
  draw();
  return {
    element,
    stop() {
      ctx.connection.removeEventListener("state", draw);
      ctx.frames.removeEventListener("frame", noted);
    },
  };
}

/** A namespace is as alive as the page's connection, of which it is a part. */
function namespaceState({ connection }) {
  const { kind } = connection.state;
  return { state: { live: "connected", reconnecting: "reconnecting", connecting: "connecting" }[kind] ?? "closed" };
}

/** What the last heartbeat of a followed book said of it, as the market's screen has noted it. */
function bookOf({ frames, t }, { namespace }) {
  if (namespace !== "/market") return null;
  const last = frames.list().findLast(({ connection, payload }) => connection === namespace && payload?.checksum !== undefined && payload.size !== undefined && payload.product_id === undefined);
  return last ? t("book", { size: last.payload.size, seq: last.payload.seq, state: last.name }) : null;
}

function rowOf({ t }, door, { state, detail = "", ms }, extra, controls) {
  const said = [t(`state.${state}`), ms !== undefined && t("pong", { ms }), detail].filter(Boolean).join(" · ");
  return el(
    "li",
    { class: "row", dataset: { state: state === "connected" ? "live" : state } },
    el("span", { class: "dot" }),
    el(
      "span",
      { class: "grow" },
      el("span", { class: "mono" }, addressOf(door)),
      " ",
      bdi(visible(said), { class: "muted small inspector-state" }),
      extra && bdi(visible(extra), { class: "muted small inspector-book" }),
    ),
    controls,
  );
}

function buttons({ t }, raw, door) {
  const opened = raw.isOpen(door);
  const name = addressOf(door);
  return [
    door.ping &&
      raw.state(door).state === "connected" &&
      el(
        "button",
        { type: "button", class: "quiet small", "aria-label": t("ping.door", { name }), onclick: () => raw.send(door, JSON.stringify(door.ping)) },
        t("ping"),
      ),
    el(
      "button",
      {
        type: "button",
        class: "quiet small",
        dataset: { door: door.id },
        "aria-label": t(opened ? "door.close" : "door.open", { name }),
        onclick: () => (opened ? raw.close(door) : raw.open(door)),
      },
      t(opened ? "shut" : "open"),
    ),
  ];
}

/** How many clients of the channels' API there are, and in which channels. */
function statistics({ t }) {
  const place = el("div", { class: "inspector-stats small", hidden: true });
  const ask = async () => {
    place.hidden = false;
    try {
      const [{ data }, status] = await Promise.all([api.get("/api/v1/ws/stats"), api.get("/api/v1/ws/status")]);
      const channels = Object.entries(data.channels).sort((a, b) => b[1] - a[1]);
      const line = (name, number) => el("div", {}, el("dt", {}, bdi(visible(name))), el("dd", { class: "numbers" }, String(number)));
      place.replaceChildren(
        el("dl", {}, line(t("stats.clients"), data.total_clients), line(t("stats.diary"), status.connected_users)),
        el("dl", { class: "mono", "aria-label": t("stats.channels") }, channels.map(([name, number]) => line(name, number))),
      );
    } catch (error) {
      place.replaceChildren(el("p", { class: "error" }, describe(error)));
    }
  };
  const button = el("button", { type: "button", class: "quiet small inspector-ask", onclick: ask }, t("stats"));
  return el("div", {}, button, place);
}
