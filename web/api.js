/** The REST side of the server: every call the page makes, and one kind of error. */

import { Session } from "./session.js";

export class ApiError extends Error {
  /** `fields` holds messages by field name, `retryAfter` seconds to wait; both may be missing. */
  constructor(status, { code, detail, errors, retryAfter }) {
    super(detail);
    this.status = status;
    this.code = code;
    this.fields = errors ?? {};
    this.retryAfter = retryAfter;
  }
}

export const session = new Session((refreshToken) =>
  send("POST", "/api/v1/auth/refresh", { body: { refresh_token: refreshToken } }),
);

export async function signUp({ email, password, name }) {
  session.start(await send("POST", "/signup", { body: { email, password, name } }));
}

export async function signIn({ email, password }) {
  session.start(await send("POST", "/login", { body: { email, password } }));
}

/** Sign out here at once; the server is told as well, if it can be reached. */
export async function signOut() {
  const { token, refreshToken } = session.tokens;
  session.end();
  const body = { refresh_token: refreshToken };
  await send("POST", "/api/v1/auth/logout", { body, token }).catch(() => {});
}

/** Ask whether the server takes the session's token. */
export function me() {
  return call("GET", "/api/v1/auth/me");
}

export const stories = {
  create: (story) => call("POST", "/stories", story),
  feed: (query) => call("GET", `/stories?${new URLSearchParams(query)}`),
  get: (id) => call("GET", path(id)),
  remove: (id) => call("DELETE", path(id)),
  view: (id) => call("POST", path(id, "view")),
  react: (id, emoji) => call("POST", path(id, "reactions"), { emoji }),
  unreact: (id) => call("DELETE", path(id, "reactions")),
  viewers: (id) => call("GET", path(id, "viewers")),
  reactions: (id) => call("GET", path(id, "reactions")),
};

function path(id, part) {
  return `/stories/${encodeURIComponent(id)}${part ? `/${part}` : ""}`;
}

/** Call as the signed-in user; a token the server no longer takes is renewed once. */
async function call(method, url, body) {
  const token = await session.token();
  try {
    return await send(method, url, { body, token });
  } catch (error) {
    if (error.status !== 401 || !session.user) throw error;
    await session.renew();
    return send(method, url, { body, token: await session.token() });
  }
}

async function send(method, url, { body, token } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new ApiError(0, { code: "unreachable", detail: "The server cannot be reached." });
  }
  const content = await response.json().catch(() => null);
  if (response.ok) return content;
  throw new ApiError(response.status, {
    detail: `The server answered ${response.status} ${response.statusText}`.trim(),
    ...content,
    retryAfter: Number(response.headers.get("Retry-After")) || undefined,
  });
}
