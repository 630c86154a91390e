/** Changing a thing that others may change meanwhile: both versions are shown, and one chooses. */

import { el } from "../../lib/dom.js";

/**
 * The form of a change, as `inPlace` wants it: `{element, focus, values}`.
 *
 *   `kind` is `entry`, `task` or `goal`; `item` the thing as it was when the change began.
 *   `make(options)` makes its form: `{element, fill(item), focus()}`, which calls `submit(values)`.
 *   `fields` are the names of what can be changed, with their labels; `say(name, value)` puts a value
 *   into words.
 */
export function changing(ctx, diary, { kind, item, label, close, make, fields, say }) {
  const { t } = ctx;
  let base = item;
  const place = el("div", {});
  const form = make({
    action: t("save"),
    extra: [el("button", { type: "button", class: "quiet", onclick: close }, t("cancel"))],
    attributes: { "aria-label": label },
    submit: (values) => diary.save(kind, base, values),
    done(conflict) {
      if (conflict) choose(conflict);
      else close();
    },
  });
  form.fill(item);

  /** What others have changed and one has not, is taken over; of the rest one chooses. */
  function choose({ now, mine, names }) {
    base = now;
    form.fill({ ...now, ...mine });
    const words = (name, value) => say?.(name, value) || String(value ?? "") || t("conflict.nothing");
    const side = (title, values) => [el("dt", {}, title), el("dd", { dir: "auto" }, values)];
    const keep = el("button", { type: "button", class: "primary small", dataset: { does: "mine" }, onclick: () => form.element.requestSubmit() }, t("conflict.mine"));
    place.replaceChildren(
      el(
        "section",
        { class: "diary-conflict", "aria-label": t("conflict") },
        el("p", {}, t("conflict")),
        names.map((name) =>
          el("dl", { "aria-label": fields[name] }, side(t("conflict.there", { field: fields[name] }), words(name, now[name])), side(t("conflict.here", { field: fields[name] }), words(name, mine[name]))),
        ),
        el("div", { class: "row" }, keep, el("button", { type: "button", class: "small", dataset: { does: "theirs" }, onclick: close }, t("conflict.theirs"))),
      ),
    );
    ctx.announce(t("conflict"));
    keep.focus();
  }

  return { element: el("div", {}, place, form.element), focus: form.focus, values: form.values };
}
