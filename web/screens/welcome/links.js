/**
 * One-time links from mails: `#/reset/<token>` asks for a new password, `#/verify/<token>` for a
 * press, so that what merely opens links (a mail scanner) uses none up.
 */

import { el } from "../../lib/dom.js";
import { field, form } from "../../lib/forms.js";
import { hrefTo } from "../../lib/router.js";
import { resetPassword, verifyEmail } from "./data.js";

const TOKEN = /^[\w-]{1,128}$/;

/** The form of a link, or null when it is none. */
export function linkForm(ctx, kind, token) {
  if (!TOKEN.test(token)) return null;
  const password = field({
    name: "password",
    label: ctx.t("reset.password"),
    type: "password",
    hint: ctx.t("password.hint"),
    autocomplete: "new-password",
    required: true,
  });
  const reset = kind === "reset";
  const place = el("div", { class: "stack", id: "link-form" });
  const built = form({
    fields: reset ? [password] : [],
    action: ctx.t(`${kind}.action`),
    submit: (values) => (reset ? resetPassword(token, values.password) : verifyEmail(token)),
    done: () =>
      place.replaceChildren(
        el("p", { role: "status" }, ctx.t(`${kind}.done`)),
        el("a", { class: "button", href: hrefTo("stories") }, ctx.t("continue")),
      ),
  });
  place.append(el("h2", {}, ctx.t(`${kind}.title`)), built.element);
  return place;
}
