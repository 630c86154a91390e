/** Dates, times, numbers and money as the reader's language writes them. */

import { el } from "./dom.js";
import { language, t } from "./i18n.js";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

const made = new Map();

/** Formatters are costly to make, so each is made once per language. */
function formatter(kind, options) {
  const key = `${kind.name} ${language()} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new kind(language(), options));
  return made.get(key);
}

export function number(value, options = {}) {
  return formatter(Intl.NumberFormat, options).format(value);
}

/** A price: decimal text or a number, in dollars unless `currency` says otherwise. */
export function money(value, currency = "USD") {
  return formatter(Intl.NumberFormat, { style: "currency", currency }).format(Number(value));
}

export function percent(part) {
  return formatter(Intl.NumberFormat, { style: "percent" }).format(part);
}

/** A size of a file. */
export function bytes(count) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  let step = 0;
  let value = count;
  while (value >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  const digits = value < 10 && step > 0 ? 1 : 0;
  const unit = { style: "unit", unit: units[step], unitDisplay: "short" };
  return number(value, { ...unit, maximumFractionDigits: digits });
}

/** 99 and more are "99+". */
export function badge(count) {
  return count > 99 ? "99+" : String(count);
}

/** The hour and minute. */
export function clock(at) {
  return formatter(Intl.DateTimeFormat, { hour: "numeric", minute: "2-digit" }).format(new Date(at));
}

/** The whole date and time: for titles. */
export function full(at) {
  const options = { dateStyle: "full", timeStyle: "short" };
  return formatter(Intl.DateTimeFormat, options).format(new Date(at));
}

/** A day as people say it: "Today", "Yesterday", "Monday 3 March". */
export function day(at, now = Date.now()) {
  const date = new Date(at);
  const distance = Math.round((startOfDay(date) - startOfDay(new Date(now))) / (DAY * 1000));
  if (Math.abs(distance) <= 1) {
    return capital(formatter(Intl.RelativeTimeFormat, { numeric: "auto" }).format(distance, "day"));
  }
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  const options = { weekday: "long", day: "numeric", month: "long" };
  return formatter(Intl.DateTimeFormat, sameYear ? options : { dateStyle: "long" }).format(date);
}

/** A calendar date `2026-11-25` without a time zone. */
export function date(text, options = { dateStyle: "medium" }) {
  return formatter(Intl.DateTimeFormat, { ...options, timeZone: "UTC" }).format(
    new Date(`${text}T00:00:00Z`),
  );
}

/** "2 min ago", "in 3 hr". */
export function relative(at, now = Date.now()) {
  const seconds = Math.round((new Date(at) - now) / 1000);
  const size = Math.abs(seconds);
  if (size < 45) return t("time.now");
  const style = formatter(Intl.RelativeTimeFormat, { numeric: "auto", style: "short" });
  if (size < HOUR) return style.format(Math.round(seconds / MINUTE), "minute");
  if (size < DAY) return style.format(Math.round(seconds / HOUR), "hour");
  if (size < 7 * DAY) return style.format(Math.round(seconds / DAY), "day");
  return formatter(Intl.DateTimeFormat, { dateStyle: "medium" }).format(new Date(at));
}

/** What is left until a moment: "3 hr", "12 min", "8 sec"; empty when it has passed. */
export function left(until, now = Date.now()) {
  const seconds = Math.ceil((new Date(until) - now) / 1000);
  if (seconds <= 0) return "";
  const [value, unit] =
    seconds >= HOUR
      ? [Math.floor(seconds / HOUR), "hour"]
      : seconds >= MINUTE
        ? [Math.floor(seconds / MINUTE), "minute"]
        : [seconds, "second"];
  return number(value, { style: "unit", unit, unitDisplay: "short" });
}

/** A `<time>` that says how long ago it was, and goes on saying so; its title is the full time. */
export function ago(at) {
  const element = el("time", { datetime: new Date(at).toISOString(), title: full(at) }, relative(at));
  element.dataset.ago = "";
  return element;
}

/** Bring every `ago` of the page up to date. */
export function refreshAgo(root = document) {
  for (const element of root.querySelectorAll("time[data-ago]")) {
    const text = relative(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}

function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

function capital(text) {
  return text.charAt(0).toLocaleUpperCase(language()) + text.slice(1);
}
