/** Dialogs: begin a conversation, make or find a channel, members, who has seen a message. */

import { openDialog } from "../../lib/dialog.js";
import { bdi, el, icon } from "../../lib/dom.js";
import { busy, field, form } from "../../lib/forms.js";
import { clock, day } from "../../lib/format.js";
import { emptyNote, listView } from "../../lib/listview.js";
import { avatar, people, personName } from "../../lib/people.js";
import { peoplePicker } from "../../lib/picker.js";
import { toast } from "../../lib/toast.js";
import { answered } from "./answered.js";
import { nameOf, rememberAddress, summaryOf } from "./names.js";
import { reasonOf } from "./rows.js";

/** Begin a conversation with one or several people. */
export function newConversation(ctx, store) {
  const { t } = ctx;
  const title = field({ name: "title", label: t("group.name"), optional: true, maxlength: 100 });
  title.element.hidden = true;
  const error = el("p", { class: "error", role: "alert", hidden: true });
  const begin = el("button", { type: "button", class: "primary", disabled: true }, t("new.begin"));
  const picker = peoplePicker({
    except: [store.me],
    onchange: (chosen) => {
      begin.disabled = chosen.length === 0;
      title.element.hidden = chosen.length < 2;
      begin.textContent = t(chosen.length > 1 ? "new.group" : "new.begin");
    },
  });
  const dialog = openDialog({
    title: t("new.message"),
    kind: "sheet",
    content: el("div", { class: "stack" }, picker.element, title.element, error),
    actions: [begin],
  });
  picker.input.focus();
  const run = () =>
    busy(begin, async () => {
      error.hidden = true;
      const chosen = [...picker.chosen];
      if (chosen.length === 0) return;
      const named = chosen.length > 1 ? title.input.value.trim() : "";
      try {
        const made = await answered(ctx, store.server.createConversation(chosen.map(({ id }) => id), named));
        if (chosen.length === 1 && chosen[0].address) rememberAddress(made.id, chosen[0].id);
        store.add(made);
        dialog.close();
        ctx.go(made.id);
      } catch (problem) {
        error.textContent = reasonOf(t, problem);
        error.hidden = false;
      }
    });
  begin.addEventListener("click", run);
  dialog.element.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
}

/** Let people into a group or a private channel. */
export async function invitePeople(ctx, store, conversation) {
  const { t } = ctx;
  const members = await store.server.members(conversation.id).catch(() => ({ items: [] }));
  const error = el("p", { class: "error", role: "alert", hidden: true });
  const invite = el("button", { type: "button", class: "primary", disabled: true }, t("invite.action"));
  const picker = peoplePicker({
    except: [store.me, ...members.items.map(({ id }) => id)],
    onchange: (chosen) => {
      invite.disabled = chosen.length === 0;
    },
  });
  const dialog = openDialog({
    title: t("invite.title"),
    kind: "sheet",
    content: el("div", { class: "stack" }, picker.element, error),
    actions: [invite],
  });
  picker.input.focus();
  invite.addEventListener("click", () =>
    busy(invite, async () => {
      try {
        await store.server.invite(conversation.id, picker.chosen.map(({ id }) => id));
        dialog.close();
        toast(t("invite.done", { count: picker.chosen.length }), { kind: "ok" });
      } catch (problem) {
        error.textContent = reasonOf(t, problem);
        error.hidden = false;
      }
    }),
  );
}

