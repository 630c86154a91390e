/**
 * Who is signed in in this tab. The tokens live in sessionStorage, which belongs to one tab: two
 * tabs can be two users, and closing the tab forgets them.
 */

const KEY = "session";
/** Tokens are renewed this long before they end, so that none ends on its way to the server. */
const RENEW_AHEAD_MS = 60_000;

/** Emits `started` and `ended`; the detail of `ended` is the reason, when it was not the user. */
export class Session extends EventTarget {
  #state = read();
  #renewal = null;
  #refresh;

  /** @param refresh given a refresh token, resolves to a new login answer or throws. */
  constructor(refresh) {
    super();
    this.#refresh = refresh;
  }

  get user() {
    return this.#state?.user ?? null;
  }

  /** The tokens as they are, for telling the server goodbye. */
  get tokens() {
    return { token: this.#state?.token, refreshToken: this.#state?.refreshToken };
  }

  /** Take over a login answer. */
  start(answer) {
    this.#keep(answer);
    this.dispatchEvent(new Event("started"));
  }

  end(reason = "") {
    if (!this.#state) return;
    this.#state = null;
    sessionStorage.removeItem(KEY);
    this.dispatchEvent(new CustomEvent("ended", { detail: reason }));
  }

  /** Give a token that is good for a while, renewing it first when it is about to end. */
  async token() {
    if (this.#state && this.#state.expiresAt - Date.now() < RENEW_AHEAD_MS) {
      // Renewal may fail for want of a network; the present token is then still the best there is.
      await this.renew().catch(() => {});
    }
    return this.#state?.token ?? null;
  }

  /** Trade the refresh token for new ones. Callers at the same time share one request. */
  renew() {
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #renew() {
    const before = this.#state;
    try {
      const answer = await this.#refresh(before.refreshToken);
      // The user may have signed out, or in as somebody else, in the meantime.
      if (this.#state === before) this.#keep(answer);
    } catch (error) {
      if (this.#state === before && (error.status === 401 || error.status === 403)) {
        this.end("Your session has ended. Please sign in again.");
      }
      throw error;
    }
  }

  #keep(answer) {
    this.#state = {
      token: answer.access_token,
      refreshToken: answer.refresh_token,
      expiresAt: Date.now() + answer.expires_in * 1000,
      user: answer.user ?? this.#state?.user,
    };
    sessionStorage.setItem(KEY, JSON.stringify(this.#state));
  }
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}
