// The operators' page: what this process does, and what can be done. No build step, no library; text
// is only ever set as text.
import en from "./en.js";
import vi from "./vi.js";

const LANGUAGES = { en, vi };
const TOKEN = "admin_token";
const LANGUAGE = "admin_language";
const API = "api/v1/admin/";
const POLL_MS = 2000;
const POINTS = 90; // three minutes

const byId = (id) => document.getElementById(id);
let language = stored(localStorage, LANGUAGE) ?? (navigator.language?.startsWith("vi") ? "vi" : "en");
let token = stored(sessionStorage, TOKEN);
let timer = 0;
let samples = [];

function stored(storage, name) {
  try {
    return storage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
}

function store(storage, name, value) {
  try {
    if (value === null) storage.removeItem(name);
    else storage.setItem(name, value);
  } catch {
    // It is for this page only, then.
  }
}

function t(key, values = {}) {
  const text = LANGUAGES[language]?.[key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Makes an element: `h("p", {class: "quiet"}, "text", child)`. */
function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

function say(text, kind = "") {
  const status = byId("status");
  status.textContent = text;
  status.className = `status ${kind}`;
}

// Requests.

class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? problem?.title ?? String(status));
    this.status = status;
    this.code = problem?.code;
  }
}

async function ask(method, path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const answer = text ? JSON.parse(text) : null;
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

const admin = (method, path, body) => ask(method, API + path, body);

/** Runs a step that somebody asked for; says how it went, and looks again. */
async function act(step, button) {
  if (button) button.disabled = true;
  try {
    const answer = await step();
    say(t("done"), "good");
    await refreshLists();
    return answer;
  } catch (error) {
    complain(error);
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

function complain(error) {
  if (error instanceof Refused && error.status === 401) {
    signOut();
  } else if (error instanceof Refused && error.code === "not_an_operator") {
    signOut();
    say(t("not_an_operator"), "bad");
  } else {
    say(t("failed", { message: error.message }), "bad");
  }
}

function sure(question) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "question" },
      h("p", { id: "question" }, question),
      h("div", { class: "row" },
        h("button", { type: "button", class: "bad", onclick: () => dialog.close("yes") }, t("yes")),
        h("button", { type: "button", autofocus: true, onclick: () => dialog.close("") }, t("cancel"))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// Parts.

function card(title, id, ...children) {
  return h("section", { class: "card", id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, t(title)), ...children);
}

function table(columns, rows) {
  if (rows.length === 0) return h("p", { class: "quiet" }, t("nothing"));
  return h("div", { class: "scroll", tabindex: "0" },
    h("table", {},
      h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, t(column))))),
      h("tbody", {}, ...rows.map((cells) =>
        h("tr", {}, ...cells.map((cell) =>
          h("td", { class: typeof cell === "number" ? "number" : null }, cell instanceof Node ? cell : String(cell ?? "")))))) ));
}

const when = (text) => (text ? new Date(text).toLocaleString(language) : "");
const number = (value) => value.toLocaleString(language);

function numbers(entries) {
  return h("ul", { class: "numbers" }, ...entries.map(([name, value]) =>
    h("li", {}, `${name} `, h("b", {}, number(value)))));
}

function accountButton(id) {
  if (!id) return "";
  return h("button", { type: "button", "aria-label": `${t("look")} ${id}`, onclick: () => look(id) }, id);
}

function secret(text, value) {
  return h("div", { role: "group" }, h("p", { class: "quiet" }, text), h("code", { class: "secret" }, value));
}

function fill(id, ...children) {
  const place = byId(id);
  if (place) place.replaceChildren(...children);
}

// The overview.

