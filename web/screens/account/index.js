/** The account: who one is, its sessions, its data. */

import { bdi, el, icon, reconcile } from "../../lib/dom.js";
import { confirmDialog, openDialog } from "../../lib/dialog.js";
import { busy, describe, field, form } from "../../lib/forms.js";
import { LANGUAGES, setLanguage } from "../../lib/i18n.js";
import { errorNote, skeletonOf } from "../../lib/listview.js";
import { avatar, personName } from "../../lib/people.js";
import { signOut } from "../../lib/api.js";
import { Account } from "./data.js";
import { pictureButtons } from "./picture.js";

let ctx = null;
let account = null;
let root = null;
let devices = null;
let pictures = null;
let stop = () => {};
let blockedPeople = null;

export const screen = {
  async mount(place, context) {
    ctx = context;
    account = new Account(ctx);
    root = place;
    devices = devicesPart();
    const { id } = ctx.session.user;
    pictures = pictureButtons(ctx, account, { has: () => Boolean(ctx.people.get(id)?.picture) });
    const changed = ({ detail }) => detail === id && pictures.draw();
    ctx.people.addEventListener("change", changed);
    stop = () => ctx.people.removeEventListener("change", changed);
    blockedPeople = blockedPart();
    await show();
  },
  update() {},
  unmount() {
    stop();
    root = null;
  },
  catchUp: show,
};

/** Read everything anew; what is being typed stays. */
async function show() {
  const place = root;
  if (!place) return;
  const waiting = setTimeout(() => place.childElementCount === 0 && place.replaceChildren(skeletonOf(4)), 150);
  try {
    const [user, sessions, blocked] = await Promise.all([account.profile(), account.sessions(), account.blocked()]);
    if (place !== root) return;
    if (!place.querySelector(".account-part")) {
      place.replaceChildren(profile(user), email(user), password(), devices.element, blockedPeople.element, data());
    }
    place.querySelector(".account-who").replaceWith(who(user));
    place.querySelector(".account-email").replaceChildren(...emailState(user));
    devices.draw(sessions);
    blockedPeople.draw(blocked);
  } catch (error) {
    if (place !== root) return;
    // What was read before is still worth more than an empty page.
    if (!place.querySelector(".account-part")) place.replaceChildren(errorNote(error, show));
    else if (error.code !== "unreachable") ctx.toast(describe(error), { kind: "error" });
  } finally {
    clearTimeout(waiting);
  }
}

/** Do something, and read the part that it changes anew. */
async function change(work, part, read) {
  try {
    await work;
    part.draw(await read());
  } catch (error) {
    ctx.toast(describe(error), { kind: "error" });
  }
}

function section(title, ...content) {
  return el("section", { class: "card account-part" }, el("h2", {}, title), content);
}

function profile(user) {
  const { t } = ctx;
  const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
  // Browsers list not all names that they know: UTC is one that is left out.
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = [...new Set([...zones, user.time_zone, here])].sort();
  const name = field({ name: "name", label: t("name"), value: user.name ?? "", autocomplete: "name", dir: "auto" });
  const zone = field({ name: "time_zone", label: t("zone"), type: "select", options: known.map((value) => ({ value, label: value.replaceAll("_", " ") })) });
  zone.input.value = user.time_zone;
  const spoken = field({ name: "language", label: t("language"), type: "select", options: Object.entries(LANGUAGES).map(([value, label]) => ({ value, label })) });
  spoken.input.value = ctx.language();
  const use = el("button", { type: "button", class: "quiet small account-here" }, t("zone.here", { zone: here.replaceAll("_", " ") }));
  const draw = () => {
    use.hidden = zone.input.value === here;
  };
  use.addEventListener("click", () => {
    zone.input.value = here;
    draw();
  });
  zone.input.addEventListener("change", draw);
  zone.element.append(use);
  draw();
  const changing = form({
    fields: [name, zone, spoken],
    action: t("save"),
    attributes: { class: "stack" },
    submit: (values) => account.change(values),
    done(changed) {
      ctx.people.learn({ ...changed, kind: "account" });
      ctx.toast(t("saved"), { kind: "ok" });
      setLanguage(changed.language);
    },
  });
  return section(
    t("profile"),
    who(user),
    changing.element,
  );
}

function who(user) {
  return el(
    "div",
    { class: "account-who" },
    avatar(user.id, { size: 72 }),
    el("div", { class: "account-names" }, el("strong", {}, personName(user.id)), el("p", { class: "muted small" }, bdi(user.email))),
    pictures.element,
  );
}

function emailState(user) {
  const verified = Boolean(user.email_verified_at);
  const state = ctx.t(verified ? "email.verified" : "email.unverified");
  return [bdi(user.email), el("span", { class: ["account-mark", !verified && "quiet"] }, state)];
}

/** Password managers look for the account's name beside its password. It is not shown. */
function withUserName(element) {
  const name = el("input", { type: "text", autocomplete: "username", value: ctx.session.user.email, hidden: true, readonly: true });
  element.prepend(name);
  return element;
}

