/** What conversations and messages are called, in words. */

import { kept } from "../../lib/session.js";
import { otherOf } from "./conversations.js";

/** Addresses that were written to, by conversation: the server does not say them again. */
const ADDRESSED = "chat.addressed";
const NAMED_IN_TITLE = 4;

/** Keep whom a conversation was begun with while they have not answered. */
export function rememberAddress(conversationId, address) {
  kept.set(ADDRESSED, { ...kept.get(ADDRESSED), [conversationId]: address });
}

/** What to call a conversation. */
export function nameOf({ t, people }, conversation, me) {
  if (conversation.kind === "channel") return conversation.id;
  if (conversation.kind === "direct") {
    const other = otherOf(conversation, me);
    const named = other ? people.name(other) : t("person.deleted");
    if (!other || people.get(other)?.name) return named;
    return kept.get(ADDRESSED)?.[conversation.id] ?? named;
  }
  if (conversation.title) return conversation.title;
  const others = (conversation.memberIds ?? []).filter((id) => id !== me);
  if (others.length === 0) return t("group.alone");
  const names = others.slice(0, NAMED_IN_TITLE).map((id) => people.name(id));
  const rest = others.length - names.length;
  return names.join(", ") + (rest > 0 ? ` +${rest}` : "");
}

/** One line of what a message says. */
export function summaryOf({ t }, message) {
  if (message.deletedAt) return t("message.deleted");
  const text = message.content.trim().replace(/\s+/gu, " ");
  if (text) return text;
  const count = message.attachments.length;
  return message.type === "text" ? "" : t(`summary.${message.type}`, { count });
}
