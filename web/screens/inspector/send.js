/** A form that sends: to a namespace, to an older API, or over REST. */

import { api } from "../../lib/api.js";
import { bdi, el } from "../../lib/dom.js";
import { describe, sentences } from "../../lib/forms.js";
import { onSubmitKey } from "../../lib/keys.js";
import { addressOf, doors } from "./doors.js";
import { withIds } from "./ids.js";
import { copiers } from "./rows.js";
import { visible } from "./tree.js";

const RESERVED = new Set(["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]);

export function sendForm(ctx, raw) {
  const { t } = ctx;
  const door = el("select", { "aria-label": t("to") }, group(t, "socketio", "Socket.IO"), group(t, "raw", t("older")), group(t, "rest", "REST"));
  const sample = el("select", { "aria-label": t("sample") });
  const event = el("input", { class: "mono", "aria-label": t("event"), autocomplete: "off", spellcheck: "false" });
  const payload = el("textarea", { class: "mono", rows: "4", "aria-label": t("payload"), "aria-describedby": "inspector-faults", spellcheck: "false" });
  const faults = el("ul", { id: "inspector-faults", class: "small inspector-faults", hidden: true });
  const note = el("p", { class: "small inspector-note", role: "status" });
  const code = el("details", { class: "inspector-code" }, el("summary", { class: "small" }, t("copy.as")));
  const chosen = () => doors.find(({ id }) => id === door.value);
  let filling = 0;

  const say = (text, { fields = {}, failed = false } = {}) => {
    note.classList.toggle("error", failed);
    note.textContent = visible(text);
    const named = Object.entries(fields);
    payload.toggleAttribute("aria-invalid", named.length > 0);
    faults.hidden = named.length === 0;
    faults.replaceChildren(...named.map(([name, messages]) => faultOf(payload, name, sentences(messages))));
  };
  const fill = async () => {
    const { event: name, data, text, ids } = chosen().samples[Number(sample.value)];
    const turn = (filling += 1);
    form.setAttribute("aria-busy", "true");
    event.hidden = name === undefined;
    event.value = name ?? "";
    code.open = false;
    say("");
    let value = text ?? "";
    if (data) {
      const filled = await withIds(data, ids, {
        frames: ctx.frames.list(),
        request: (...asked) => ctx.connection.request(...asked),
        me: ctx.session.user?.id,
      }).catch(() => data);
      value = JSON.stringify(filled, null, name === undefined ? 0 : 2);
    }
    if (turn !== filling) return;
    payload.value = value;
    form.setAttribute("aria-busy", "false");
  };
  const list = () => {
    sample.replaceChildren(...chosen().samples.map(({ label }, n) => el("option", { value: String(n) }, label)));
    fill();
  };
  const form = el(
    "form",
    { class: "inspector-send" },
    el("div", { class: "row" }, door, sample),
    event,
    payload,
    faults,
    el("div", { class: "row" }, note, el("button", { type: "submit", class: "primary small" }, t("send"))),
    code,
  );
  const run = async () => {
    try {
      say(await send(ctx, raw, chosen(), event.value.trim(), payload.value));
    } catch (error) {
      say([error.code && `${error.code}:`, describe(error)].filter(Boolean).join(" "), { fields: error.fields, failed: true });
    }
  };
  code.addEventListener("toggle", () => {
    code.querySelector(".inspector-copy")?.remove();
    if (code.open) code.append(copiers(ctx, frameOf(chosen(), event.value.trim(), payload.value)));
  });
  for (const input of [event, payload]) input.addEventListener("input", () => (code.open = false));
  door.addEventListener("change", list);
  sample.addEventListener("change", fill);
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    run();
  });
  onSubmitKey(form, run);
  list();
  return form;
}

function group(t, kind, label) {
  const own = doors.filter((each) => each.kind === kind);
  return el("optgroup", { label }, own.map((each) => el("option", { value: each.id }, addressOf(each))));
}

/** A field's error; pressed, it leads to the field in the payload. */
function faultOf(payload, name, text) {
  const find = () => {
    const at = payload.value.indexOf(JSON.stringify(name));
    payload.focus();
    if (at >= 0) payload.setSelectionRange(at, at + name.length + 2);
  };
  return el(
    "li",
    {},
    el("button", { type: "button", class: "inspector-fault", onclick: find }, bdi(visible(name), { class: "mono" })),
    ": ",
    bdi(visible(text)),
  );
}

/** What is in the form, as the log of frames would have it. */
function frameOf(door, event, text) {
  if (door.kind === "raw") return { connection: addressOf(door), name: "", payload: text };
  let payload = null;
  try {
    payload = JSON.parse(text);
  } catch {
    // An unfinished payload is copied as it stands.
    payload = text || null;
  }
  return { connection: door.kind === "rest" ? "REST" : door.namespace, name: event, payload };
}

async function send(ctx, raw, door, event, text) {
  const { t } = ctx;
  if (door.kind === "raw") {
    if (raw.state(door).state !== "connected") throw new Error(t("send.closed"));
    raw.send(door, text);
    return t("send.sent");
  }
  if (RESERVED.has(event)) throw new Error(t("send.reserved", { event }));
  const data = readJson(t, text);
  const started = performance.now();
  if (door.kind === "rest") {
    const [method, path = ""] = event.split(/\s+/);
    const call = api[method.toLowerCase()];
    if (!["get", "post", "put", "patch", "delete"].includes(method.toLowerCase()) || !path.startsWith("/")) throw new Error(t("send.rest"));
    await call(path, data);
  } else await ctx.connection.request(door.namespace, event, data);
  return t("send.answered", { ms: Math.round(performance.now() - started) });
}

function readJson(t, text) {
  if (!text.trim()) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${t("send.json")} ${error.message}`);
  }
}
