/** Which notifications one wants, and whether the browser shows them. */

import { el } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { errorNote, skeletonOf } from "../../lib/listview.js";
import { noticesOn, pushState, turnNotices, turnPushOff, turnPushOn } from "../../lib/push.js";
import { GROUPS } from "./data.js";

/** What a browser refuses with, and what the reader did. */
const REFUSED = new Set(["AbortError", "NotAllowedError", "notices_blocked"]);

export function preferences(ctx, inbox) {
  const { t } = ctx;
  const types = el("div", { class: "notifications-groups" }, skeletonOf(4));
  const load = async () => {
    try {
      await ctx.connection.settled();
      const wanted = await inbox.preferences();
      const named = new Set(Object.values(GROUPS).flat());
      const groups = { ...GROUPS, other: Object.keys(wanted).filter((type) => !named.has(type)) };
      types.replaceChildren(
        ...Object.entries(groups)
          .map(([group, members]) => [group, members.filter((type) => type in wanted)])
          .filter(([, members]) => members.length > 0)
          .map(([group, members]) =>
            el(
              "fieldset",
              { class: "card notifications-group" },
              el("legend", {}, t(`group.${group}`)),
              members.map((type) => toggle(ctx, t(`type.${type}`), wanted[type], (on) => inbox.setPreference(type, on))),
            ),
          ),
      );
    } catch (error) {
      types.replaceChildren(errorNote(error, load));
    }
  };
  load();
  return { element: el("div", { class: "notifications-preferences" }, browser(ctx), types), reload: load };
}

/** What this browser shows: while the page is open, and while it is closed. */
function browser(ctx) {
  const { t } = ctx;
  const push = el("div", { class: "notifications-push" });
  const open = el("div", {});
  const draw = async () => {
    const state = await pushState().catch(() => "unsupported");
    const changeable = ["on", "off"].includes(state);
    push.replaceChildren(
      changeable
        ? toggle(ctx, t("push"), state === "on", async (on) => {
            await (on ? turnPushOn() : turnPushOff());
            await draw();
          })
        : el("p", { class: "muted small" }, t(`push.${state}`)),
    );
    const allowed = "Notification" in globalThis && Notification.permission !== "denied";
    open.replaceChildren(
      allowed
        ? toggle(ctx, t("notices"), noticesOn(), async (on) => {
            await turnNotices(on);
            await draw();
          })
        : el("p", { class: "muted small" }, t("push.blocked")),
    );
  };
  draw();
  return el("fieldset", { class: "card notifications-group" }, el("legend", {}, t("browser")), open, push);
}

/** A checkbox that goes back when its change is refused. */
function toggle({ t, toast }, label, checked, change) {
  const input = el("input", { type: "checkbox", role: "switch", checked });
  input.addEventListener("change", async () => {
    const wanted = input.checked;
    input.setAttribute("aria-busy", "true");
    try {
      await change(wanted);
    } catch (error) {
      input.checked = !wanted;
      const reason = error instanceof DOMException ? error.name : error.code;
      toast(REFUSED.has(reason) ? t(`refused.${reason}`) : describe(error), { kind: "error" });
    } finally {
      input.removeAttribute("aria-busy");
    }
  });
  return el("label", { class: "switch" }, input, label);
}
