/** How much is unread, from sign-in on. */

import { conversationsOf } from "./conversations.js";

export function watch(ctx, show) {
  const store = conversationsOf(ctx);
  const count = () => show(store.unread);
  store.addEventListener("change", count);
  count();
  return () => store.removeEventListener("change", count);
}