function email(user) {
  const { t } = ctx;
  const changing = form({
    fields: [
      field({ name: "email", label: t("email.new"), type: "email", required: true, autocomplete: "email" }),
      field({ name: "password", label: t("password"), type: "password", required: true, autocomplete: "current-password" }),
    ],
    action: t("email.change"),
    attributes: { class: "stack" },
    submit: (values) => account.changeEmail(values),
    done() {
      changing.reset();
      ctx.toast(t("email.sent"), { kind: "ok" });
    },
  });
  return section(t("email"), el("p", { class: "account-email" }, emailState(user)), el("details", {}, el("summary", {}, t("email.change")), withUserName(changing.element)));
}

function password() {
  const { t } = ctx;
  const changing = form({
    fields: [
      field({ name: "current", label: t("password.current"), type: "password", required: true, autocomplete: "current-password" }),
      field({ name: "next", label: t("password.new"), type: "password", required: true, autocomplete: "new-password", hint: t("password.hint") }),
    ],
    names: { current_password: "current", new_password: "next" },
    action: t("password.change"),
    attributes: { class: "stack" },
    submit: (values) => account.changePassword(values),
    done() {
      changing.reset();
      ctx.toast(t("password.changed"), { kind: "ok" });
    },
  });
  return section(t("password"), el("details", {}, el("summary", {}, t("password.change")), withUserName(changing.element)));
}

function devicesPart() {
  const { t, format } = ctx;
  const list = el("ul", { class: "account-list" });
  const others = el("button", { type: "button", hidden: true }, t("session.endOthers"));
  const part = {
    element: section(t("sessions"), list, others),
    draw(sessions) {
      const sorted = [...sessions].sort((one, other) => Number(other.current) - Number(one.current));
      reconcile(list, sorted, { key: ({ id }) => id, make: (session) => deviceOf(session, end) });
      for (const [at, session] of sorted.entries()) {
        list.children[at].querySelector(".account-used").replaceChildren(bdi(session.network ?? ""), " · ", format.ago(session.usedAt));
      }
      others.hidden = sessions.length < 2;
    },
  };
  const end = (session) => change(account.endSession(session.id), part, () => account.sessions());
  others.addEventListener("click", async () => {
    const sure = await confirmDialog({ title: t("session.endOthers"), text: t("session.endOthers.what"), action: t("session.endOthers.do"), danger: true });
    if (sure) await change(account.endOthers(), part, () => account.sessions());
  });
  return part;
}

function deviceOf(session, end) {
  const { t } = ctx;
  const name = session.client ?? t("session.unknown");
  return el(
    "li",
    { class: "row" },
    icon(/android|iphone|ipad|mobile/i.test(name) ? "phone" : "window"),
    el(
      "div",
      { class: "grow" },
      bdi(name),
      session.current && el("span", { class: "account-mark" }, t("session.this")),
      el("p", { class: "muted small account-used" }),
    ),
    !session.current &&
      el(
        "button",
        { type: "button", class: "quiet small", "aria-label": t("session.end.name", { name }), onclick: () => end(session) },
        t("session.end"),
      ),
  );
}

function blockedPart() {
  const { t } = ctx;
  const list = el("ul", { class: "account-list" });
  const none = el("p", { class: "muted" }, t("blocked.none"));
  const part = {
    element: section(t("blocked"), list, none),
    draw(people) {
      none.hidden = people.length > 0;
      reconcile(list, people, {
        key: ({ id }) => id,
        make: ({ id, name }) =>
          el(
            "li",
            { class: "row" },
            avatar(id, { size: 32 }),
            personName(id, { class: "grow" }),
            el(
              "button",
              {
                type: "button",
                class: "quiet small",
                "aria-label": t("unblock.name", { name: name ?? ctx.people.name(id) }),
                onclick: () => change(account.unblock(id), part, () => account.blocked()),
              },
              t("unblock"),
            ),
          ),
      });
    },
  };
  return part;
}

function data() {
  const { t } = ctx;
  const download = el("button", { type: "button" }, icon("download", { size: 18 }), t("export"));
  download.addEventListener("click", () =>
    busy(download, async () => {
      try {
        const url = URL.createObjectURL(await account.export());
        el("a", { href: url, download: "account.json" }).click();
        ctx.announce(t("export.done"));
        setTimeout(() => URL.revokeObjectURL(url), 60_000);
      } catch (error) {
        ctx.toast(describe(error), { kind: "error" });
      }
    }),
  );
  return section(t("data"), el("p", { class: "muted" }, t("data.what")), el("div", { class: "row" }, download, el("button", { type: "button", class: "danger", onclick: remove }, t("delete"))));
}

function remove() {
  const { t } = ctx;
  const asking = form({
    fields: [field({ name: "password", label: t("password"), type: "password", required: true, autocomplete: "current-password" })],
    action: t("delete"),
    attributes: { class: "stack" },
    submit: ({ password: secret }) => account.remove(secret),
    done(answer) {
      dialog.close();
      if (answer?.waits_for) ctx.toast(t("delete.waits"));
      else signOut();
    },
  });
  withUserName(asking.element).prepend(el("p", {}, t("delete.what")));
  const dialog = openDialog({ title: t("delete.title"), content: asking.element, kind: "sheet" });
}
