/** The page: wires session, connection, screens and shell together. */

import { addressOf } from "./lib/address.js";
import { api, session, signOut } from "./lib/api.js";
import { Connection } from "./lib/connection.js";
import { announce, byId, el, icon } from "./lib/dom.js";
import * as format from "./lib/format.js";
import { frames } from "./lib/frames.js";
import {
  LANGUAGES,
  catalogue,
  has,
  language,
  loadWords,
  onLanguage,
  setLanguage,
  t,
  translator,
} from "./lib/i18n.js";
import { io as ownIo } from "./lib/io.js";
import { isTyping } from "./lib/keys.js";
import { errorNote } from "./lib/listview.js";
import { menuOf } from "./lib/menu.js";
import { navigation } from "./lib/navigation.js";
import { avatar, people } from "./lib/people.js";
import { pill } from "./lib/pill.js";
import { followPushes } from "./lib/push.js";
import { go, hrefTo, parse } from "./lib/router.js";
import { scrolls } from "./lib/scrolls.js";
import { toast } from "./lib/toast.js";
import { FIRST, screens } from "./screens.js";
import { screen as welcome } from "./screens/welcome/index.js";

/** `ago` texts are brought up to date this often. */
const AGO_MS = 20_000;
const INSPECTOR_KEY = "inspector";
/** Links of mails: they are shown to everyone, signed in or not. */
const MAIL_LINKS = new Set(["reset", "verify"]);

/** What exists once in the page, for tests and for the browser's console. */
export const shell = { connection: null };

const content = byId("content");
const drawer = byId("inspector");
const counts = new Map();
let connection;
let navigate;
let status;
let shown = null;
let inspector = null;
let beforeInspector = null;
let badges = [];
let turn = 0;

/** What a screen is given: see README.md. */
function contextOf(id, words) {
  return {
    id,
    connection,
    api,
    session,
    people,
    format,
    frames,
    toast,
    announce,
    t: translator(words),
    language,
    go: (...params) => go([id, ...params]),
    href: (...params) => hrefTo(id, ...params),
    setTitle,
    setBadge: (count) => showCount(id, count),
  };
}

async function load(id) {
  // The first view is there at once, with its style.
  if (id === "welcome") return { screen: welcome, words: await catalogue("../screens/welcome/") };
  const [module, words] = await Promise.all([
    import(`./screens/${id}/index.js`),
    catalogue(`../screens/${id}/`),
    styled(id),
  ]);
  return { screen: module.screen, words };
}

/** Add a screen's style once, and wait for it: nothing is shown without it. */
function styled(id) {
  const known = byId(`style-${id}`);
  if (known) return known.ready;
  const href = new URL(`./screens/${id}/style.css`, import.meta.url).href;
  const link = el("link", { rel: "stylesheet", id: `style-${id}`, href });
  link.ready = new Promise((resolve) => {
    link.onload = resolve;
    link.onerror = resolve;
  });
  document.head.append(link);
  return link.ready;
}

function setTitle(text) {
  byId("title").textContent = text;
  document.title = text === t("app.name") ? text : `${text} · ${t("app.name")}`;
}

/** Show the screen of the address, or the welcome screen to a visitor who is not signed in. */
async function show({ focus = true } = {}) {
  const place = parse(location.hash);
  const link = MAIL_LINKS.has(place.screen);
  const known = screens.find((screen) => screen.id === place.screen);
  if (session.user && place.screen === "") return go([FIRST], { replace: true });
  const id = link || !session.user ? "welcome" : (known?.id ?? "");
  const params = link ? [place.screen, ...place.params] : place.params;
  // The token of a link leaves the address bar and the history.
  if (link) history.replaceState(null, "", location.pathname + location.search);
  document.body.dataset.screen = id;
  document.body.classList.toggle("signed-out", !session.user);
  if (shown?.id === id) {
    shown.params = params;
    shown.screen.update?.(params);
    return;
  }
  turn += 1;
  const own = turn;
  scrolls.leave();
  leave();
  navigate.current(id);
  setTitle(known && session.user ? t(known.title) : t("app.name"));
  if (id === "") return content.replaceChildren(nowhere());
  try {
    const { screen, words } = await load(id);
    if (own !== turn) return;
    const root = el("div", { class: ["screen", `screen-${id}`] });
    content.replaceChildren(root);
    shown = { id, screen, params, root };
    await screen.mount(root, contextOf(id, words), params);
  } catch (error) {
    if (own !== turn) return;
    console.error(error);
    shown = null;
    const failed = Object.assign(new Error(t("screen.failed")), { code: "screen" });
    // After an update of the server the page's own modules are there under other addresses.
    content.replaceChildren(errorNote(failed, () => location.reload()));
  }
  if (own !== turn) return;
  scrolls.arrive(location.hash, content);
  if (focus && id !== "welcome") content.focus({ preventScroll: true });
}

function leave() {
  if (shown) shown.screen.unmount?.();
  shown = null;
}

function nowhere() {
  return el(
    "div",
    { class: "note empty" },
    icon("empty", { size: 28 }),
    el("p", {}, t("screen.unknown")),
    el("a", { class: "button", href: hrefTo(FIRST) }, t("screen.home")),
  );
}

/** Open or close the drawer with the frames; opened by its key or button, it has the focus. */
async function inspect({ focus = true } = {}) {
  if (inspector) return closeInspector();
  if (!session.user) return;
  const before = document.activeElement;
  sessionStorage.setItem(INSPECTOR_KEY, "open");
  const { screen, words } = await load("inspector");
  if (inspector || !session.user) return;
  inspector = screen;
  drawer.hidden = false;
  drawer.setAttribute("aria-label", t("screen.inspector"));
  const root = el("div", { class: "screen-inspector" });
  drawer.replaceChildren(root);
  document.body.classList.add("with-inspector");
  await screen.mount(root, { ...contextOf("inspector", words), close: closeInspector }, []);
  beforeInspector = before;
  if (focus) drawer.focus({ preventScroll: true });
}

