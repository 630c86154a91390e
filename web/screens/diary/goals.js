/** Goals: their progress moves on every screen that shares them. */

import { confirmDialog } from "../../lib/dialog.js";
import { bdi, el, reconcile } from "../../lib/dom.js";
import { busy, describe } from "../../lib/forms.js";
import { personName } from "../../lib/people.js";
import { changing } from "./changing.js";
import { changedGoalForm, newGoalForm } from "./goalform.js";
import { inPlace, neighbour, rowButton } from "./inplace.js";
import { stepped } from "./stepped.js";

export function goalsPart(ctx, diary) {
  const { t, format } = ctx;
  const me = String(ctx.session.user.id);
  const asked = el("ul", { class: "diary-goals" });
  const list = el("ul", { class: "diary-goals", "aria-label": t("goals") });
  const none = el("p", { class: "muted" }, t("goals.none"));
  const attempt = (work) => work.catch((error) => ctx.toast(describe(error), { kind: "error" }));
  const adding = newGoalForm(ctx, diary);
  const more = stepped(ctx, draw);
  const rows = inPlace({
    current: (id) => diary.goals.get(id),
    state: ({ id, version }) => `${version} ${JSON.stringify(diary.movers.get(id))}`,
    show,
    build: ({ item, close }) =>
      changing(ctx, diary, {
        kind: "goal",
        item,
        close,
        label: t("goal.edit", { title: item.title }),
        make: (options) => changedGoalForm(ctx, item, options),
        fields: { title: t("goal.title"), target: t("goal.target"), unit: t("goal.unit"), steps: t("goal.steps"), due_date: t("task.due") },
        say(name, value) {
          if (name === "steps") return value.map(({ title }) => title).join(", ");
          return name === "due_date" ? value && format.date(value) : value;
        },
      }),
  });

  function show(node, goal) {
    const { id, title, kind, current, target, unit, progress, due_date: due } = goal;
    const figures = kind === "steps" ? format.percent(progress) : `${format.number(current)} / ${format.number(target)} ${unit}`;
    const own = String(goal.owner) === me;
    // What one is typing stays when others move the goal.
    const typed = node.querySelector("[data-does=amount]")?.value;
    const bar = el("progress", { max: "1", "aria-label": title });
    bar.value = progress;
    node.className = "";
    node.replaceChildren(
      el(
        "div",
        { class: "row" },
        bdi(title, { class: "grow diary-goal-title" }),
        el("span", { class: "numbers small diary-figures" }, figures),
        own && rowButton("edit", t("goal.edit", { title }), () => rows.edit(node, id)),
        own ? rowButton("trash", t("goal.delete", { title }), () => remove(node, goal)) : rowButton("leave", t("goal.leave", { title }), () => leave(node, goal)),
      ),
      bar,
      el("div", { class: "diary-goal-foot" }, kind === "steps" ? stepsOf(goal) : amountOf(goal, typed), due && el("p", { class: "muted small" }, `${t("task.due")}: ${format.date(due)}`), sharedWith(goal), movedBy(goal)),
    );
  }

  function stepsOf(goal) {
    return goal.steps.map((step) =>
      el(
        "label",
        { class: "switch" },
        el("input", {
          type: "checkbox",
          checked: step.done,
          dataset: { does: step.id },
          onchange: (event) => attempt(diary.change("set_step", { goal_id: goal.id, step_id: step.id, done: event.target.checked }, "goal")),
        }),
        bdi(step.title),
      ),
    );
  }

  function amountOf(goal, typed) {
    const amount = el("input", { type: "text", inputmode: "decimal", "aria-label": t("goal.amount", { title: goal.title }), value: typed ?? "1", dataset: { does: "amount" } });
    const add = el("button", { type: "submit", class: "quiet small", dataset: { does: "add" } }, t("goal.progress"));
    const submit = (event) => {
      event.preventDefault();
      const by = Number(amount.value.trim().replace(",", "."));
      if (!Number.isFinite(by) || !amount.value.trim()) {
        ctx.toast(t("goal.amount.wrong"), { kind: "error" });
        return amount.focus();
      }
      if (add.getAttribute("aria-busy")) return;
      // Sent once more after a lost answer, it still counts once.
      const sent = diary.create("add_progress", { goal_id: goal.id, amount: by }, "goal");
      if (ctx.connection.state.kind !== "live") ctx.toast(t("waits"));
      attempt(busy(add, () => sent.done));
    };
    return el("form", { class: "row", onsubmit: submit }, amount, add);
  }

  function sharedWith(goal) {
    const others = [goal.owner, ...goal.members].filter((id) => String(id) !== me && String(id) !== String(ctx.session.user.public_id));
    return others.length > 0 && el("p", { class: "muted small" }, `${t("goal.with")} `, others.map((id, n) => [n > 0 && ", ", personName(id)]));
  }

  /** Who came further last, where that is not plain. */
  function movedBy(goal) {
    const moved = diary.movers.get(goal.id);
    if (!moved || goal.members.length === 0) return null;
    const who = String(moved.id) === me ? t("person.you") : personName(moved.id);
    return el("p", { class: "muted small diary-moved" }, `${t(moved.reached ? "goal.reached" : "goal.moved")} `, who, " · ", format.ago(moved.at));
  }

  async function remove(node, { id, title }) {
    if (!(await confirmDialog({ title: t("goal.delete.title"), text: title, action: t("delete"), danger: true }))) return;
    const onward = neighbour(node, "trash");
    await attempt(diary.remove("goal", id).then(onward));
  }

  async function leave(node, { id, title }) {
    if (!(await confirmDialog({ title: t("goal.leave.title"), text: title, action: t("goal.leave.do"), danger: true }))) return;
    const onward = neighbour(node, "leave");
    await attempt(diary.ask("leave_goal", { goal_id: id }).then(onward));
  }

  function invitation({ goal_id: id, title, owner }) {
    const answer = (command) => () => attempt(diary.change(command, { goal_id: id }, "goal").then(() => diary.later()));
    return el(
      "li",
      { class: "diary-invitation" },
      el("p", {}, bdi(owner.name ?? t("goal.someone")), ": ", t("goal.invited", { title })),
      el(
        "div",
        { class: "row" },
        el("button", { type: "button", class: "primary small", onclick: answer("accept_goal") }, t("accept")),
        el("button", { type: "button", class: "quiet small", onclick: answer("decline_goal") }, t("decline")),
      ),
    );
  }

  function draw() {
    const goals = diary.allGoals;
    none.hidden = goals.length > 0;
    reconcile(list, more.cut(goals, diary.cut.has("goals")), { key: ({ id }) => id, ...rows });
    reconcile(asked, diary.invitations.filter(({ goal_id: id }) => !diary.goals.has(id)), { key: ({ goal_id: id }) => id, make: invitation });
  }

  diary.addEventListener("reached", ({ detail: { title, by } }) => {
    if (String(by.id) !== me) ctx.announce(t("goal.reached.by", { title, name: by.name ?? t("goal.someone") }));
  });

  return {
    element: el("section", { class: "card" }, el("h2", {}, t("goals")), asked, none, list, more.element, el("details", { class: "diary-more" }, el("summary", {}, t("goal.new")), adding.element)),
    draw,
  };
}
