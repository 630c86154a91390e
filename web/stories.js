/** The feed: read over REST, kept fresh by the events of the Socket.IO door `/stories`. */

import { session, stories } from "./api.js";
import { busy, byId } from "./dom.js";
import { clearErrors, message, showError } from "./forms.js";
import { storyCard } from "./story-card.js";

const PAGE_SIZE = 20;
const TICK_MS = 30_000;

export class Feed {
  #list = byId("feed");
  #cards = new Map();
  #next = null;
  #refreshes = new Map();
  /** Events that came while the feed was being read: the answer may be older than they are. */
  #meanwhile = null;
  #fail = (error) => message("feed-error", error.message);

  constructor() {
    this.#setUpForm();
    const more = byId("feed-more");
    more.addEventListener("click", () => busy(more, () => this.#page(this.#next)).catch(this.#fail));
    setInterval(() => this.#tick(), TICK_MS);
  }

  /** Read the newest page anew: at sign-in, and after a gap in the events. */
  async load() {
    const meanwhile = (this.#meanwhile = []);
    try {
      const page = await stories.feed({ limit: PAGE_SIZE });
      // A later reading, or signing out, makes this one's answer worthless.
      if (this.#meanwhile !== meanwhile) return;
      this.#clear();
      this.#take(page);
      for (const [name, data] of meanwhile) this.hear(name, data);
    } catch (error) {
      if (this.#meanwhile !== meanwhile) return;
      this.#meanwhile = null;
      this.#fail(error);
    }
  }

  /** Forget everything: the user has left. */
  reset() {
    this.#clear();
    byId("feed-empty").hidden = true;
  }

  #clear() {
    this.#meanwhile = null;
    message("feed-error", "");
    for (const id of [...this.#cards.keys()]) this.#remove(id);
    byId("feed-more").hidden = true;
  }

  /** Take in one event of the door `/stories`. */
  hear(name, data) {
    this.#meanwhile?.push([name, data]);
    switch (name) {
      case "story.created":
        this.#add({ ...data, id: data.story_id }, { newest: true });
        break;
      case "story.deleted":
        this.#remove(data.story_id);
        break;
      case "story.viewed":
      case "story.reacted":
      case "story.unreacted":
        this.#refresh(data.story_id);
        break;
    }
  }

  async #page(cursor) {
    this.#take(await stories.feed({ limit: PAGE_SIZE, after: cursor }));
  }

  #take({ items, next }) {
    for (const story of items) this.#add(story);
    this.#next = next;
    byId("feed-more").hidden = !next;
    this.#showEmpty();
  }

  #add(story, { newest = false } = {}) {
    if (!session.user || this.#cards.has(story.id)) return;
    const own = story.author_id === session.user.id;
    const actions = { ...stories, remove: (id) => this.#delete(id) };
    const card = storyCard(story, { own, actions, fail: this.#fail });
    card.expiresAt = Date.parse(story.expires_at);
    card.tick(Date.now());
    this.#cards.set(story.id, card);
    if (newest) this.#list.prepend(card.element);
    else this.#list.append(card.element);
    this.#showEmpty();
  }

  #remove(id) {
    this.#cards.get(id)?.element.remove();
    this.#cards.delete(id);
    this.#showEmpty();
  }

  async #delete(id) {
    await stories.remove(id);
    this.#remove(id);
  }

  /** Read a story's counts again; events that come meanwhile cause one more reading, not many. */
  async #refresh(id) {
    if (!this.#cards.has(id)) return;
    if (this.#refreshes.has(id)) {
      this.#refreshes.set(id, "again");
      return;
    }
    do {
      this.#refreshes.set(id, "running");
      try {
        this.#cards.get(id)?.update(await stories.get(id));
      } catch (error) {
        if (error.status === 404) this.#remove(id);
        else this.#fail(error);
      }
    } while (this.#refreshes.get(id) === "again");
    this.#refreshes.delete(id);
  }

  #tick() {
    const now = Date.now();
    for (const [id, card] of this.#cards) {
      if (card.expiresAt <= now) this.#remove(id);
      else card.tick(now);
    }
  }

  #showEmpty() {
    byId("feed-empty").hidden = this.#cards.size > 0;
  }

  #setUpForm() {
    const form = byId("story-form");
    const { text, visibility, audience } = form.elements;
    const showAudience = () => {
      byId("audience-field").hidden = visibility.value !== "PRIVATE";
    };
    visibility.addEventListener("change", showAudience);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      clearErrors(form, "story-error");
      const isPrivate = visibility.value === "PRIVATE";
      const ids = isPrivate ? audience.value.split(/[\s,;]+/).filter(Boolean) : [];
      const draft = { text: text.value, visibility: visibility.value, audience_user_ids: ids };
      // What was typed while the story is on its way would be lost when the form is cleared.
      text.readOnly = true;
      try {
        const story = await busy(form.querySelector("[type=submit]"), () => stories.create(draft));
        this.#add(story, { newest: true });
        form.reset();
        showAudience();
      } catch (error) {
        showError(form, error, "story-error");
      } finally {
        text.readOnly = false;
      }
    });
  }
}
