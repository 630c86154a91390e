/**
 * Who is signed in in this tab.
 *
 * The tokens live in sessionStorage, which belongs to one tab: two tabs can be two people, and
 * closing the tab forgets them. A duplicated tab begins with a copy of the session, so copies share
 * renewals: one refreshes at a time (Web Locks) and the others take over its tokens
 * (BroadcastChannel), since a refresh token that is used twice ends the session.
 */

const KEY = "session";
/** Tokens are renewed this long before they end, so that none ends on its way to the server. */
const RENEW_AHEAD_MS = 60_000;
/** Of a token that lives for less than four times that, in its last quarter. */
const RENEW_AHEAD_PART = 4;
/** How long other copies have to say that they hold newer tokens. */
const ASK_MS = 150;

/**
 * Emits `started`, `ended` (detail: a code, empty when the user signed out), `renewed` (new tokens)
 * and `changed` (the user's own data).
 */
export class Session extends EventTarget {
  #state = read();
  #renewal = null;
  #timer = null;
  #refresh;
  #channel = globalThis.BroadcastChannel ? new BroadcastChannel("session") : null;

  /** @param refresh given a refresh token, resolves to a login answer or throws an ApiError. */
  constructor(refresh) {
    super();
    this.#refresh = refresh;
    this.#channel?.addEventListener("message", ({ data }) => this.#hear(data));
  }

  /** The account as the server last said, or null. */
  get user() {
    return this.#state?.user ?? null;
  }

  /** The tokens as they are, for ending them. */
  get tokens() {
    return { token: this.#state?.token, refreshToken: this.#state?.refreshToken };
  }

  /** Take over a login answer. */
  start(answer) {
    if (this.#state) this.#forget("");
    this.#keep(answer, { family: random(), turn: 0 });
    this.dispatchEvent(new Event("started"));
  }

  /** End it here and in the tab's copies; `reason` is the code of a refusal. */
  end(reason = "") {
    const family = this.#state?.family;
    if (!family) return;
    this.#channel?.postMessage({ kind: "ended", family, reason });
    this.#forget(reason);
  }

  /** Take over the account's own data after a change. */
  update(user) {
    if (!this.#state) return;
    this.#state = { ...this.#state, user };
    write(this.#state);
    this.dispatchEvent(new Event("changed"));
  }

  /** Return a token that holds for a while, renewing it first when it is about to end. */
  async token() {
    const state = this.#state;
    if (state && state.expiresAt - Date.now() < state.aheadMs) {
      // Renewal may fail for want of a network; the present token is then still the best there is.
      await this.renew().catch(() => {});
    }
    return this.#state?.token ?? null;
  }

  /** Renew the tokens a while before they end; the server says when that is near. */
  renewInTime() {
    if (!this.#state) return;
    clearTimeout(this.#timer);
    const wait = this.#state.expiresAt - this.#state.aheadMs - Date.now();
    this.#timer = setTimeout(() => this.renew().catch(() => {}), Math.max(0, wait));
  }

  /** Trade the refresh token for new ones. Callers at the same time share one request. */
  renew() {
    const turn = this.#state?.turn;
    this.#renewal ??= this.#exclusively(() => this.#renew(turn)).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  #exclusively(work) {
    const name = `session ${this.#state?.family}`;
    // Web Locks are for secure contexts; elsewhere copies rely on the server's minute of grace.
    return navigator.locks ? navigator.locks.request(name, work) : work();
  }

  async #renew(turn) {
    if (!this.#state || this.#state.turn !== turn) return;
    await this.#askCopies(this.#state);
    // A copy may have renewed it meanwhile.
    if (this.#state?.turn !== turn) return;
    const before = this.#state;
    try {
      const answer = await this.#refresh(before.refreshToken);
      // The user may have signed out in the meantime, or in to another account.
      if (this.#state?.family !== before.family) return;
      this.#keep(answer, { family: before.family, turn: before.turn + 1 });
      this.#channel?.postMessage({ kind: "renewed", state: this.#state });
      this.dispatchEvent(new Event("renewed"));
    } catch (error) {
      if (this.#state?.turn === turn && (error.status === 401 || error.status === 403)) {
        this.end(error.code);
      }
      throw error;
    }
  }

  /** A copy may have renewed while this tab slept. */
  async #askCopies(state) {
    if (!this.#channel) return;
    this.#channel.postMessage({ kind: "ask", family: state.family, turn: state.turn });
    const started = Date.now();
    while (this.#state?.turn === state.turn && Date.now() - started < ASK_MS) {
      await new Promise((resolve) => setTimeout(resolve, ASK_MS / 10));
    }
  }

  #hear({ kind, family, turn, state, reason }) {
    const own = this.#state;
    if (!own || own.family !== (family ?? state?.family)) return;
    if (kind === "ended") this.#forget(reason);
    else if (kind === "ask" && own.turn > turn) {
      this.#channel.postMessage({ kind: "renewed", state: own });
    } else if (kind === "renewed" && state.turn > own.turn) {
      this.#state = state;
      write(state);
      this.dispatchEvent(new Event("renewed"));
    }
  }

  #forget(reason) {
    clearTimeout(this.#timer);
    this.#state = null;
    // Drafts and whatever else belongs to the account go with it.
    sessionStorage.clear();
    this.dispatchEvent(new CustomEvent("ended", { detail: reason }));
  }

  #keep(answer, { family, turn }) {
    const lifetimeMs = answer.expires_in * 1000;
    this.#state = {
      token: answer.access_token,
      refreshToken: answer.refresh_token,
      expiresAt: Date.now() + lifetimeMs,
      aheadMs: Math.min(RENEW_AHEAD_MS, lifetimeMs / RENEW_AHEAD_PART),
      user: answer.user ?? this.#state?.user,
      family,
      turn,
    };
    write(this.#state);
  }
}

/** Keep a value of the signed-in account in this tab (a draft): it survives a reload, not signing out. */
export const kept = {
  get(key) {
    try {
      return JSON.parse(sessionStorage.getItem(`kept ${key}`));
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      if (value === null || value === undefined || value === "") {
        sessionStorage.removeItem(`kept ${key}`);
      } else sessionStorage.setItem(`kept ${key}`, JSON.stringify(value));
    } catch {
      // A full or forbidden storage keeps nothing; the page works without.
    }
  },
};

/**
 * Return what gives each signed-in account its one thing: made by `make(ctx, …)` with the first use,
 * and disposed of when the session ends.
 */
export function perSession(make) {
  const opened = new WeakMap();
  return (ctx, ...more) => {
    let thing = opened.get(ctx.connection);
    if (!thing) {
      thing = make(ctx, ...more);
      opened.set(ctx.connection, thing);
      const end = () => {
        ctx.session.removeEventListener("ended", end);
        opened.delete(ctx.connection);
        thing.dispose();
      };
      ctx.session.addEventListener("ended", end);
    }
    return thing;
  };
}

/** 128 random bits; `crypto.randomUUID` is for secure contexts only. */
export function random() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function write(state) {
  sessionStorage.setItem(KEY, JSON.stringify(state));
}