function graph() {
  const rates = samples.slice(1).map((sample, index) => {
    const before = samples[index];
    const seconds = Math.max(0.001, (sample.at - before.at) / 1000);
    return {
      received: Math.max(0, (sample.received - before.received) / seconds),
      sent: Math.max(0, (sample.sent - before.sent) / seconds),
    };
  });
  const last = rates.at(-1) ?? { received: 0, sent: 0 };
  const highest = Math.max(1, ...rates.flatMap((rate) => [rate.received, rate.sent]));
  const line = (name) => rates.map((rate, index) =>
    `${(index * 300) / Math.max(1, POINTS - 1)},${98 - (rate[name] / highest) * 94}`).join(" ");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "graph");
  svg.setAttribute("viewBox", "0 0 300 100");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${t("messages_per_s")}: ${t("received")} ${number(Math.round(last.received))}, ${t("sent")} ${number(Math.round(last.sent))}`);
  for (const name of ["received", "sent"]) {
    const polyline = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    polyline.setAttribute("class", name);
    polyline.setAttribute("points", line(name));
    svg.append(polyline);
  }
  return [svg, numbers([[t("received"), Math.round(last.received)], [t("sent"), Math.round(last.sent)]])];
}

async function refresh() {
  try {
    const seen = await admin("GET", "overview");
    samples.push({ at: Date.parse(seen.at), received: seen.received, sent: seen.sent });
    samples = samples.slice(-POINTS);
    byId("process").textContent = t("process", { name: seen.process });
    fill("overview-body",
      numbers(Object.entries(seen.connections)),
      h("h3", {}, t("namespaces")), numbers(Object.entries(seen.namespaces)),
      h("h3", {}, t("queues")), numbers(Object.entries(seen.queues)),
      h("h3", {}, t("events")), numbers([[t("events"), seen.events], [t("waiting_bytes"), seen.held_bytes]]));
    fill("graph-body", ...graph());
    fill("rooms-body", table(["namespace", "room", "members"],
      seen.rooms.map((room) => [room.namespace, room.room, room.members])));
    const mode = byId("mode");
    if (mode && document.activeElement !== mode && mode.dataset.touched !== "yes") mode.value = seen.sign_ups;
  } catch (error) {
    complain(error);
  }
}

async function refreshLists() {
  const [connections, reports, webhooks, orders, log] = await Promise.all([
    admin("GET", "connections"), admin("GET", "reports"), admin("GET", "webhooks"),
    admin("GET", "orders"), admin("GET", "actions"),
  ]);
  fill("connections-body",
    h("p", { class: "quiet" }, t("connections_shown", { shown: connections.items.length, total: connections.total })),
    missing(connections),
    table(["door", "account", "since", "address", "where"], connections.items.map((one) =>
      [one.door, accountButton(one.account_id), when(one.opened_at), one.address, one.process])));
  fill("reports-body", table(["at", "subject", "content", "reason", "note", "author", "reporter", "actions"],
    reports.items.map((report) => [
      when(report.created_at), `${t(`kind_${report.kind}`)} ${report.subject_id}`, quote(report.content),
      t(`reason_${report.reason}`), quote(report.note), accountButton(report.author_id), accountButton(report.reporter_id), decideButtons(report)])));
  fill("webhooks-body", h("h3", {}, t("webhooks")),
    table(["at", "subject", "details"], webhooks.items.map((one) => [when(one.at), one.id, JSON.stringify(one)])),
    h("h3", {}, t("orders")),
    table(["subject", "reason", "actions"], orders.items.map((one) =>
      [one.id, one.stuck.reason, one.stuck.actions.join(", ")])));
  fill("log-body", table(["at", "operator", "action", "subject", "details"], log.items.map((one) =>
    [when(one.at), one.operator_id, one.action, accountButton(one.subject), one.details])));
}

// Processes that have not said what they know, if there are any.
function missing({ silent_processes: count }) {
  return count ? h("p", { class: "quiet" }, t("silent_processes", { count })) : "";
}

// What people wrote may be long, and in another direction.
function quote(text) {
  return text ? h("p", { class: "quote", dir: "auto" }, text) : "";
}

function decideButtons(report) {
  const decide = (status) => admin("POST", `reports/${encodeURIComponent(report.id)}/decide`, { status });
  return h("div", { class: "row" },
    h("button", { type: "button", class: "bad", onclick: async (event) => {
      const button = event.currentTarget;
      if (await sure(t("remove_sure", { kind: t(`kind_${report.kind}`) }))) await act(() => decide("removed"), button);
    } }, t("remove")),
    h("button", { type: "button", onclick: (event) => act(() => decide("dismissed"), event.currentTarget) }, t("dismiss")));
}

// One account.

async function look(name) {
  try {
    const found = await admin("GET", `explain?user=${encodeURIComponent(name)}`);
    byId("user-name").value = found.account.email ?? found.account.id;
    fill("user-body", ...account(found));
    byId("user").scrollIntoView({ block: "nearest" });
  } catch (error) {
    complain(error);
  }
}

function account(found) {
  const { id, email, name, disabled } = found.account;
  const path = `users/${encodeURIComponent(id)}/`;
  const step = (verb, question) => async (event) => {
    const button = event.currentTarget;
    if (question && !(await sure(t(question, { id })))) return;
    await act(() => admin("POST", path + verb), button);
    await look(id);
  };
  return [
    h("p", {}, `${id} ${email ?? ""} ${name ?? ""} ${disabled ? `(${t("disabled")})` : ""}`),
    h("div", { class: "row" },
      h("button", { type: "button", onclick: step("kick", "kick_sure") }, t("kick")),
      disabled
        ? h("button", { type: "button", onclick: step("enable") }, t("enable"))
        : h("button", { type: "button", class: "bad", onclick: step("disable", "disable_sure") }, t("disable")),
      h("button", { type: "button", onclick: async (event) => {
        const made = await act(() => admin("POST", `${path}reset-link`), event.currentTarget);
        if (made) fill("link-place", secret(t("reset_link_made"), made.link));
      } }, t("reset_link"))),
    h("div", { id: "link-place" }),
    numbers([[t("sessions"), found.sessions.length]]),
    missing(found),
    h("h3", {}, t("connections")),
    table(["door", "since", "where", "room"], found.connections.map((one) =>
      [one.door, when(one.opened_at), one.process, Object.entries(one.rooms).map(([where, rooms]) => `${where}: ${rooms.join(", ")}`).join("; ")])),
    h("h3", {}, t("ended")),
    table(["at", "door", "reason"], found.ended.map((one) => [when(one.closed_at), one.door, `${one.code} ${one.reason ?? ""}`])),
    h("h3", {}, t("last_events")),
    table(["at", "namespace", "subject", "details"], found.events.map((event) => [
      when(event.at), `${event.namespace} ${event.event}`, event.about,
      h("ul", { class: "plain" },
        event.told.length ? h("li", {}, t("told", { places: event.told.join(", ") })) : null,
        ...event.missed.map((reason) => h("li", {}, t("not_told", { reason }))))])),
  ];
}

// The whole page.

function field(label, control) {
  return h("label", { class: "field" }, h("span", {}, t(label)), control);
}

function drawPage() {
  const mode = h("select", { id: "mode", onchange: () => { mode.dataset.touched = "yes"; } },
    ...["open", "invite", "closed"].map((value) => h("option", { value }, t(value))));
  const notice = h("textarea", { id: "notice-text", maxlength: "500", rows: "2", required: true });
  const user = h("input", { id: "user-name", required: true, placeholder: t("user_hint"), autocomplete: "off" });
  byId("content").replaceChildren(h("div", { class: "grid" },
    card("overview", "overview", h("div", { id: "overview-body" }, t("loading"))),
    card("messages_per_s", "graph", h("div", { id: "graph-body" })),
    card("user", "user",
      h("form", { onsubmit: (event) => { event.preventDefault(); look(user.value.trim()); } },
        field("user_hint", user), h("button", { class: "main" }, t("find"))),
      h("div", { id: "user-body" })),
    card("connections", "connections", h("div", { id: "connections-body" })),
    card("reports", "reports", h("div", { id: "reports-body" })),
    card("rooms", "rooms", h("div", { id: "rooms-body" })),
    card("sign_ups", "sign-ups",
      h("form", { onsubmit: (event) => {
        event.preventDefault();
        act(async () => {
          await admin("PUT", "sign-ups", { mode: mode.value });
          mode.dataset.touched = "";
        }, event.submitter);
      } }, field("sign_ups_mode", mode), h("button", {}, t("save"))),
      h("p", {}, h("button", { type: "button", onclick: async (event) => {
        const made = await act(() => admin("POST", "invites", {}), event.currentTarget);
        if (made) fill("invite-place", secret(t("invite_made"), made.code));
      } }, t("new_invite"))),
      h("div", { id: "invite-place" })),
    card("notice", "notice",
      h("form", { onsubmit: async (event) => {
        event.preventDefault();
        const { submitter } = event;
        if (!(await sure(t("notice_sure")))) return;
        await act(() => admin("POST", "notices", { text: notice.value }), submitter);
        notice.value = "";
      } }, field("notice_text", notice), h("button", {}, t("send")))),
    card("stuck", "webhooks", h("div", { id: "webhooks-body" })),
    card("log", "log", h("div", { id: "log-body" }))));
}

function drawSignIn() {
  const email = h("input", { id: "email", type: "email", autocomplete: "username", required: true });
  const password = h("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  byId("content").replaceChildren(h("section", { class: "card narrow", "aria-labelledby": "sign-in-title" },
    h("h2", { id: "sign-in-title" }, t("sign_in")),
    h("form", { class: "stacked", onsubmit: (event) => {
      event.preventDefault();
      signIn(email.value, password.value);
    } }, field("email", email), field("password", password), h("button", { class: "main" }, t("sign_in")))));
}

async function signIn(email, password) {
  try {
    const response = await fetch("login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email, password }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Refused(response.status, answer);
    token = answer.token;
    await admin("GET", "overview"); // whether it is an operator
    store(sessionStorage, TOKEN, token);
    say("");
    start();
  } catch (error) {
    token = null;
    const refused = error instanceof Refused && error.code === "not_an_operator";
    say(refused ? t("not_an_operator") : t("failed", { message: error.message }), "bad");
  }
}

function signOut() {
  token = null;
  store(sessionStorage, TOKEN, null);
  say("");
  start();
}

function start() {
  clearInterval(timer);
  document.documentElement.lang = language;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  byId("sign-out").hidden = !token;
  byId("process").textContent = "";
  samples = [];
  if (!token) {
    drawSignIn();
    return;
  }
  drawPage();
  refresh();
  refreshLists().catch(complain);
  timer = setInterval(() => { if (!document.hidden) refresh(); }, POLL_MS);
}

byId("language").value = language;
byId("language").addEventListener("change", (event) => {
  language = event.target.value;
  store(localStorage, LANGUAGE, language);
  start();
});
byId("sign-out").addEventListener("click", signOut);
start();
