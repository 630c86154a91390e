/** What is due, checked off with a press. */

import { confirmDialog } from "../../lib/dialog.js";
import { bdi, el, reconcile } from "../../lib/dom.js";
import { describe } from "../../lib/forms.js";
import { changing } from "./changing.js";
import { inPlace, neighbour, rowButton } from "./inplace.js";
import { answeredOrWaiting } from "./sending.js";
import { stepped } from "./stepped.js";
import { taskForm } from "./taskform.js";

export function tasksPart(ctx, diary) {
  const { t, format } = ctx;
  const list = el("ul", { class: "diary-tasks", "aria-label": t("tasks") });
  const none = el("p", { class: "muted" }, t("tasks.none"));
  const more = stepped(ctx, draw);
  const failed = (error) => ctx.toast(describe(error), { kind: "error" });
  const adding = taskForm(ctx, {
    action: t("task.add"),
    async submit(values) {
      const { due_date: due, due_time: time, repeat } = values;
      // A time or a repetition without a date begins on the day that is shown.
      const date = due ?? (time || repeat !== "none" ? diary.day : null);
      return answeredOrWaiting(ctx, diary.create("create_task", { ...values, due_date: date }, "task"));
    },
    done: () => adding.reset(),
  });
  const rows = inPlace({
    current: (id) => diary.tasks.get(id),
    state: (task) => `${task.version} ${diary.today} ${diary.isLate(task)}`,
    show,
    build: ({ item, close }) =>
      changing(ctx, diary, {
        kind: "task",
        item,
        close,
        label: t("task.edit", { title: item.title }),
        make: (options) => taskForm(ctx, options),
        fields: { title: t("task.title"), notes: t("task.notes"), due_date: t("task.due"), due_time: t("task.time"), priority: t("task.priority"), repeat: t("task.repeat") },
        say(name, value) {
          if (name === "due_date") return value && format.date(value);
          return ["priority", "repeat"].includes(name) ? t(`${name}.${value}`) : value;
        },
      }),
  });

  function show(node, task) {
    const { id, title, notes, done, due_date: date, due_time: time, priority, repeat } = task;
    const late = diary.isLate(task);
    const input = el("input", { type: "checkbox", checked: done, dataset: { does: "check" } });
    input.addEventListener("change", () => check(id, input));
    node.className = done ? "row done" : "row";
    const when = date && [late && `${t(date < diary.today ? "late" : "due")} · `, format.date(date), time && `, ${time}`];
    node.replaceChildren(
      ...[
        el("label", { class: "row grow" }, input, bdi(title, { class: "diary-task" })),
        when && el("span", { class: ["small", late ? "diary-late" : "muted"] }, when),
        priority !== "normal" && el("span", { class: ["small", priority === "high" ? "diary-high" : "muted"] }, t(`priority.${priority}`)),
        repeat !== "none" && el("span", { class: "muted small" }, t(`repeat.${repeat}`)),
        rowButton("edit", t("task.edit", { title }), () => rows.edit(node, id)),
        rowButton("trash", t("task.delete", { title }), () => remove(node, task)),
        notes && el("p", { class: "muted small diary-notes", dir: "auto" }, notes),
      ].filter(Boolean),
    );
  }

  async function check(id, input) {
    try {
      await diary.change(input.checked ? "complete_task" : "reopen_task", { task_id: id }, "task");
    } catch (error) {
      input.checked = !input.checked;
      failed(error);
    }
  }

  async function remove(node, { id, title }) {
    const wanted = await confirmDialog({ title: t("task.delete.title"), text: title, action: t("delete"), danger: true });
    if (!wanted) return;
    const onward = neighbour(node, "trash");
    try {
      await diary.remove("task", id);
      rows.forget(id);
      onward();
    } catch (error) {
      failed(error);
    }
  }

  function draw() {
    const tasks = diary.tasksOfDay;
    none.hidden = tasks.length > 0;
    reconcile(list, more.cut(tasks, diary.cut.has("tasks")), { key: ({ id }) => id, ...rows });
  }

  return {
    element: el(
      "section",
      { class: "card" },
      el("h2", {}, t("tasks")),
      none,
      list,
      more.element,
      el("details", { class: "diary-more" }, el("summary", {}, t("task.new")), adding.element),
    ),
    draw,
  };
}
