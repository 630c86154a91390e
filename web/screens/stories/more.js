/** What else can be done with somebody else's story. */

import { el, icon } from "../../lib/dom.js";
import { menuOf } from "../../lib/menu.js";
import { reportDialog } from "../../lib/report.js";

/**
 * A button with a menu about a story; `idOf()` says which when it opens.
 *
 * `busy(true)` is called when the menu opens, `busy(false)` when it and its dialog are gone.
 */
export function moreButton(ctx, stories, idOf, busy = () => {}) {
  const { t } = ctx;
  let asking = false;
  const button = el(
    "button",
    { type: "button", class: "icon-button stories-more", "aria-label": t("more"), title: t("more") },
    icon("more", { size: 20 }),
  );
  const report = async (id) => {
    await reportDialog({ title: t("report.story"), send: (what) => stories.report(id, what) });
    asking = false;
    busy(false);
  };
  const items = () => {
    const id = idOf();
    const run = () => {
      asking = true;
      // The menu gives the focus back to its button first.
      setTimeout(() => report(id));
    };
    return [{ label: t("report"), icon: "flag", run }];
  };
  menuOf(button, items, { toggled: (open) => (open || !asking) && busy(open) });
  return button;
}
