/** Web Push: notifications of the browser while no page is open. */

import { addressOf } from "./address.js";
import { api, clientConfig } from "./api.js";
import { go, placeOf } from "./router.js";

/** A browser whose push service cannot be reached may never answer. */
const SUBSCRIBE_MS = 10_000;

const PATH = "/api/v1/push/subscriptions";

let policy;

/**
 * What this browser does about pushes: `unsupported` (the browser, or an insecure page),
 * `unavailable` (the server sends none), `blocked` (the reader refused them in the browser), `off` or
 * `on`.
 */
export async function pushState() {
  if (!("serviceWorker" in navigator && "PushManager" in globalThis)) return "unsupported";
  if (!(await clientConfig()).vapid_public_key) return "unavailable";
  if (Notification.permission === "denied") return "blocked";
  const registration = await navigator.serviceWorker.getRegistration(addressOf("/").href);
  return (await registration?.pushManager.getSubscription()) ? "on" : "off";
}

/** Ask the reader and the browser for pushes; returns the state. Call it from a press. */
export async function turnPushOn() {
  if ((await Notification.requestPermission()) !== "granted") {
    throw new DOMException("Notifications are not allowed.", "NotAllowedError");
  }
  const { vapid_public_key: key } = await clientConfig();
  const registration = await register();
  const subscribing = registration.pushManager.subscribe({
    userVisibleOnly: true,
    applicationServerKey: bytesOf(key),
  });
  const subscription = await Promise.race([subscribing, late()]);
  await api.post(PATH, subscription.toJSON());
  return pushState();
}

/** End them, here and at the server; returns the state. */
export async function turnPushOff() {
  const registration = await navigator.serviceWorker.getRegistration(addressOf("/").href);
  const subscription = await registration?.pushManager.getSubscription();
  if (subscription) {
    await api.delete(PATH, { endpoint: subscription.endpoint });
    await subscription.unsubscribe();
  }
  return pushState();
}

const NOTICES = "notices";

/** Whether this browser shows notifications while the page is open in the background. */
export function noticesOn() {
  if (!("Notification" in globalThis) || Notification.permission !== "granted") return false;
  try {
    return localStorage.getItem(NOTICES) === "on";
  } catch {
    return false;
  }
}

/** Have them shown or not; throws `notices_blocked` when the reader refuses. Call it from a press. */
export async function turnNotices(on) {
  if (on && (await Notification.requestPermission()) !== "granted") {
    throw Object.assign(new Error("Notifications are not allowed."), { code: "notices_blocked" });
  }
  if (on) await register();
  if (on) localStorage.setItem(NOTICES, "on");
  else localStorage.removeItem(NOTICES);
}

/** Show a notification while the page is in the background; its push, if one comes, takes its place. */
export async function showNotice({ id, title, message, link }) {
  if (!noticesOn()) return;
  const registration = await navigator.serviceWorker?.getRegistration(addressOf("/").href);
  await registration?.showNotification(title, { body: message, tag: `notification-${id}`, data: { link } });
}

/** The worker says where a notification that was pressed leads. */
export function followPushes() {
  navigator.serviceWorker?.addEventListener("message", ({ data }) => {
    const place = placeOf(data?.open);
    if (place) go(place);
  });
}

function late() {
  const error = new DOMException("The push service did not answer.", "AbortError");
  return new Promise((_, reject) => setTimeout(() => reject(error), SUBSCRIBE_MS));
}

/** Register the worker; resolves when it can take pushes. */
export async function register() {
  await navigator.serviceWorker.register(trusted(), { scope: addressOf("/").pathname });
  return navigator.serviceWorker.ready;
}

/** The one address that the page's policy lets become a script: whatever comes in, it is this. */
function trusted() {
  const { href } = addressOf("service-worker.js");
  // A policy can be made once.
  policy ??= globalThis.trustedTypes?.createPolicy("push-worker", { createScriptURL: () => href });
  return policy ? policy.createScriptURL("") : href;
}

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (char) => char.codePointAt(0));
}
