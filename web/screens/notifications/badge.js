/** How much is unread, from sign-in on; a new one is also shown as a toast, or by the browser. */

import { showNotice } from "../../lib/push.js";
import { go, placeOf } from "../../lib/router.js";
import { Inbox } from "./data.js";

export function watch(ctx, show) {
  const inbox = new Inbox(ctx);
  const read = () => inbox.count().catch(() => {});
  inbox.addEventListener("changed", () => show(inbox.unread));
  inbox.addEventListener("arrived", ({ detail }) => {
    if (document.hidden) return showNotice(detail);
    if (document.body.dataset.screen === "notifications") return;
    const place = placeOf(detail.link);
    ctx.toast(detail.title, place ? { action: { label: ctx.t("open"), run: () => go(place) } } : {});
  });
  ctx.connection.addEventListener("catchup", read);
  read();
  return () => {
    ctx.connection.removeEventListener("catchup", read);
    inbox.dispose();
  };
}
