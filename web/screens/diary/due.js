/** Tasks that have just fallen due: a notice on the screen until it is done, put off or put away. */

import { bdi, el, icon, reconcile } from "../../lib/dom.js";
import { busy, describe } from "../../lib/forms.js";

export function duePart(ctx, diary) {
  const { t, format } = ctx;
  const list = el("ul", { class: "diary-due", "aria-label": t("due.label"), hidden: true });

  function make({ id, taskId, title, dueAt, dueDate }) {
    const done = el("button", { type: "button", class: "primary small" }, t("due.done"));
    done.addEventListener("click", async () => {
      try {
        // Of a task that repeats only this occurrence is done, also when the button is pressed twice.
        const occurrence = dueDate ? { due_date: dueDate } : {};
        await busy(done, () => diary.change("complete_task", { task_id: taskId, ...occurrence }, "task"));
      } catch (error) {
        ctx.toast(describe(error), { kind: "error" });
      }
    });
    const away = el("button", { type: "button", class: "icon-button small", "aria-label": t("due.dismiss", { title }), onclick: () => diary.dismiss(id) }, icon("close", { size: 18 }));
    return el(
      "li",
      { class: "row arrived" },
      icon("bell", { size: 18 }),
      el("p", { class: "grow" }, bdi(title), " ", el("span", { class: "muted small" }, t("due.since", { time: format.full(dueAt) }))),
      done,
      away,
    );
  }

  diary.addEventListener("due", ({ detail: { title } }) => ctx.announce(t("due.announce", { title })));
  return {
    element: list,
    draw() {
      const notices = diary.notices;
      list.hidden = notices.length === 0;
      reconcile(list, notices, { key: ({ id }) => id, make });
    },
  };
}
