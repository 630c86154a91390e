/** What the server knows of stories: commands, events, and the state they make up. No DOM here. */

import { isUnanswered } from "../../lib/answers.js";

const NAMESPACE = "/stories";
const PAGE = 50;

const REACTIONS = ["❤️", "😂", "😮", "👏", "😋", "🔥"];
export const TEXT_MAX = 2000;
/** What events changed is read again this long after the first of them, so that many cost one read. */
const REFRESH_MS = 300;
/** Names of viewers are read up to this many; of more, the number is said. */
const NAMES_MAX = 500;
const NAMES_PAGE = 100;

/** Publish a story, now or when the server is back; `audience` are ids, or null for everybody. */
export function publish(connection, { clientId, text, audience }) {
  return connection.send(NAMESPACE, "create_story", {
    text,
    visibility: audience ? "PRIVATE" : "PUBLIC",
    audience_user_ids: audience ?? [],
    client_id: clientId,
  });
}

/**
 * Stories by id. Emits `changed`, `reacted` ({storyId, userId, emoji}) when somebody has reacted to
 * an own story, or the reader to another's.
 *
 * Of a story the highest `version` holds, in whatever order answers and events come.
 */
export class Stories extends EventTarget {
  static REACTIONS = REACTIONS;

  #connection;
  #api;
  #people;
  #me;
  #stories = new Map();
  #gone = new Map();
  #stop;
  #expiry = null;
  #turn = 0;
  /** What came, and what changed, while the list was read: a page may be older. */
  #arrived = new Set();
  #touched = new Set();
  #unviewed = new Set();
  #outdated = new Set();
  #refreshing = null;
  #revision = 0;
  /** What the account has seen in one tab is seen in its others: the server tells the author only. */
  #tabs = null;
  readAt = null;
  failed = null;