/** Make a channel. */
export function newChannel(ctx, store) {
  const { t } = ctx;
  const name = field({
    name: "name",
    label: t("channel.name"),
    hint: t("channel.nameHint"),
    required: true,
    maxlength: 64,
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
  });
  const title = field({ name: "title", label: t("channel.title"), optional: true, maxlength: 100 });
  const secret = el("input", { type: "checkbox", name: "private" });
  let dialog = null;
  // A name has no blanks: they are written as people write them in names of channels.
  name.input.addEventListener("input", () => {
    const at = name.input.selectionStart;
    name.input.value = name.input.value.replace(/^#/, "").replace(/\s/g, "-");
    name.input.setSelectionRange(at, at);
  });
  const made = form({
    fields: [name, title],
    extra: [],
    action: t("channel.create"),
    submit: async (values) => {
      try {
        return await answered(ctx, store.server.createChannel({ ...values, isPrivate: secret.checked }));
      } catch (error) {
        // A taken name is a problem of that field.
        if (error.code === "channel_taken") error.fields = { name: t("refused.channel_taken") };
        throw error;
      }
    },
    done: (channel) => {
      store.add(channel);
      dialog.close();
      ctx.go(channel.id);
    },
  });
  made.element.insertBefore(
    el(
      "label",
      { class: "switch" },
      secret,
      el("span", {}, t("channel.private"), el("span", { class: "muted small block" }, t("channel.privateHint"))),
    ),
    made.element.querySelector(".error[role=alert]"),
  );
  dialog = openDialog({ title: t("channel.new"), kind: "sheet", content: made.element });
  name.input.focus();
}

/** The channels there are, to look into and join. */
export function browseChannels(ctx, store) {
  const { t } = ctx;
  const filter = el("input", {
    type: "search",
    placeholder: t("channels.filter"),
    "aria-label": t("channels.filter"),
  });
  let all = [];
  const shown = () => {
    const wanted = filter.value.trim().toLowerCase();
    return all.filter(({ id, title }) => `${id} ${title ?? ""}`.toLowerCase().includes(wanted));
  };
  const list = listView(ctx, {
    load: async (after) => {
      const page = await store.server.channels(after);
      all = after ? [...all, ...page.items] : page.items;
      return page;
    },
    key: ({ id }) => id,
    make: (channel) =>
      el(
        "li",
        {},
        el(
          "a",
          { class: "chat-entry", href: ctx.href(channel.id), onclick: () => dialog.close() },
          el("span", { class: "chat-sign" }, icon(channel.private ? "lock" : "hash", { size: 20 })),
          el(
            "span",
            { class: "grow" },
            el("span", { class: "chat-entry-name cut block" }, bdi(channel.id)),
            el(
              "span",
              { class: "muted small cut block" },
              channel.title && [bdi(channel.title), " · "],
              t("members.count", { count: channel.memberCount ?? 0 }),
            ),
          ),
          store.get(channel.id) && el("span", { class: "muted small" }, t("channels.joined")),
        ),
      ),
    empty: {
      text: t("channels.empty"),
      action: {
        label: t("channel.new"),
        run: () => {
          dialog.close();
          newChannel(ctx, store);
        },
      },
    },
    label: t("channels.title"),
    tag: "ul",
  });
  filter.addEventListener("input", () => list.show(shown()));
  const dialog = openDialog({
    title: t("channels.title"),
    kind: "sheet",
    content: el("div", { class: "stack" }, filter, list.element),
  });
  dialog.closed.then(() => list.dispose());
  list.reload();
  filter.focus();
}

/** Who belongs to a conversation, those who are here first. */
export function membersDialog(ctx, store, timeline) {
  const { t } = ctx;
  const { conversation } = timeline;
  const list = el("ul", { class: "chat-members", "aria-label": t("members.title") });
  const draw = () => {
    const isChannel = conversation.kind === "channel";
    const members = [...timeline.members.values()].map((member) => ({
      ...member,
      status: isChannel ? (timeline.present.has(member.id) ? "available" : "offline") : member.status,
    }));
    const rank = ({ status }) => Number(status === "offline" || status === null);
    members.sort((one, other) => rank(one) - rank(other) || people.name(one.id).localeCompare(people.name(other.id)));
    list.replaceChildren(
      ...members.map((member) =>
        el(
          "li",
          {},
          avatar(member.id, { size: 36, status: member.status ?? "offline" }),
          el(
            "span",
            { class: "grow" },
            el(
              "span",
              { class: "cut block" },
              personName(member.id),
              member.id === store.me && el("span", { class: "muted" }, ` (${t("person.you")})`),
            ),
            el("span", { class: "muted small" }, t(isChannel ? hereWord(member.status) : `presence.${member.status ?? "offline"}`)),
          ),
          member.id !== store.me && writeTo(member.id),
        ),
      ),
    );
  };
  const writeTo = (id) =>
    el(
      "button",
      {
        type: "button",
        class: "icon-button",
        "aria-label": t("members.write", { name: people.name(id) }),
        title: t("members.write", { name: people.name(id) }),
        onclick: async () => {
          try {
            const known = store.directWith(id) ?? (await answered(ctx, store.server.createConversation([id])));
            store.add(known);
            dialog.close();
            ctx.go(known.id);
          } catch (error) {
            toast(reasonOf(t, error), { kind: "error" });
          }
        },
      },
      icon("chat"),
    );
  const isClosed = conversation.kind === "group" || conversation.private;
  const invite = el("button", { type: "button" }, icon("plus", { size: 18 }), t("invite.title"));
  invite.addEventListener("click", () => {
    dialog.close();
    invitePeople(ctx, store, conversation);
  });
  const dialog = openDialog({
    title: t("members.title"),
    kind: "sheet",
    content: el(
      "div",
      { class: "stack" },
      list,
      timeline.hasMoreMembers && el("p", { class: "muted small" }, t("members.cut", { count: timeline.members.size })),
    ),
    actions: isClosed && timeline.isMember && !conversation.request ? [invite] : [],
  });
  draw();
  timeline.addEventListener("change", draw);
  dialog.closed.then(() => timeline.removeEventListener("change", draw));
}

function hereWord(status) {
  return status === "offline" ? "presence.offline" : "members.isHere";
}

/** Who has read a message, and who has not yet. */
export function seenDialog(ctx, timeline, message) {
  const { t } = ctx;
  const seen = el("div", { class: "stack" });
  const draw = () => {
    const ids = timeline.seenBy(message);
    const rest = [...timeline.members.keys()].filter(
      (id) => id !== message.authorId && id !== timeline.me && !ids.includes(id),
    );
    const group = (label, members) =>
      members.length > 0 && [
        el("h3", {}, label),
        el(
          "ul",
          { class: "chat-members" },
          members.map((id) => el("li", {}, avatar(id, { size: 32 }), personName(id, { class: "grow cut" }))),
        ),
      ];
    seen.replaceChildren(
      ...[
        group(t("seen.by", { count: ids.length }), ids),
        group(t("seen.notYet"), rest),
        ids.length + rest.length === 0 && el("p", { class: "muted" }, t("seen.nobody")),
      ]
        .flat()
        .filter(Boolean),
    );
  };
  const dialog = openDialog({ title: t("seen.title"), kind: "sheet", content: seen });
  draw();
  timeline.addEventListener("change", draw);
  dialog.closed.then(() => timeline.removeEventListener("change", draw));
}

/** Messages that name the reader, in all conversations. */
export function mentionsDialog(ctx, store) {
  const { t } = ctx;
  const list = listView(ctx, {
    load: (after) => store.server.mentions(after),
    key: ({ id }) => id,
    make: (message) =>
      el(
        "li",
        {},
        el(
          "a",
          {
            class: "chat-entry",
            href: ctx.href(message.conversationId, String(message.seq)),
            onclick: () => dialog.close(),
          },
          avatar(message.authorId, { size: 36 }),
          el(
            "span",
            { class: "grow" },
            el(
              "span",
              { class: "chat-find-head" },
              personName(message.authorId, { class: "chat-entry-name" }),
              el("span", { class: "muted small" }, `${day(message.createdAt)} ${clock(message.createdAt)}`),
            ),
            el("span", { class: "chat-find-text", dir: "auto" }, summaryOf(ctx, message)),
            el("span", { class: "muted small cut block" }, placeOf(ctx, store, message)),
          ),
        ),
      ),
    empty: { text: t("mentions.empty") },
    label: t("mentions.title"),
    tag: "ul",
  });
  const dialog = openDialog({ title: t("mentions.title"), kind: "sheet", content: list.element });
  dialog.closed.then(() => list.dispose());
  list.reload();
}

function placeOf(ctx, store, { conversationId }) {
  const conversation = store.get(conversationId);
  if (!conversation) return `#${conversationId}`;
  const name = nameOf(ctx, conversation, store.me);
  return conversation.kind === "channel" ? `#${name}` : name;
}

/** Whom the account has blocked. */
export function blockedDialog(ctx, store) {
  const { t } = ctx;
  const content = el("div", { class: "stack" });
  const draw = () => {
    if (store.blocked.length === 0) return content.replaceChildren(emptyNote({ text: t("blocked.empty"), symbol: "people" }));
    content.replaceChildren(
      el(
        "ul",
        { class: "chat-members" },
        store.blocked.map((id) =>
          el(
            "li",
            {},
            avatar(id, { size: 36 }),
            personName(id, { class: "grow cut" }),
            el(
              "button",
              {
                type: "button",
                class: "small",
                onclick: () =>
                  store.server.block(id, false).catch((error) => toast(reasonOf(t, error), { kind: "error" })),
              },
              t("block.undo"),
            ),
          ),
        ),
      ),
    );
  };
  const dialog = openDialog({ title: t("blocked.title"), kind: "sheet", content });
  draw();
  store.addEventListener("change", draw);
  dialog.closed.then(() => store.removeEventListener("change", draw));
}
