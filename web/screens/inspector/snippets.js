/** A frame as code that sends it again; the token has to be put in by hand. */

/** The kinds of code there are for frames of a connection. */
export function kindsFor(connection) {
  if (connection === "REST") return ["fetch", "curl"];
  return isNamespace(connection) ? ["js", "python"] : ["js", "websocat"];
}

/** `name` of a REST frame is its method and path; of others, the event or the frame's type. */
export function codeFor(kind, { connection, name, payload, origin }) {
  const base = String(origin).replace(/\/$/, "");
  const text = typeof payload === "string" ? payload : JSON.stringify(payload ?? {});
  if (connection === "REST") {
    const [method, path] = name.split(" ");
    return (kind === "curl" ? curl : fetching)(method, base + path, payload == null ? null : text);
  }
  if (isNamespace(connection)) {
    return (kind === "python" ? python : socketio)(base, connection, JSON.stringify(name), text);
  }
  const url = `${base.replace(/^http/, "ws")}${connection}?token=`;
  if (kind === "websocat") return `echo ${quoted(text)} | websocat "${url}$TOKEN"`;
  return `const ws = new WebSocket("${url}" + TOKEN);\nws.onopen = () => ws.send(${JSON.stringify(text)});`;
}

/** Namespaces have one word; the older APIs' paths say what they are. */
function isNamespace(connection) {
  return /^\/[a-z]+$/.test(connection) && connection !== "/ws";
}

function socketio(base, namespace, event, text) {
  return [
    'import { io } from "socket.io-client";',
    `const socket = io("${base}${namespace}", { auth: { token: TOKEN } });`,
    `console.log(await socket.emitWithAck(${event}, ${text}));`,
  ].join("\n");
}

function python(base, namespace, event, text) {
  return [
    "import json, socketio",
    "client = socketio.Client()",
    `client.connect("${base}", namespaces=["${namespace}"], auth={"token": TOKEN})`,
    `print(client.call(${event}, json.loads(${JSON.stringify(text)}), namespace="${namespace}"))`,
  ].join("\n");
}

function curl(method, url, body) {
  const parts = [`curl -X ${method} ${quoted(url)} -H "Authorization: Bearer $TOKEN"`];
  if (body !== null) parts.push(`-H 'Content-Type: application/json' -d ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

function fetching(method, url, body) {
  const type = body === null ? "" : ', "Content-Type": "application/json"';
  return [
    `const answer = await fetch(${JSON.stringify(url)}, {`,
    `  method: "${method}",`,
    `  headers: { Authorization: "Bearer " + TOKEN${type} },`,
    ...(body === null ? [] : [`  body: ${JSON.stringify(body)},`]),
    "});",
  ].join("\n");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
