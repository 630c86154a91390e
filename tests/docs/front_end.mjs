// Runs a page of the guide "A front end in ten minutes" in a DOM on Node.
//
// node front_end.mjs <folder> <entry>: compiles what is JSX or Vue in the folder and imports the entry.
// Writes the list as a JSON array whenever it changes; a line on stdin is published through the form.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, entry] = process.argv.slice(2);
const require = createRequire(join(folder, "x.js"));
const { Window } = require("happy-dom");

const window = new Window({ url: "http://localhost:5173/" });
for (const name of ["document", "HTMLElement", "Element", "Node", "Event", "SVGElement", "ShadowRoot", "Text"]) {
  globalThis[name] = window[name];
}
globalThis.window = globalThis;
globalThis.navigator ??= window.navigator;

function inJavaScript(name) {
  return name.replace(/\.(jsx|vue)(?=["']|$)/g, ".$1.js");
}

function compileJsx(source) {
  const typescript = require("typescript");
  const { JsxEmit, ModuleKind, ScriptTarget } = typescript;
  const compilerOptions = {
    jsx: JsxEmit.ReactJSXDev,
    module: ModuleKind.ESNext,
    target: ScriptTarget.ESNext,
  };
  return typescript.transpileModule(source, { compilerOptions, fileName: "page.jsx" }).outputText;
}

function compileVue(source) {
  const { compileScript, parse } = require("vue/compiler-sfc");
  const { descriptor, errors } = parse(source);
  if (errors.length) throw errors[0];
  return compileScript(descriptor, { id: "page", inlineTemplate: true }).content;
}

const compilers = { jsx: compileJsx, vue: compileVue };
for (const name of JSON.parse(readFileSync(join(folder, "files.json"), "utf8"))) {
  const compile = compilers[name.split(".").at(-1)];
  const source = readFileSync(join(folder, name), "utf8");
  const compiled = compile ? compile(source) : source;
  if (!name.endsWith(".html")) {
    writeFileSync(
      join(folder, inJavaScript(name)),
      compiled.replace(/(from\s+["'])(\.\/[^"']+)(["'])/g, (_, from, path, end) => from + inJavaScript(path) + end),
    );
  }
}

document.body.innerHTML = entry === "main.js"
  ? readFileSync(join(folder, "index.html"), "utf8").replace(/<script.*<\/script>/, "")
  : '<div id="root"></div>';

let written = "";
function write() {
  const items = [...document.querySelectorAll("li")].map((item) => item.textContent);
  const line = JSON.stringify(items);
  if (line !== written) process.stdout.write(`${(written = line)}\n`);
}
new window.MutationObserver(write).observe(document.body, {
  childList: true,
  subtree: true,
  characterData: true,
});

await import(pathToFileURL(join(folder, inJavaScript(entry))).href);

createInterface({ input: process.stdin }).on("line", (text) => {
  document.querySelector("input").value = text;
  document.querySelector("form").dispatchEvent(
    new window.Event("submit", { bubbles: true, cancelable: true }),
  );
}).on("close", () => process.exit(0));
