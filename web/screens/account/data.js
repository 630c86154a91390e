/** What the server knows of one's own account: routes and fields. No DOM here. */

const ME = "/api/v1/auth/me";
/** More people than this no screen shows well; the rest comes as these are unblocked. */
const BLOCKED_PAGES = 5;
const SESSIONS = "/api/v1/auth/sessions";

export class Account {
  #api;
  #session;
  #people;

  constructor({ api, session, people }) {
    this.#api = api;
    this.#people = people;
    this.#session = session;
  }

  async profile() {
    const user = await this.#api.get(ME);
    this.#session.update(user);
    return user;
  }

  async change(values) {
    const user = await this.#api.patch(ME, values);
    this.#session.update(user);
    return user;
  }

  /** Set one's picture, a small square (a Blob), and show it at once. */
  async setPicture(blob) {
    const { picture } = await this.#api.put(`${ME}/picture`, blob);
    await this.#people.pictured(this.#session.user.id, picture);
  }

  async removePicture() {
    await this.#api.delete(`${ME}/picture`);
    await this.#people.pictured(this.#session.user.id, null);
  }

  changePassword({ current, next }) {
    return this.#api.post("/api/v1/auth/password", { current_password: current, new_password: next });
  }

  changeEmail({ email, password }) {
    return this.#api.post("/api/v1/auth/email", { email, password });
  }

  async sessions() {
    const { items } = await this.#api.get(SESSIONS);
    return items.map((item) => ({
      id: item.id,
      client: item.client,
      network: item.network,
      usedAt: item.last_used_at,
      current: item.current,
    }));
  }

  endSession(id) {
    return this.#api.delete(`${SESSIONS}/${encodeURIComponent(id)}`);
  }

  endOthers() {
    return this.#api.post(`${SESSIONS}/end-others`, {});
  }

  /** Everybody whom the account has blocked; pages follow each other. */
  async blocked() {
    const items = [];
    for (let after = null, turn = 0; turn < BLOCKED_PAGES; turn += 1) {
      const page = await this.#api.get("/api/v1/blocked-users", { limit: 100, after });
      items.push(...page.items);
      after = page.next;
      if (!after) break;
    }
    return items.map((item) => ({ id: String(item.user_id ?? item.id), name: item.user_name ?? item.name }));
  }

  unblock(id) {
    return this.#api.post(`/api/v1/users/${encodeURIComponent(id)}/unblock`, {});
  }

  export() {
    return this.#api.blob(`${ME}/export`);
  }

  remove(password) {
    return this.#api.delete(ME, { password });
  }
}
