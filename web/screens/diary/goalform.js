/** Forms of goals: a new one, alone or shared, and changing one. */

import { el, freshId } from "../../lib/dom.js";
import { field, form } from "../../lib/forms.js";
import { people } from "../../lib/people.js";
import { peoplePicker } from "../../lib/picker.js";
import { answeredOrWaiting } from "./sending.js";

function fieldsOf({ t }) {
  return {
    title: field({ name: "title", label: t("goal.title"), required: true, dir: "auto", autocomplete: "off" }),
    target: field({ name: "target", label: t("goal.target"), required: true, inputmode: "decimal", autocomplete: "off" }),
    unit: field({ name: "unit", label: t("goal.unit"), optional: true, autocomplete: "off" }),
    steps: field({ name: "steps", label: t("goal.steps"), hint: t("goal.steps.hint"), type: "textarea", rows: "4", dir: "auto" }),
    due: field({ name: "due_date", label: t("task.due"), type: "date", optional: true }),
  };
}

const numberIn = (text) => Number(text.replace(",", "."));
const linesIn = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** A new goal: a number to reach or steps to take, alone or shared with people picked by name. */
export function newGoalForm(ctx, diary) {
  const { t } = ctx;
  let kind = "number";
  const { title, target, unit, steps, due } = fieldsOf(ctx);
  const figures = el("div", { class: "diary-pair" }, target.element, unit.element);
  const kinds = ["number", "steps"].map((each) =>
    el("button", { type: "button", dataset: { kind: each }, onclick: () => choose(each) }, t(`goal.kind.${each}`)),
  );
  const place = el("div", {});
  const members = { name: "members", label: t("goal.members"), input: el("input", { id: freshId("members"), hidden: true }) };
  const sharing = el(
    "details",
    { class: "diary-more field" },
    el("summary", {}, t("goal.share")),
    place,
    el("p", { class: "error", id: `${members.input.id}-error`, hidden: true }),
  );
  let picker = null;
  // People are looked up when one wants to share, not whenever the diary is opened.
  sharing.addEventListener("toggle", () => sharing.open && !picker && pick());
  function pick() {
    picker = peoplePicker({ label: t("goal.members"), except: [ctx.session.user.id] });
    place.replaceChildren(picker.element);
  }

  function choose(each) {
    kind = each;
    for (const button of kinds) button.setAttribute("aria-pressed", String(button.dataset.kind === each));
    figures.hidden = each !== "number";
    steps.element.hidden = each !== "steps";
    target.input.required = each === "number";
    steps.input.required = each === "steps";
  }

  const adding = form({
    fields: [title, target, unit, steps, due, members],
    layout: [title.element, el("div", { class: "segments", role: "group", "aria-label": t("goal.kind") }, kinds), figures, steps.element, due.element, sharing],
    action: t("goal.add"),
    attributes: { class: "stack diary-goal-form" },
    async submit(values) {
      const what = kind === "steps" ? { steps: linesIn(values.steps) } : { target: numberIn(values.target), unit: values.unit };
      // Members are named by public id or by address.
      const names = (picker?.chosen ?? []).map(({ id, address }) => (address ? id : (people.get(id)?.public_id ?? id)));
      const goal = { title: values.title, kind, members: names, due_date: values.due_date || null, ...what };
      return answeredOrWaiting(ctx, diary.create("create_goal", goal, "goal"));
    },
    done() {
      adding.reset();
      picker = null;
      place.replaceChildren();
      sharing.open = false;
      choose("number");
    },
  });
  choose("number");
  return adding;
}

/** Changing a goal of one's own: `{element, fill(goal), focus()}`; `submit(values)` gets what the server takes. */
export function changedGoalForm(ctx, goal, { action, submit, done, extra, attributes }) {
  const { title, target, unit, steps, due } = fieldsOf(ctx);
  const fields = goal.kind === "steps" ? [title, steps, due] : [title, target, unit, due];
  let known = goal.steps;
  const made = form({
    fields,
    action,
    extra,
    done,
    attributes: { class: "stack diary-goal-form", ...attributes },
    submit(values) {
      const what = goal.kind === "steps" ? { steps: stepsOf(known, linesIn(values.steps)) } : { target: numberIn(values.target), unit: values.unit };
      return submit({ title: values.title, due_date: values.due_date || null, ...what });
    },
  });
  return {
    element: made.element,
    focus: () => title.input.focus(),
    fill(now) {
      known = now.steps.filter(({ id }) => id);
      title.input.value = now.title;
      target.input.value = now.target ?? "";
      unit.input.value = now.unit;
      due.input.value = now.due_date ?? "";
      steps.input.value = now.steps.map((step) => step.title).join("\n");
    },
  };
}

/** Lines as steps: one that was there before, or stands in the place of one, stays as far as it was. */
function stepsOf(known, lines) {
  const left = new Map(known.map((step) => [step.title, step]));
  const kept = lines.map((line) => {
    const step = left.get(line);
    left.delete(line);
    return step;
  });
  return lines.map((title, n) => {
    const step = kept[n] ?? (lines.length === known.length && left.has(known[n].title) ? known[n] : null);
    return step ? { id: step.id, title } : { title };
  });
}
