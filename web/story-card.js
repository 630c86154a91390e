/** One story of the feed as the page shows it. */

import { busy, el } from "./dom.js";

const EMOJI = [
  ["❤️", "love"],
  ["😂", "laughing"],
  ["😮", "surprised"],
  ["😢", "sad"],
  ["👏", "applause"],
  ["🔥", "fire"],
];
/** A second press within this time deletes; later ones ask again. */
const CONFIRM_MS = 4_000;

/**
 * Make the card of `story`. `actions` has view, react, unreact, remove, viewers and reactions,
 * each taking the story's id and giving a promise; `fail` is told about what went wrong.
 */
export function storyCard(story, { own, actions, fail }) {
  const attempt = (button, work) => busy(button, work).catch(fail);
  const age = el("span", { class: "muted small" });
  const element = el(
    "li",
    { class: "card story", "data-story": story.id, "data-own": String(own) },
    el(
      "div",
      { class: "story-head" },
      avatar(story.author_id),
      el("strong", {}, own ? "You" : `User ${story.author_id}`),
      el("span", { class: "badge" }, story.visibility === "PRIVATE" ? "Private" : "Public"),
      age,
    ),
    el("p", { class: "story-text" }, story.text),
  );
  const part = own
    ? ownPart(story, actions, attempt, fail)
    : readerPart(story, actions, attempt);
  element.append(part.element);
  return {
    element,
    update(fresh) {
      part.update(fresh);
    },
    tick(now) {
      age.textContent = `${since(now - Date.parse(story.created_at))} · ${left(Date.parse(story.expires_at) - now)}`;
    },
  };
}

function readerPart(story, actions, attempt) {
  // A story that an event brought is new: this reader has done nothing with it yet.
  const mine = { viewed: Boolean(story.viewed), emoji: story.my_reaction ?? null };
  const view = el("button", { type: "button", class: "quiet compact view" }, "View");
  const buttons = EMOJI.map(([emoji, meaning]) =>
    el("button", { type: "button", class: "emoji", "data-emoji": emoji, "aria-label": meaning }, emoji),
  );
  const show = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.emoji === mine.emoji));
    }
    view.textContent = mine.viewed ? "Viewed" : "View";
    view.setAttribute("aria-pressed", String(mine.viewed));
  };
  view.addEventListener("click", () =>
    attempt(view, async () => {
      await actions.view(story.id);
      mine.viewed = true;
      show();
    }),
  );
  for (const button of buttons) {
    button.addEventListener("click", () =>
      attempt(button, async () => {
        const { emoji } = button.dataset;
        if (emoji === mine.emoji) {
          await actions.unreact(story.id);
          mine.emoji = null;
        } else {
          await actions.react(story.id, emoji);
          mine.emoji = emoji;
        }
        show();
      }),
    );
  }
  show();
  return {
    element: el(
      "div",
      { class: "story-foot" },
      el("div", { class: "emojis", role: "group", "aria-label": "React" }, ...buttons),
      view,
    ),
    update() {},
  };
}

function ownPart(story, actions, attempt, fail) {
  const counts = el("span", {});
  const people = el("ul", { class: "people" });
  const details = el("details", {}, el("summary", {}, counts), people);
  const remove = el("button", { type: "button", class: "quiet compact danger" }, "Delete");

  async function load() {
    const [viewers, reactions] = await Promise.all([
      actions.viewers(story.id),
      actions.reactions(story.id),
    ]);
    people.replaceChildren(...peopleOf(viewers.items, reactions.items));
  }

  function update(fresh) {
    const [views, reactions] = [fresh.view_count ?? 0, fresh.reaction_count ?? 0];
    counts.textContent = `${amount(views, "view")} · ${amount(reactions, "reaction")}`;
    if (details.open) load().catch(fail);
  }

  details.addEventListener("toggle", () => details.open && load().catch(fail));
  remove.addEventListener("click", () => {
    if (remove.dataset.asked) {
      attempt(remove, () => actions.remove(story.id));
      return;
    }
    remove.dataset.asked = "yes";
    remove.textContent = "Really delete?";
    setTimeout(() => {
      delete remove.dataset.asked;
      remove.textContent = "Delete";
    }, CONFIRM_MS);
  });
  update(story);
  return { element: el("div", { class: "story-foot" }, details, remove), update };
}

/** Who saw the story and with what they reacted, one line a person. */
function peopleOf(viewers, reactions) {
  const people = new Map(viewers.map(({ viewer_id }) => [viewer_id, "viewed"]));
  for (const { user_id, emoji } of reactions) people.set(user_id, emoji);
  if (people.size === 0) return [el("li", { class: "muted" }, "Nobody yet.")];
  return [...people].map(([id, what]) =>
    el("li", {}, avatar(id), `User ${id}`, el("span", { class: "muted" }, what)),
  );
}

function avatar(id) {
  // A colour per person, spread by the golden angle so that neighbours differ.
  const seed = [...String(id)].reduce((sum, character) => sum * 31 + character.codePointAt(0), 7);
  const element = el("span", { class: "avatar", "aria-hidden": "true" }, String(id).slice(0, 3));
  element.style.setProperty("--hue", String(Math.round((seed * 137.5) % 360)));
  return element;
}

function amount(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function since(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "just now";
  return minutes < 60 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ago`;
}

function left(ms) {
  const minutes = Math.ceil(ms / 60_000);
  return minutes <= 90 ? `${minutes} min left` : `${Math.round(minutes / 60)} h left`;
}
