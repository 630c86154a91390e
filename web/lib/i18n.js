/**
 * The words of the page, in the reader's language.
 *
 * A catalogue maps keys to texts with `{placeholders}`, or to the plural forms of a `{count}`
 * (`{ one: "{count} view", other: "{count} views" }`). The words that all screens share are in
 * `i18n/<language>.js`, those of a screen in its own folder.
 */

export const LANGUAGES = { en: "English", vi: "Tiếng Việt" };
const KEY = "language";

let chosen = initial();
let shared = {};
let plurals = new Intl.PluralRules(chosen);
const changes = new EventTarget();

/** The language of the page: a key of `LANGUAGES`. */
export function language() {
  return chosen;
}

/** Load the shared words; nothing is said before. */
export async function loadWords() {
  shared = await catalogue("../i18n/");
  plurals = new Intl.PluralRules(chosen);
  document.documentElement.lang = chosen;
}

/** Use a language from now on; listeners of `onLanguage` build the screens anew. */
export async function setLanguage(code) {
  const tag = String(code ?? "").slice(0, 2);
  if (!(tag in LANGUAGES) || tag === chosen) return;
  chosen = tag;
  try {
    localStorage.setItem(KEY, tag);
  } catch {
    // Without storage the language holds until the page is closed.
  }
  await loadWords();
  changes.dispatchEvent(new Event("change"));
}

export function onLanguage(listener) {
  changes.addEventListener("change", listener);
}

/** Load a catalogue from a folder (relative to this module) in the reader's language. */
export async function catalogue(folder) {
  const module = await import(new URL(`${folder}${chosen}.js`, import.meta.url));
  return module.default;
}

/** The text of a shared key. */
export function t(key, values) {
  return fill(shared, key, values);
}

/** What translates a screen's own keys, and the shared ones behind them. */
export function translator(words) {
  return (key, values) => (key in words ? fill(words, key, values) : fill(shared, key, values));
}

/** Whether a shared text exists: for codes of errors. */
export function has(key) {
  return key in shared;
}

function fill(words, key, values = {}) {
  let text = words[key];
  if (text === undefined) {
    console.warn(`No text for "${key}"`);
    return key;
  }
  if (typeof text === "object") text = text[plurals.select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? new Intl.NumberFormat(chosen).format(value) : value;
  });
}

function initial() {
  let wanted = [];
  try {
    wanted.push(localStorage.getItem(KEY));
  } catch {
    // A browser that forbids storage still has languages.
  }
  wanted = [...wanted, ...(navigator.languages ?? [navigator.language])];
  const tags = wanted.filter(Boolean).map((tag) => tag.slice(0, 2).toLowerCase());
  return tags.find((tag) => tag in LANGUAGES) ?? "en";
}
