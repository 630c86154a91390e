/** Names and pictures of people by account id: asked for together, kept, and shown live. */

import { api } from "./api.js";
import { el, setText } from "./dom.js";
import { t } from "./i18n.js";

/** The server takes this many ids at once. */
const BATCH = 100;
/** Ids of one screenful are collected for this long. */
const COLLECT_MS = 20;
/** Pictures that are held: more than a screen shows, each of some 20 KB. */
const PICTURES = 300;
/** Pictures of those who are on screen are asked for again after so long: others change theirs. */
const LOOK_AGAIN_MS = 60_000;

/** What people without a name are called, by what the server says of their ids. */
const NAMELESS = { account: "person.nameless", alias: "person.unanswered", unknown: "person.deleted" };

/** Emits `change` (detail: the id) when something about a person is known or has changed. */
class People extends EventTarget {
  #known = new Map();
  #wanted = new Set();
  #asked = new Set();
  #timer = null;
  /** Addresses of pictures by account id, those that were loaded first at the beginning. */
  #pictures = new Map();

  /**
   * What is known of a person: `{id, name, kind?, status?, picture?, version?}`, or undefined.
   *
   * `kind` is `account`, `alias` (named by an address, not answered yet) or `unknown` (deleted).
   */
  get(id) {
    return this.#known.get(String(id));
  }

  /** The name to show; asks for it when it is not known yet. */
  name(id) {
    const person = this.get(id);
    if (!person || person.name === undefined) this.#want(String(id));
    return person?.name || t(person?.kind ? NAMELESS[person.kind] : "person.unknown");
  }

  /** The address of a person's picture, or null; asks for it when it is not known yet. */
  picture(id) {
    const person = this.get(id);
    if (person?.version === undefined) this.#want(String(id));
    return person?.picture ?? null;
  }

