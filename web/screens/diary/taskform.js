/** The form of a task: what, when, how urgent, how often. */

import { el } from "../../lib/dom.js";
import { field, form } from "../../lib/forms.js";
import { PRIORITIES, REPEATS } from "./data.js";

/** What a task has by the server's names; nothing is null, and "" in a form. */
const FIELDS = ["title", "notes", "due_date", "due_time", "priority", "repeat"];
const NEW = { priority: "normal", repeat: "none" };

/** Build it: `{element, fill(task), values(), focus(), reset()}`; `submit(values)` gets what the server takes. */
export function taskForm({ t }, { action, submit, done, extra, attributes = {} }) {
  const choice = (key, values) => values.map((value) => ({ value, label: t(`${key}.${value}`) }));
  const fields = [
    field({ name: "title", label: t("task.title"), required: true, autocomplete: "off", dir: "auto" }),
    field({ name: "due_date", label: t("task.due"), type: "date", optional: true }),
    field({ name: "due_time", label: t("task.time"), type: "time", optional: true, hint: t("task.time.hint") }),
    field({ name: "priority", label: t("task.priority"), type: "select", options: choice("priority", PRIORITIES) }),
    field({ name: "repeat", label: t("task.repeat"), type: "select", options: choice("repeat", REPEATS) }),
    field({ name: "notes", label: t("task.notes"), type: "textarea", rows: "2", optional: true, dir: "auto" }),
  ];
  const input = (name) => fields.find((each) => each.name === name).input;
  const values = () =>
    Object.fromEntries(
      FIELDS.map((name) => [name, input(name).value.trim()]).map(([name, value]) =>
        name.startsWith("due_") ? [name, value || null] : [name, value],
      ),
    );
  const [title, date, time, priority, repeat, notes] = fields.map(({ element }) => element);
  const grid = (...children) => el("div", { class: "diary-fields" }, children);
  const layout = [title, grid(date, time), grid(priority, repeat), notes];
  const made = form({ fields, layout, action, extra, attributes: { class: "stack diary-task-form", ...attributes }, submit: () => submit(values()), done });
  function fill(task) {
    for (const name of FIELDS) input(name).value = task[name] ?? "";
  }

  fill(NEW);
  return {
    element: made.element,
    values,
    fill,
    reset() {
      made.reset();
      fill(NEW);
    },
    focus: () => input("title").focus(),
  };
}
