/** A small picker of emoji: those people use most, and those they used last. */

import { el } from "../../lib/dom.js";
import { roving } from "../../lib/keys.js";
import { place } from "../../lib/menu.js";
import { kept } from "../../lib/session.js";

const RECENT = "chat.emoji";
const RECENT_MAX = 16;
/** What a message is answered with at one press. */
export const QUICK = ["👍", "❤️", "😂"];

const GROUPS = {
  smileys:
    "😀 😃 😄 😁 😆 😅 😂 🤣 🙂 😉 😊 😇 🥰 😍 😘 😋 😜 🤪 🤗 🤭 🤔 🤐 😐 😏 😌 😴 😎 🤓 🥳 😕 😟 😮 😲 🥺 😢 😭 😤 😡 🤯 😱 🥶 🥵 🤢 🤒 💩 👻 🤖",
  people:
    "👍 👎 👌 ✌️ 🤞 🤙 👋 🙌 👏 🙏 💪 🤝 ✍️ 👀 🧠 👶 🧑 👩 👨 🧓 🙋 🤷 🤦 🙇 💃 🕺 🏃 🧘",
  hearts: "❤️ 🧡 💛 💚 💙 💜 🖤 🤍 💔 💯 💥 💫 ✨ ⭐ 🔥 🎉 🎊 🎁 🏆 🥇",
  life:
    "🍜 🍕 🍔 🍣 🍚 🥗 🍎 🍓 🍰 🍪 🍫 ☕ 🍵 🍺 🥂 🐶 🐱 🐭 🐻 🐼 🐸 🦄 🌸 🌳 🌈 ☀️ 🌙 ❄️ 🌊 🏠 🚗 🚲 ✈️ ⚽ 🏀 🎮 🎧 🎬 📷 📚",
  signs: "✅ ❌ ❓ ❗ ⚠️ 🚫 ➕ ➡️ 🔄 🔔 📌 📎 📅 ⏰ 💡 🔒 🔑 💬 👉 👇 👆 🆗 🆕 🔝",
};

/** Open the picker beside `anchor`; `pick(emoji)` hears the choice. */
export function openEmoji(anchor, t, pick) {
  const recent = kept.get(RECENT) ?? [];
  const groups = Object.entries(GROUPS).map(([name, list]) => [name, list.split(" ")]);
  if (recent.length) groups.unshift(["recent", recent]);
  const element = el(
    "div",
    { class: "menu chat-emoji", role: "dialog", "aria-label": t("emoji.title") },
    groups.map(([name, list]) => [
      el("h3", { class: "chat-emoji-title" }, t(`emoji.${name}`)),
      el(
        "div",
        { class: "chat-emoji-grid", role: "group", "aria-label": t(`emoji.${name}`) },
        list.map((emoji) =>
          el("button", { type: "button", class: "chat-emoji-choice", tabindex: -1 }, emoji),
        ),
      ),
    ]),
  );
  const close = (focus = true) => {
    // While it is expanded: a bar that shows only then can still take the focus.
    if (focus && anchor.isConnected) anchor.focus();
    element.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", away, true);
    removeEventListener("resize", follow);
  };
  /** Stay at the button, also when the window is turned. */
  const follow = () => place(element, anchor);
  const away = ({ target }) => !element.contains(target) && close(false);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    close();
  });
  element.addEventListener("click", ({ target }) => {
    const choice = target.closest(".chat-emoji-choice");
    if (!choice) return;
    const emoji = choice.textContent;
    kept.set(RECENT, [emoji, ...recent.filter((each) => each !== emoji)].slice(0, RECENT_MAX));
    close();
    pick(emoji);
  });
  (anchor.closest("dialog") ?? document.body).append(element);
  anchor.setAttribute("aria-haspopup", "dialog");
  anchor.setAttribute("aria-expanded", "true");
  follow();
  addEventListener("resize", follow);
  roving(element, ".chat-emoji-choice");
  element.querySelector(".chat-emoji-choice").focus();
  document.addEventListener("pointerdown", away, true);
  return { close };
}
