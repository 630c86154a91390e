/** The list of doors with their states, and the form that sends a frame through one. */

import { announce, busy, byId, el } from "./dom.js";
import { pretty } from "./frames.js";

const KIND_NAMES = { socketio: "Socket.IO", raw: "WebSocket" };
const STATE_NAMES = {
  closed: "Closed",
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Reconnecting",
  refused: "Refused",
};

export function setUpDoors(connections) {
  const rows = new Map(connections.doors.map((door) => [door.id, doorRow(door, connections)]));
  byId("door-list").append(...[...rows.values()].map(({ element }) => element));
  const form = sendForm(connections);
  connections.addEventListener("state", ({ detail: { door, state, detail } }) => {
    const text = [STATE_NAMES[state], detail].filter(Boolean).join(" · ");
    rows.get(door.id).show(state, text);
    form.stateChanged();
    announce(`${door.name}, ${KIND_NAMES[door.kind]}: ${text}`);
  });
}

function doorRow(door, connections) {
  const state = el("span", { class: "door-state" }, STATE_NAMES.closed);
  const button = el("button", { type: "button", class: "quiet compact" }, "Connect");
  button.addEventListener("click", () => {
    if (connections.active(door.id)) connections.close(door.id);
    else connections.open(door.id);
  });
  const element = el(
    "li",
    {
      class: "door",
      "data-door": door.id,
      "data-state": "closed",
      "data-auto": String(door.auto),
    },
    el("span", { class: "dot", "aria-hidden": "true" }),
    el(
      "div",
      { class: "door-text" },
      el(
        "p",
        { class: "door-name" },
        el("span", {}, door.name),
        el("code", {}, door.address),
      ),
      el("p", { class: "muted small" }, `${KIND_NAMES[door.kind]} · `, state),
    ),
    button,
  );
  const label = (verb) => {
    button.textContent = verb;
    button.setAttribute("aria-label", `${verb} ${door.name}, ${door.address}`);
  };
  label("Connect");
  return {
    element,
    show(name, text) {
      element.dataset.state = name;
      state.textContent = text;
      label(connections.active(door.id) ? "Disconnect" : "Connect");
    },
  };
}

function sendForm(connections) {
  const form = byId("send-form");
  const submit = form.querySelector("[type=submit]");
  const [doorInput, sampleInput] = [byId("send-door"), byId("send-sample")];
  const [eventInput, payloadInput, note] = [
    byId("send-event"),
    byId("send-payload"),
    byId("send-note"),
  ];
  const chosen = () => connections.doors.find(({ id }) => id === doorInput.value);

  function chooseDoor() {
    const door = chosen();
    byId("send-event-field").hidden = door.kind !== "socketio";
    sampleInput.replaceChildren(
      ...door.samples.map(({ label }, index) => el("option", { value: index }, label)),
    );
    chooseSample();
    stateChanged();
  }

  function chooseSample() {
    const sample = chosen().samples[sampleInput.value];
    eventInput.value = sample?.event ?? "";
    payloadInput.value = sample?.text ?? pretty(sample?.data);
    note.textContent = "";
  }

  function stateChanged() {
    submit.disabled = connections.state(doorInput.value) !== "connected";
    submit.title = submit.disabled ? "Connect first" : "";
  }

  /** Read the form; raw doors get the text as it is, since servers must stand broken JSON too. */
  function frame() {
    const text = payloadInput.value;
    if (chosen().kind === "raw") return { text };
    return { event: eventInput.value.trim(), args: text.trim() ? [JSON.parse(text)] : [] };
  }

  doorInput.append(
    ...connections.doors.map(({ id, address }) => el("option", { value: id }, address)),
  );
  doorInput.addEventListener("change", chooseDoor);
  sampleInput.addEventListener("change", chooseSample);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const outcome = (text, ok) => {
      note.textContent = text;
      note.classList.toggle("error", !ok);
    };
    let message;
    try {
      message = frame();
    } catch (error) {
      outcome(`The payload is not JSON: ${error.message}`, false);
      return;
    }
    if (message.event === "") {
      outcome("Name the event to send.", false);
      return;
    }
    const { text, ok } = await busy(submit, () => connections.send(doorInput.value, message));
    outcome(text, ok);
    stateChanged();
  });
  chooseDoor();
  return { stateChanged };
}
