/** The page: wires session, doors, feed and log together. */

import { setUpAccount, showUser } from "./account.js";
import { me, session } from "./api.js";
import { Connections } from "./connections.js";
import { setUpDoors } from "./door-panel.js";
import { announce, byId, el } from "./dom.js";
import { FrameLog } from "./frames.js";
import { Feed } from "./stories.js";

const connections = new Connections(session, me);
const log = new FrameLog(byId("frame-list"), byId("frame-count"));
const feed = new Feed();

function show() {
  const signedIn = session.user !== null;
  byId("welcome").hidden = signedIn;
  byId("workbench").hidden = !signedIn;
  byId("views").hidden = !signedIn;
  showUser(session.user);
}

function start() {
  show();
  feed.load();
  connections.openAutomatic();
}

connections.addEventListener("frame", ({ detail: frame }) => {
  log.add(frame);
  if (frame.door.id === "stories" && frame.direction === "in") feed.hear(frame.name, frame.payload);
});
connections.addEventListener("state", ({ detail: { door, state } }) => {
  // What happened while the door was closed was told to nobody here.
  if (door.id === "stories" && state === "connected") feed.load();
});
session.addEventListener("started", () => {
  start();
  byId("content").focus();
});
session.addEventListener("ended", () => {
  connections.closeAll();
  feed.reset();
  log.clear();
  show();
  announce("Signed out");
});

byId("frame-door").append(
  ...connections.doors.map(({ id, address }) => el("option", { value: id }, address)),
);
byId("frame-door").addEventListener("change", ({ target }) => log.show(target.value));
byId("frame-clear").addEventListener("click", () => log.clear());
byId("frame-pause").addEventListener("click", ({ currentTarget: button }) => {
  const paused = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(paused));
  button.textContent = paused ? "Resume" : "Pause";
  log.pause(paused);
});
byId("views").addEventListener("click", ({ target }) => {
  const view = target.closest("[data-view]")?.dataset.view;
  if (!view) return;
  byId("workbench").dataset.view = view;
  for (const button of byId("views").children) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  window.scrollTo(0, 0);
});

setUpAccount();
setUpDoors(connections);
if (session.user) start();
else show();
