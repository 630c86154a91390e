/** The REST side of the server: one way to call it, and one kind of error. */

import { addressOf } from "./address.js";
import { frames } from "./frames.js";
import { language } from "./i18n.js";
import { Session } from "./session.js";

export class ApiError extends Error {
  /**
   * `status` is 0 when the server could not be reached; `code` is stable; `fields` holds messages by
   * field name; `retryAfter` is seconds to wait, or undefined.
   */
  constructor(status, { code, detail, errors, retryAfter }) {
    super(detail);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.fields = errors ?? {};
    this.retryAfter = retryAfter;
  }
}

export const session = new Session((refreshToken) =>
  send("POST", "/api/v1/auth/refresh", { body: { refresh_token: refreshToken } }),
);

/** Create an account and sign in to it; `invite` where the server needs one. */
export async function signUp({ email, password, name, invite }) {
  const body = { email, password, name, invite };
  // The diary's days begin where the reader is.
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  const create = (more) => send("POST", "/api/v1/auth/signup", { body: { ...body, ...more } });
  try {
    session.start(await create(timeZone ? { time_zone: timeZone } : {}));
  } catch (error) {
    // A browser may know zones that the server does not: the account begins in UTC then.
    if (!error.fields?.time_zone) throw error;
    session.start(await create({}));
  }
  if (session.user.language !== language()) keepLanguage();
}

/** Notices and mails come in the language of the page; without it they come in the server's own. */
function keepLanguage() {
  const change = api.patch("/api/v1/auth/me", { language: language() });
  change.then((user) => session.update(user)).catch(() => {});
}

export async function signIn({ email, password }) {
  session.start(await send("POST", "/api/v1/auth/login", { body: { email, password } }));
}

/** In development: become one of the people of the demo data, which is loaded when it is missing. */
export async function enterAs(name) {
  session.start(await send("POST", "/api/v1/demo/enter", { body: { name } }));
}

/** Sign out here at once; the server ends the session as well, if it can be reached. */
export async function signOut() {
  const { token, refreshToken } = session.tokens;
  session.end();
  const body = { refresh_token: refreshToken };
  await send("POST", "/api/v1/auth/logout", { body, token }).catch(() => {});
}

let config = null;

/** What this server offers: `{development, languages, demo_people, sign_up}`; asked once. */
export function clientConfig() {
  config ??= send("GET", "/api/v1/client-config").catch((error) => {
    config = null;
    if (error.status === 404) return { development: false, languages: ["en"], demo_people: [] };
    throw error;
  });
  return config;
}

/** Have a link for a new password sent, if the address is an account's. */
export function forgotPassword(email) {
  return send("POST", "/api/v1/auth/password/forgot", { body: { email } });
}

/** Set a new password with the token of a link. */
export function resetPassword(token, password) {
  return send("POST", "/api/v1/auth/password/reset", { body: { token, password } });
}

/** Verify an e-mail with the token of a link. */
export function verifyEmail(token) {
  return send("POST", "/api/v1/auth/email/verify", { body: { token } });
}

/** Calls as the signed-in account; a token that the server no longer takes is renewed once. */
export const api = {
  get: (path, query) => call("GET", withQuery(path, query)),
  post: (path, body, options) => call("POST", path, body ?? {}, options),
  put: (path, body) => call("PUT", path, body),
  patch: (path, body) => call("PATCH", path, body),
  delete: (path, body) => call("DELETE", path, body),
  blob: (path) => call("GET", path, undefined, { as: "blob" }),
  upload,
};

async function call(method, path, body, options = {}) {
  const token = await session.token();
  try {
    return await send(method, path, { ...options, body, token });
  } catch (error) {
    if (error.status !== 401 || !session.user) throw error;
    await session.renew();
    return send(method, path, { ...options, body, token: await session.token() });
  }
}

/**
 * Send a form with files; `progress` is called with the part that has been sent (0 to 1), `signal` aborts.
 *
 * XMLHttpRequest, because `fetch` says nothing of what has been sent.
 */
async function upload(path, form, { progress, signal } = {}) {
  const token = await session.token();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", addressOf(path));
    request.responseType = "json";
    request.setRequestHeader("Accept", "application/json");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.onprogress = ({ loaded, total }) => progress?.(total ? loaded / total : 0);
    request.onload = () => {
      const { status, response } = request;
      if (status >= 200 && status < 300) resolve(response);
      else reject(problem(status, response, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

function withQuery(path, query) {
  const known = Object.entries(query ?? {}).filter(([, value]) => value != null);
  return known.length ? `${path}?${new URLSearchParams(known)}` : path;
}

/** Passwords and tokens go to and come from these: the log of frames has no bodies of theirs. */
const SECRET = /^\/api\/v1\/(auth|demo|push)\//;

/** Log a call or its answer among the frames, as of the connection `REST`. */
function log(direction, path, name, payload) {
  frames.add("REST", direction, name, payload != null && SECRET.test(path) ? "…" : payload);
}

async function send(method, path, { body, token, as = "json", key, signal } = {}) {
  const headers = { Accept: as === "json" ? "application/json" : "*/*" };
  const file = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = file ? body.type : "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers["Idempotency-Key"] = key;
  let response;
  const name = `${method} ${path}`;
  log("out", path, name, file ? `${body.size} bytes of ${body.type}` : body);
  try {
    response = await fetch(addressOf(path), {
      method,
      headers,
      signal,
      body: file ? body : body && JSON.stringify(body),
    });
  } catch (error) {
    log("note", path, `${name} unanswered`, error.message);
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  const answered = (content) => {
    log("in", path, `${response.status} ${name}`, content);
    return content;
  };
  if (response.ok) {
    if (as === "blob") return answered(undefined) ?? response.blob();
    return answered(response.status === 204 ? null : await response.json().catch(() => null));
  }
  const content = answered(await response.json().catch(() => null));
  throw problem(response.status, content, response.headers.get("Retry-After"));
}

function unreachable() {
  return new ApiError(0, { code: "unreachable", detail: "The server cannot be reached." });
}

function problem(status, content, retryAfter) {
  return new ApiError(status, {
    code: "error",
    detail: `The server answered ${status}.`,
    ...content,
    retryAfter: Number(retryAfter) || undefined,
  });
}