  /** Show the picture of this version (null: none) for a person. */
  async pictured(id, version) {
    const key = String(id);
    if (this.get(key)?.version === version && (version === null || this.#pictures.has(key))) return;
    if (version === null) {
      this.#forgetPicture(key);
      return this.learn({ id: key, version, picture: null });
    }
    const session = this.#session;
    const blob = await api.blob(`/api/v1/users/${encodeURIComponent(key)}/picture?v=${encodeURIComponent(version)}`);
    // Another account has signed in meanwhile.
    if (session !== this.#session) return;
    const before = this.#pictures.get(key);
    this.#pictures.delete(key);
    this.#pictures.set(key, URL.createObjectURL(blob));
    this.learn({ id: key, version, picture: this.#pictures.get(key) });
    if (before) URL.revokeObjectURL(before);
    for (const oldest of this.#pictures.keys()) {
      if (this.#pictures.size <= PICTURES) break;
      this.#forgetPicture(oldest);
      this.learn({ id: oldest, version: undefined, picture: null });
    }
  }

  /** Ask for these people again. */
  lookAgain(ids) {
    for (const id of ids) {
      this.#asked.delete(String(id));
      this.#want(String(id));
    }
  }

  #session = 0;

  #forgetPicture(id) {
    const address = this.#pictures.get(id);
    if (address) URL.revokeObjectURL(address);
    this.#pictures.delete(id);
  }

  /** Take over what an event or a list said of a person; what it left out stays. */
  learn(person) {
    if (!person?.id) return;
    const { name, ...said } = person;
    const id = String(said.id);
    const before = this.#known.get(id);
    // Without a name there may be no one, or one who has not said it: that is asked for.
    const tells = name || (name === null && said.kind);
    const next = { ...before, ...said, ...(tells && { name }), id };
    if (JSON.stringify(before) === JSON.stringify(next)) return;
    this.#known.set(id, next);
    this.dispatchEvent(new CustomEvent("change", { detail: id }));
  }

  /** Forget all people: the next account may not know them. */
  clear() {
    this.#session += 1;
    for (const id of [...this.#pictures.keys()]) this.#forgetPicture(id);
    this.#known.clear();
    this.#wanted.clear();
    this.#asked.clear();
    clearTimeout(this.#timer);
    this.#timer = null;
  }

  #want(id) {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    this.#wanted.add(id);
    this.#timer ??= setTimeout(() => this.#ask(), COLLECT_MS);
  }

  async #ask() {
    this.#timer = null;
    const session = this.#session;
    const ids = [...this.#wanted].slice(0, BATCH);
    for (const id of ids) this.#wanted.delete(id);
    if (this.#wanted.size) this.#timer = setTimeout(() => this.#ask(), COLLECT_MS);
    try {
      const { items } = await api.get("/api/v1/users", { ids: ids.join(",") });
      // Nothing of one account stays for the next.
      if (session !== this.#session) return;
      for (const { picture, ...person } of items) {
        // One who is shown under another name than the account's keeps it.
        const isKept = person.name === null && person.kind === "account" && this.get(person.id)?.name;
        if (!isKept) this.learn(person);
        if (picture !== undefined) this.pictured(person.id, picture).catch(() => this.#asked.delete(person.id));
      }
    } catch {
      // They are asked for again the next time their names are shown.
      if (session === this.#session) for (const id of ids) this.#asked.delete(id);
    }
  }
}

export const people = new People();

/** An element with the name of a person, which follows changes of it. */
export function personName(id, attributes = {}) {
  return el("bdi", { ...attributes, "data-person-name": id }, people.name(id));
}

/**
 * An avatar: the picture, or initials on a hue of the id.
 *
 * `status` (`available`, `away`, `busy`, `offline`) adds a dot whose shape says it as well; `ring`
 * (`seen`, `unseen`) a ring around it. The name next to it says who it is, so it is hidden from screen
 * readers unless it has a `label`. With a `name` of its own no account is asked about.
 */
export function avatar(id, { size = 36, status, ring, label, name } = {}) {
  const element = el("span", {
    class: ["avatar", ring && `ring-${ring}`],
    "data-person-avatar": name === undefined ? id : null,
    role: label ? "img" : null,
    "aria-label": label,
    "aria-hidden": label ? null : "true",
  });
  element.style.setProperty("--size", `${size}px`);
  element.style.setProperty("--hue", String(hueOf(String(id))));
  draw(element, id, name);
  if (status) element.append(presence(status));
  return element;
}

/** A dot whose fill and shape say how present a person is. */
export function presence(status) {
  return el("span", { class: ["presence", status], title: t(`presence.${status}`) });
}

/** The first letters of the first and last word, as people abbreviate themselves. */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const first = (word) => [...new Intl.Segmenter().segment(word)][0]?.segment ?? "";
  const letters = words.length > 1 ? first(words[0]) + first(words.at(-1)) : first(words[0] ?? "");
  return letters.toLocaleUpperCase();
}

function draw(element, id, name) {
  const picture = name === undefined && people.picture(id);
  const text = el("span", { class: "initials" }, initials(name ?? people.name(id)));
  element.querySelector(".initials, img")?.remove();
  element.prepend(picture ? el("img", { src: picture, alt: "", draggable: "false" }) : text);
}

/** The golden angle between neighbours keeps ids that follow each other far apart. */
const HUE_STEP = 137.5;

function hueOf(id) {
  let hash = 0;
  for (const char of id) hash = (hash * 31 + char.codePointAt(0)) % 10_007;
  return Math.round((hash * HUE_STEP) % 360);
}

people.addEventListener("change", ({ detail: id }) => {
  const named = CSS.escape(id);
  for (const element of document.querySelectorAll(`[data-person-name="${named}"]`)) {
    setText(element, people.name(id));
  }
  for (const element of document.querySelectorAll(`[data-person-avatar="${named}"]`)) {
    draw(element, id);
  }
});

/** Bring the pictures on screen up to date, as far as someone looks at them. */
function lookAgain() {
  if (document.hidden) return;
  const shown = document.querySelectorAll("[data-person-avatar]");
  const ids = new Set(Array.from(shown, (element) => element.dataset.personAvatar));
  people.lookAgain([...ids].slice(0, BATCH));
}

globalThis.document?.addEventListener("visibilitychange", lookAgain);
setInterval(lookAgain, LOOK_AGAIN_MS).unref?.();
