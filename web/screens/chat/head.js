/** The head of a conversation: who it is, how present they are, and what one can do about it. */

import { confirmDialog } from "../../lib/dialog.js";
import { el, icon, setText } from "../../lib/dom.js";
import { menuOf } from "../../lib/menu.js";
import { avatar, people, presence } from "../../lib/people.js";
import { toast } from "../../lib/toast.js";
import { otherOf } from "./conversations.js";
import { linkTo } from "./data.js";
import { invitePeople, membersDialog } from "./dialogs.js";
import { nameOf } from "./names.js";
import { reasonOf } from "./rows.js";

/** Build it; `draw()` brings it up to date. */
export function head(ctx, { store, timeline, openSearch, leave }) {
  const { t } = ctx;
  const face = el("span", { class: "chat-face" });
  const name = el("bdi", { class: "cut" });
  const about = el("span", { class: "chat-about cut muted small", dir: "auto" });
  const back = el(
    "a",
    { class: "icon-button chat-back", href: ctx.href(), "aria-label": t("room.back") },
    icon("left", { size: 22 }),
  );
  const search = button("search", t("search.open"), openSearch);
  const members = button("people", t("members.open"), () => membersDialog(ctx, store, timeline));
  const more = button("more", t("room.more"), null);
  menuOf(more, items);
  const element = el(
    "header",
    { class: "chat-head-bar" },
    back,
    face,
    el("div", { class: "chat-named" }, el("h2", {}, name), about),
    search,
    members,
    more,
  );
  let drawn = "";

  function button(symbol, label, run) {
    return el(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label, onclick: run },
      icon(symbol, { size: 20 }),
    );
  }

  function statusOf(other) {
    return timeline.members.get(other)?.status ?? timeline.conversation.status ?? "offline";
  }

  function draw() {
    const { conversation } = timeline;
    for (const each of [search, members, more]) each.hidden = !conversation || timeline.state === "failed";
    if (!conversation) return setText(name, t("conversation.label"));
    const other = conversation.kind === "direct" ? otherOf(conversation, store.me) : null;
    const hides = conversation.request || store.isBlocked(other);
    const status = other && !hides ? statusOf(other) : null;
    const key = JSON.stringify([conversation.id, other, status, other && people.get(other)?.name]);
    if (drawn !== key) {
      drawn = key;
      face.replaceChildren(
        other
          ? avatar(other, { size: 36, status })
          : el("span", { class: "chat-sign" }, icon(signOf(conversation), { size: 20 })),
      );
    }
    setText(name, nameOf(ctx, conversation, store.me));
    setText(about, aboutOf(conversation, status));
    members.hidden ||= conversation.kind === "direct";
  }

  function aboutOf(conversation, status) {
    if (conversation.kind === "direct") {
      const other = otherOf(conversation, store.me);
      if (store.isBlocked(other)) return t("block.short");
      return conversation.request ? "" : t(`presence.${status}`);
    }
    const count = Math.max(timeline.members.size, conversation.memberIds?.length ?? 0);
    const counted = timeline.hasMoreMembers ? t("members.more", { count }) : t("members.count", { count });
    const here =
      conversation.kind === "channel"
        ? timeline.presentCount
        : [...timeline.members.values()].filter(({ status: each }) => each && each !== "offline").length;
    const parts = [count > 0 && counted, here > 0 && t("members.here", { count: here })];
    if (conversation.kind === "channel") parts.push(conversation.title);
    return parts.filter(Boolean).join(" · ");
  }

  function items() {
    const { conversation } = timeline;
    const other = conversation.kind === "direct" ? otherOf(conversation, store.me) : null;
    const isIn = timeline.isMember && !conversation.request;
    return [
      { label: t("action.link"), icon: "copy", run: copyLink },
      !other && { label: t("members.open"), icon: "people", run: later(() => membersDialog(ctx, store, timeline)) },
      isIn && !other && (conversation.kind === "group" || conversation.private) && {
        label: t("invite.title"),
        icon: "plus",
        run: later(() => invitePeople(ctx, store, conversation)),
      },
      other && {
        label: t(store.isBlocked(other) ? "block.undo" : "block.person"),
        icon: "block",
        danger: !store.isBlocked(other),
        run: later(() => block(other)),
      },
      isIn && !other && {
        label: t("leave.action"),
        icon: "leave",
        danger: true,
        run: later(leaveIt),
      },
    ].filter(Boolean);
  }

  /** A dialog opens after the menu has given the focus back. */
  function later(run) {
    return () => setTimeout(run);
  }

  async function copyLink() {
    try {
      await navigator.clipboard.writeText(linkTo(timeline.id));
      toast(t("copied"), { kind: "ok" });
    } catch {
      toast(t("copied.not"), { kind: "error" });
    }
  }

  async function block(other) {
    const on = !store.isBlocked(other);
    if (on) {
      const wanted = await confirmDialog({
        title: t("block.title", { name: people.name(other) }),
        text: t("block.text"),
        action: t("block.person"),
        danger: true,
      });
      if (!wanted) return;
    }
    await store.server.block(other, on).catch(fail);
  }

  async function leaveIt() {
    const { conversation } = timeline;
    const wanted = await confirmDialog({
      title: t("leave.title", { name: nameOf(ctx, conversation, store.me) }),
      text: t(conversation.kind === "channel" && !conversation.private ? "leave.open" : "leave.closed"),
      action: t("leave.action"),
      danger: true,
    });
    if (!wanted) return;
    try {
      await store.server.leave(conversation.id);
      store.remove(conversation.id);
      leave();
    } catch (error) {
      fail(error);
    }
  }

  function fail(error) {
    toast(reasonOf(t, error), { kind: "error" });
  }

  return { element, draw, focusSearch: () => search.focus() };
}

/** The symbol of a conversation that has no face. */
export function signOf({ kind, private: isPrivate }) {
  if (kind === "channel") return isPrivate ? "lock" : "hash";
  return "people";
}

/** A dot that says how present somebody is, in words as well. */
export function presenceNamed(ctx, status) {
  return [presence(status), el("span", { class: "unseen" }, ctx.t(`presence.${status}`))];
}
