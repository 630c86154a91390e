/** One connection per door, and its present state for whoever wants to know. */

import { addressOf, doors } from "./doors.js";
import { RawConnection } from "./raw.js";
import { SocketIoConnection } from "./socketio.js";

const KINDS = { socketio: SocketIoConnection, raw: RawConnection };
const OPEN_STATES = new Set(["connecting", "connected", "reconnecting"]);

/** Emits `state` with {door, state, detail} and `frame` with {door, direction, name, payload}. */
export class Connections extends EventTarget {
  #connections = new Map();
  #states = new Map();

  /** `verify` asks the server whether it takes the session's token. */
  constructor(session, verify) {
    super();
    for (const entry of doors) {
      const door = { ...entry, address: addressOf(entry) };
      this.#states.set(door.id, { door, state: "closed", detail: "" });
      const connection = new KINDS[door.kind](door, {
        session,
        verify,
        tell: (state, detail = "") => {
          this.#states.set(door.id, { door, state, detail });
          this.#emit("state", { door, state, detail });
        },
        log: (direction, name, payload) =>
          this.#emit("frame", { door, direction, name, payload }),
      });
      this.#connections.set(door.id, connection);
    }
  }

  /** The doors in their order, each with its address. */
  get doors() {
    return [...this.#states.values()].map(({ door }) => door);
  }

  state(id) {
    return this.#states.get(id).state;
  }

  /** Whether the door is connected or on its way there. */
  active(id) {
    return OPEN_STATES.has(this.state(id));
  }

  open(id) {
    this.#connections.get(id).open();
  }

  close(id) {
    if (this.state(id) !== "closed") this.#connections.get(id).close();
  }

  send(id, frame) {
    return this.#connections.get(id).send(frame);
  }

  openAutomatic() {
    for (const door of doors) if (door.auto) this.open(door.id);
  }

  closeAll() {
    for (const door of doors) this.close(door.id);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