function closeInspector() {
  inspector?.unmount?.();
  inspector = null;
  const inside = drawer.contains(document.activeElement);
  drawer.hidden = true;
  drawer.replaceChildren();
  document.body.classList.remove("with-inspector");
  sessionStorage.removeItem(INSPECTOR_KEY);
  if (!inside) return;
  const back = beforeInspector?.isConnected && beforeInspector !== document.body ? beforeInspector : null;
  (back ?? byId("open-inspector"))?.focus();
}

function showCount(id, count) {
  counts.set(id, count);
  navigate.count(id, count);
  const bell = byId("bell");
  if (!bell || screens.find((screen) => screen.id === id)?.place !== "bell") return;
  const shownCount = bell.querySelector(".badge");
  shownCount.hidden = count === 0;
  shownCount.textContent = format.badge(count);
  const title = t("screen.notifications");
  bell.setAttribute("aria-label", count ? t("nav.unread", { title, count }) : title);
}

/** Count what is unread of screens that are closed. */
async function watchBadges() {
  const counted = screens.filter((screen) => screen.badge);
  for (const { id } of counted) {
    const [{ watch }, words] = await Promise.all([
      import(`./screens/${id}/badge.js`),
      catalogue(`../screens/${id}/`),
    ]);
    if (!session.user) return;
    badges.push(watch(contextOf(id, words), (count) => showCount(id, count)));
  }
}

function drawActions() {
  const place = byId("top-actions");
  const { user } = session;
  if (!user) return place.replaceChildren();
  people.learn({ ...user, kind: "account" });
  const bell = el(
    "a",
    {
      id: "bell",
      class: "icon-button",
      href: hrefTo("notifications"),
      "aria-label": t("screen.notifications"),
    },
    icon("bell", { size: 22 }),
    el("span", { class: "badge", hidden: true, "aria-hidden": "true" }),
  );
  const me = el(
    "button",
    {
      type: "button",
      id: "me",
      class: "icon-button me",
      "aria-label": t("account.menu", { name: user.name || user.email || "" }),
    },
    avatar(user.id, { size: 32 }),
  );
  menuOf(me, () => [
    { label: t("account.open"), icon: "account", run: () => go(["account"]) },
    { label: t("account.window"), icon: "window", run: secondWindow },
    ...Object.entries(LANGUAGES).map(([code, label]) => ({
      label,
      checked: code === language(),
      run: () => setLanguage(code),
    })),
    null,
    { label: t("account.signOut"), icon: "leave", run: signOut },
  ]);
  place.replaceChildren(bell, me);
  for (const [id, count] of counts) showCount(id, count);
}

/** Open a window without this tab's session, for signing in to another account. */
function secondWindow() {
  // With an opener the new window would begin with a copy of sessionStorage, and be the same person.
  open(addressOf("/"), "_blank", "noopener,width=480,height=860");
}

function drawShell() {
  byId("skip-content").textContent = t("skip.content");
  navigate = navigation(byId("rail"), screens, { inspect });
  byId("rail").hidden = !session.user;
  status = pill(byId("pill"), connection, { signIn: () => content.querySelector("input")?.focus() });
  drawActions();
}

function started({ focus = true } = {}) {
  drawShell();
  connection.open();
  watchBadges().catch(console.error);
  show({ focus });
  if (sessionStorage.getItem(INSPECTOR_KEY)) inspect({ focus: false });
}

function ended({ detail: code }) {
  for (const stop of badges.splice(0)) stop?.();
  if (inspector) closeInspector();
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  connection.close();
  people.clear();
  frames.clear();
  scrolls.clear();
  counts.clear();
  document.title = t("app.name");
  drawShell();
  // The next person arrives at the first screen, not where this one was.
  if (!code) history.replaceState(null, "", location.pathname + location.search);
  show().then(() => {
    if (!code) return announce(t("state.signed-out"));
    const key = has(`error.${code}`) ? `error.${code}` : "error.session_ended";
    shown?.screen.say?.(t(key));
  });
}

/** The own client, or with `?client=stock` that of socket.io, where it is installed. */
async function chooseIo() {
  if (new URLSearchParams(location.search).get("client") !== "stock") return ownIo;
  await import(addressOf("socket.io/socket.io.js").href);
  return globalThis.io;
}

async function start() {
  await loadWords();
  connection = shell.connection = new Connection(await chooseIo(), session);
  session.addEventListener("started", () => started());
  session.addEventListener("ended", ended);
  session.addEventListener("changed", drawActions);
  connection.addEventListener("catchup", () => {
    shown?.screen.catchUp?.();
    inspector?.catchUp?.();
  });
  // A notice of an operator comes in every namespace.
  connection.on("/stories", "server.notice", ({ text }) => toast(text));
  onLanguage(() => {
    const inspecting = inspector !== null;
    leave();
    if (inspecting) closeInspector();
    drawShell();
    show();
    if (inspecting) inspect({ focus: false });
  });
  followPushes();
  addEventListener("hashchange", () => show());
  addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "`" && plain && !isTyping(event)) {
      event.preventDefault();
      inspect();
    }
  });
  drawer.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) closeInspector();
  });
  byId("skip-content").addEventListener("click", (event) => {
    event.preventDefault();
    content.focus();
  });
  setInterval(() => format.refreshAgo(), AGO_MS);
  // Where the reader begins is the browser's to say; later the focus follows the screens.
  if (session.user) started({ focus: false });
  else {
    drawShell();
    await show({ focus: false });
  }
}

start();