  constructor({ connection, api, people, session }) {
    super();
    this.#connection = connection;
    this.#api = api;
    this.#people = people;
    this.#me = String(session.user.id);
    const hear = (event, run) => connection.on(NAMESPACE, event, run);
    this.#stop = [
      hear("story.created", (event) => this.#arrive(event)),
      hear("story.deleted", ({ story_id: id, version }) => this.#drop(id, version)),
      hear("story.viewed", (event) => this.#wasViewed(event)),
      hear("story.reacted", (event) => this.#wasReacted(event)),
      hear("story.unreacted", ({ story_id: id }) => this.#outdate(id)),
    ];
    if (globalThis.BroadcastChannel) {
      this.#tabs = new BroadcastChannel(`stories of ${this.#me}`);
      this.#tabs.addEventListener("message", ({ data }) => this.#hasViewed(data.viewed));
      // A process of tests does not wait for it.
      this.#tabs.unref?.();
    }
  }

  dispose() {
    this.#turn += 1;
    clearTimeout(this.#expiry);
    clearTimeout(this.#refreshing);
    for (const stop of this.#stop) stop();
    this.#tabs?.close();
    this.#tabs = null;
  }

  /** Read all stories that have not expired; what is known stays until the answer is there. */
  async reload() {
    this.#turn += 1;
    const own = this.#turn;
    this.#arrived.clear();
    this.#touched.clear();
    try {
      await this.#connection.settled();
      const items = [];
      let after = null;
      do {
        const page = await this.#connection.request(NAMESPACE, "list_stories", {
          limit: PAGE,
          ...(after ? { after } : {}),
        });
        if (own !== this.#turn) return;
        items.push(...page.items);
        after = page.next;
      } while (after);
      const listed = new Set(items.map(({ id }) => id));
      for (const id of this.#stories.keys()) {
        if (!listed.has(id) && !this.#arrived.has(id)) this.#stories.delete(id);
      }
      for (const item of items) this.#put(item);
      this.readAt = Date.now();
      this.failed = null;
      for (const id of this.#touched) this.#outdate(id);
      for (const id of [...this.#unviewed]) this.view(id).catch(() => {});
    } catch (error) {
      if (own !== this.#turn) return;
      this.failed = error;
    }
    this.#changed();
  }

  /** Newest first. */
  get all() {
    return [...this.#stories.values()]
      .filter(isCurrent)
      .sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
  }

  get(id) {
    const story = this.#stories.get(id);
    return story && isCurrent(story) ? story : null;
  }

  /** Authors with their stories, oldest first: oneself, then who has something unseen. */
  get authors() {
    const groups = new Map();
    for (const story of this.all.reverse()) {
      const group = groups.get(story.authorId) ?? { id: story.authorId, own: story.own, stories: [] };
      group.stories.push(story);
      groups.set(story.authorId, group);
    }
    const rank = ({ own, unseen }) => (own ? 0 : unseen ? 1 : 2);
    return [...groups.values()]
      .map((group) => ({ ...group, unseen: group.stories.some(({ viewed }) => !viewed) }))
      .sort((a, b) => rank(a) - rank(b) || newest(b) - newest(a));
  }

  /** Take over a story that the server has just answered with. */
  add(item) {
    this.#arrive(item);
  }

  async remove(id) {
    const { version } = this.get(id) ?? { version: 0 };
    await this.#connection.request(NAMESPACE, "delete_story", { story_id: id });
    this.#drop(id, version + 1);
  }

  /** Report a story to the operators, once: `{reason, note?}`. */
  async report(id, what) {
    await this.#connection.request(NAMESPACE, "report_story", { story_id: id, ...what });
  }

  /** Count the view of somebody else's story, once; what could not be sent goes with the next read. */
  async view(id) {
    this.#unviewed.delete(id);
    const story = this.get(id);
    if (!story || story.own || story.viewed) return;
    try {
      await this.#connection.request(NAMESPACE, "view_story", { story_id: id });
    } catch (error) {
      if (isUnanswered(error)) this.#unviewed.add(id);
      throw error;
    }
    this.#hasViewed(id);
    this.#tabs?.postMessage({ viewed: id });
  }

  /** React, or with the reaction that is set take it back. */
  async react(id, emoji) {
    const story = this.get(id);
    if (!story) return;
    const before = story.myReaction;
    const again = before === emoji;
    this.#setReaction(id, again ? null : emoji);
    try {
      if (again) await this.#connection.request(NAMESPACE, "unreact", { story_id: id });
      else await this.#connection.request(NAMESPACE, "react", { story_id: id, emoji });
    } catch (error) {
      this.#setReaction(id, before);
      throw error;
    }
    // A list that was read meanwhile may have been older.
    this.#setReaction(id, again ? null : emoji);
    if (!again) this.#tellReacted({ storyId: id, userId: this.#me, emoji });
  }

  /**
   * Who has seen an own story, and with what they reacted: `{people: [{userId, emoji, at}], more}`.
   *
   * The latest first; `more` counts those whose names were not read.
   */
  async audience(id) {
    const path = `/stories/${encodeURIComponent(id)}`;
    const [viewers, reactions] = await Promise.all([
      this.#names(`${path}/viewers`),
      this.#names(`${path}/reactions`),
    ]);
    const people = new Map();
    for (const item of viewers.items) {
      this.#people.learn(item.viewer);
      people.set(item.viewer_id, { userId: item.viewer_id, emoji: null, at: item.viewed_at });
    }
    for (const item of reactions.items) {
      this.#people.learn(item.user);
      const known = people.get(item.user_id) ?? { userId: item.user_id, at: item.reacted_at };
      people.set(item.user_id, { ...known, emoji: item.emoji });
    }
    const more = viewers.more ? Math.max(0, (this.get(id)?.views ?? 0) - viewers.items.length) : 0;
    return { people: [...people.values()], more };
  }

  async #names(path) {
    const items = [];
    let after = null;
    do {
      const page = await this.#api.get(path, { limit: String(NAMES_PAGE), ...(after ? { after } : {}) });
      items.push(...page.items);
      after = page.next;
    } while (after && items.length < NAMES_MAX);
    return { items, more: Boolean(after) };
  }

  #put(item) {
    const id = item.id ?? item.story_id;
    if ((this.#gone.get(id) ?? 0) >= item.version) return;
    if (item.author) this.#people.learn(item.author);
    const known = this.#stories.get(id);
    if (known && known.version > item.version) return;
    const own = String(item.author_id) === this.#me;
    this.#stories.set(id, {
      id,
      own,
      version: item.version,
      authorId: String(item.author_id),
      text: item.text,
      isPrivate: item.visibility === "PRIVATE",
      createdAt: item.created_at,
      expiresAt: item.expires_at,
      viewed: own || Boolean(item.viewed || known?.viewed),
      myReaction: item.my_reaction,
      views: item.view_count ?? known?.views ?? 0,
      reactions: item.reaction_count ?? known?.reactions ?? 0,
      revision: known?.revision ?? 0,
    });
  }

  /** An event has what is true for every reader, so what the reader has done since stays. */
  #arrive(item) {
    const id = item.id ?? item.story_id;
    this.#arrived.add(id);
    this.#put({ ...item, my_reaction: this.#stories.get(id)?.myReaction ?? item.my_reaction });
    this.#changed();
  }

  #drop(id, version) {
    this.#gone.set(id, version);
    this.#arrived.delete(id);
    this.#unviewed.delete(id);
    if (this.#stories.delete(id)) this.#changed();
  }

  #hasViewed(id) {
    this.#unviewed.delete(id);
    const story = this.#stories.get(id);
    if (!story || story.viewed) return;
    story.viewed = true;
    this.#changed();
  }

  #wasViewed({ story_id: id, viewer }) {
    this.#people.learn(viewer);
    const story = this.#stories.get(id);
    if (story) {
      story.views += 1;
      this.#changed();
    }
    this.#outdate(id);
  }

  #wasReacted({ story_id: id, user_id: userId, user, emoji }) {
    this.#people.learn(user);
    this.#tellReacted({ storyId: id, userId, emoji });
    // A second reaction of a person replaces the first, so the count is read.
    this.#outdate(id);
  }

  #setReaction(id, emoji) {
    const story = this.#stories.get(id);
    if (!story) return;
    story.myReaction = emoji;
    this.#changed();
  }

  #tellReacted(detail) {
    this.dispatchEvent(new CustomEvent("reacted", { detail }));
  }

  /** Read the counts of a story again, soon. */
  #outdate(id) {
    if (!this.#stories.has(id)) return;
    this.#outdated.add(id);
    this.#touched.add(id);
    this.#refreshing ??= setTimeout(() => this.#refresh(), REFRESH_MS);
  }

  async #refresh() {
    const own = this.#turn;
    const ids = [...this.#outdated];
    this.#outdated.clear();
    this.#refreshing = null;
    for (const id of ids) {
      try {
        const item = await this.#connection.request(NAMESPACE, "get_story", { story_id: id });
        // A list that has begun since is newer.
        if (own !== this.#turn) return;
        if (this.#stories.has(id)) this.#put(item);
        this.#revised(id);
      } catch {
        // The next reload has it.
      }
    }
  }

  /** The names behind the counts may have changed where the counts have not. */
  #revised(id) {
    const story = this.#stories.get(id);
    if (story) story.revision = (this.#revision += 1);
    this.#changed();
  }

  #changed() {
    for (const [id, story] of this.#stories) if (!isCurrent(story)) this.#stories.delete(id);
    // Expiry is silent: the next one is waited for here.
    clearTimeout(this.#expiry);
    const next = Math.min(...[...this.#stories.values()].map(({ expiresAt }) => Date.parse(expiresAt)));
    if (Number.isFinite(next)) {
      this.#expiry = setTimeout(() => this.#changed(), Math.min(next - Date.now() + 50, 2 ** 31 - 1));
    }
    this.dispatchEvent(new Event("changed"));
  }
}

function isCurrent({ expiresAt }) {
  return Date.parse(expiresAt) > Date.now();
}

function newest({ stories }) {
  return Date.parse(stories.at(-1).createdAt);
}
