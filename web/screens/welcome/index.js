/** Where one arrives: sign in, create an account, or in development be one of the demo's people. */

import { addressOf } from "../../lib/address.js";
import { el } from "../../lib/dom.js";
import { busy, describe, field, form } from "../../lib/forms.js";
import { avatar } from "../../lib/people.js";
import { clientConfig, enterAs, forgotPassword, offers, signIn, signUp } from "./data.js";
import { linkForm } from "./links.js";
import { preview } from "./preview.js";

let note;
let root;
let ctx;

export const screen = {
  mount(element, context, params) {
    root = element;
    ctx = context;
    draw(params);
  },
  update(params) {
    draw(params);
  },
  unmount() {
    root = note = null;
  },
  /** Say why one is here again. */
  say(text) {
    note.textContent = text;
    note.hidden = !text;
  },
};

function draw(params) {
  note = el("p", { class: "welcome-note", role: "alert", hidden: true });
  const link = params.length === 2 ? linkForm(ctx, ...params) : null;
  if (link) {
    root.replaceChildren(note, el("div", { class: "card narrow" }, link));
    return;
  }
  const demo = el("div", { class: "demo", hidden: true });
  const account = accountForm();
  root.replaceChildren(
    el(
      "div",
      { class: "welcome" },
      el(
        "section",
        { class: "pitch", "aria-labelledby": "welcome-title" },
        preview(),
        el("h2", { id: "welcome-title" }, ctx.t("title")),
        el("p", {}, ctx.t("pitch")),
        demo,
      ),
      el("section", { class: "card", "aria-label": ctx.t("account") }, note, account.element),
    ),
  );
  // The forms work before it is known what else there is.
  clientConfig().then(
    (config) => {
      if (!demo.isConnected) return;
      const offered = offers(config);
      account.offer(offered);
      if (offered.people.length > 0) showDemo(demo, offered.people);
    },
    () => {},
  );
}

/** One form for both: the mode decides whether there is a name. */
function accountForm() {
  const name = field({ name: "name", label: ctx.t("name"), optional: true, autocomplete: "name" });
  const email = field({
    name: "email",
    label: ctx.t("email"),
    type: "email",
    autocomplete: "username",
    required: true,
  });
  const password = field({
    name: "password",
    label: ctx.t("password"),
    type: "password",
    hint: ctx.t("password.hint"),
    autocomplete: "current-password",
    required: true,
  });
  const invite = field({ name: "invite", label: ctx.t("invite"), autocomplete: "off" });
  const forgot = el(
    "button",
    { type: "button", class: "quiet", hidden: true, onclick: forget },
    ctx.t("forgot"),
  );
  const built = form({
    fields: [name, email, password, invite],
    action: ctx.t("signIn"),
    extra: [forgot],
    submit: (values) => {
      screen.say("");
      if (!creating) return signIn(values);
      return signUp({
        ...values,
        name: values.name || undefined,
        invite: values.invite || undefined,
      });
    },
  });
  let creating = false;
  let offered = { signUp: true, invite: false, mail: false };
  const modes = ["signIn", "signUp"].map((mode) =>
    el(
      "button",
      { type: "button", dataset: { mode }, onclick: () => choose(mode === "signUp") },
      ctx.t(mode),
    ),
  );
  const segments = el(
    "div",
    { class: "segments", role: "group", "aria-label": ctx.t("account") },
    modes,
  );

  function choose(wanted) {
    creating = wanted;
    for (const button of modes) {
      button.setAttribute("aria-pressed", String((button.dataset.mode === "signUp") === creating));
    }
    name.element.hidden = !creating;
    password.element.querySelector(".hint").hidden = !creating;
    password.input.autocomplete = creating ? "new-password" : "current-password";
    built.button.textContent = ctx.t(creating ? "signUp" : "signIn");
    built.clear();
    offer(offered);
  }

  /** Show what this server allows. */
  function offer(next) {
    offered = next;
    segments.hidden = !offered.signUp;
    invite.element.hidden = !(creating && offered.invite);
    invite.input.required = creating && offered.invite;
    forgot.hidden = creating || !offered.mail;
  }

  /** The answer is the same for every address, so it does not reveal which ones have accounts. */
  async function forget() {
    built.clear();
    if (!email.input.value.trim()) {
      const missing = ctx.t("field.required", { field: ctx.t("email") });
      return built.fail({ fields: { email: missing } });
    }
    try {
      await busy(forgot, () => forgotPassword(email.input.value.trim()));
      screen.say(ctx.t("forgot.sent"));
    } catch (error) {
      built.fail(error);
    }
  }

  choose(false);
  return { element: el("div", { class: "stack" }, segments, built.element), offer };
}

/** The example people, where the server offers them. */
function showDemo(place, names) {
  const said = el("p", { class: "hint", role: "status" });
  const buttons = names.map((name) => {
    const button = el(
      "button",
      { type: "button", class: "demo-person", dataset: { name } },
      avatar(name, { size: 32, name }),
      el("span", {}, ctx.t("demo.enter", { name })),
    );
    button.addEventListener("click", () => {
      said.className = "hint";
      said.textContent = ctx.t("demo.loading");
      busy(button, () => enterAs(name)).catch((error) => {
        said.className = "error";
        said.textContent = describe(error);
      });
    });
    return button;
  });
  place.replaceChildren(
    el("h3", {}, ctx.t("demo.title")),
    el("div", { class: "demo-people" }, buttons),
    said,
    el(
      "p",
      { class: "small muted" },
      ctx.t("demo.second"),
      " ",
      el(
        "a",
        { href: addressOf("/").href, target: "_blank", rel: "noopener" },
        ctx.t("demo.window"),
      ),
    ),
  );
  place.hidden = false;
}
