/** Where messages are written: text, files, voice; answers and edits. */

import { el, icon } from "../../lib/dom.js";
import { menuOf } from "../../lib/menu.js";
import { personName } from "../../lib/people.js";
import { bytes } from "../../lib/format.js";
import { kept } from "../../lib/session.js";
import { callout } from "./callout.js";
import { CONTENT_MAX, TYPING_EVERY_MS } from "./data.js";
import { openEmoji } from "./emoji.js";
import { symbolOf } from "./media.js";
import { summaryOf } from "./names.js";
import { reasonOf } from "./rows.js";
import { KINDS, Upload } from "./uploads.js";
import { canRecord, record } from "./voice.js";

const ENTER = "chat.enter";
const LINES = 6;
/** More files than this in one go are a folder that was dropped by mistake. */
const FILES_MAX = 20;

/**
 * Build the composer of a conversation.
 *
 * `room` is `{id, timeline, server, outbox, lastOwn(), sent()}`. Returns `{element, reply(message),
 * edit(message), addFiles(list), put(text), focus, dispose}`.
 */
export function composer(ctx, room) {
  const { t } = ctx;
  const draftKey = `chat.draft.${ctx.session.user.id}.${room.id}`;
  let replying = null;
  let editing = null;
  let uploads = room.outbox.attached.get(room.id) ?? [];
  let recording = null;
  let typedAt = 0;

  const input = el("textarea", {
    class: "chat-input",
    rows: 1,
    dir: "auto",
    "aria-label": t("composer.label"),
    placeholder: t("composer.placeholder"),
    enterkeyhint: "send",
  });
  const picker = el("input", {
    type: "file",
    multiple: true,
    accept: KINDS.map((kind) => `${kind}/*`).join(),
    hidden: true,
    tabindex: -1,
    "aria-hidden": "true",
  });
  const attach = button("attach", t("composer.attach"), () => picker.click());
  const smile = button("smile", t("composer.emoji"), () =>
    openEmoji(smile, t, (emoji) => put(emoji)),
  );
  const voice = button("microphone", t("composer.voice"), startRecording);
  const send = button("send", t("send"), submit);
  send.classList.add("chat-send");
  const options = button("chevron", t("composer.options"), null);
  options.classList.add("chat-options");
  menuOf(options, () => [
    {
      label: t("composer.enter"),
      checked: enterSends(),
      run: () => rememberEnter(!enterSends()),
    },
  ]);
  const banner = el("div", { class: "chat-banner", hidden: true });
  const chips = el("ul", { class: "chat-chips", "aria-label": t("composer.files"), hidden: true });
  const problem = el("p", { class: "error chat-problem", role: "alert", hidden: true });
  const long = el("p", { class: "error chat-problem", role: "status", hidden: true });
  const people = callout({ t, input, people: callable });
  const bar = el(
    "div",
    { class: "chat-bar" },
    attach,
    el("div", { class: "chat-field" }, input, smile),
    voice,
    el("span", { class: "chat-sends" }, send, options),
    picker,
  );
  const element = el(
    "div",
    { class: "chat-composer" },
    people.element,
    banner,
    chips,
    long,
    problem,
    bar,
  );

  function button(symbol, label, run) {
    return el(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label, onclick: run },
      icon(symbol, { size: 22 }),
    );
  }

  function callable() {
    return [...room.timeline.members.keys()]
      .filter((id) => id !== room.timeline.me)
      .map((id) => ({ id, name: ctx.people.get(id)?.name }));
  }

  function draw() {
    const text = input.value.trim();
    const hasText = text !== "";
    // Counted as the server does, and told: what is pasted is never cut without a word.
    const over = text.length > CONTENT_MAX ? [...text].length - CONTENT_MAX : 0;
    long.textContent = over > 0 ? t("composer.long", { count: over }) : "";
    long.hidden = over <= 0;
    const ready = over <= 0 && (hasText || uploads.some(goes));
    const showsVoice = canRecord() && !hasText && uploads.length === 0 && !editing;
    voice.hidden = !showsVoice;
    send.parentElement.hidden = showsVoice;
    send.disabled = !ready;
    attach.hidden = Boolean(editing);
    const label = editing ? t("save") : t("send");
    send.setAttribute("aria-label", label);
    send.title = label;
    send.replaceChildren(icon(editing ? "check" : "send", { size: 22 }));
    input.style.setProperty("height", "auto");
    const line = Number.parseFloat(getComputedStyle(input).lineHeight) || 24;
    const most = line * LINES + 20;
    input.style.setProperty("height", `${Math.min(input.scrollHeight, most)}px`);
    input.style.setProperty("overflow-y", input.scrollHeight > most ? "auto" : "hidden");
  }

  function say(text) {
    problem.textContent = text;
    problem.hidden = !text;
  }

  function showBanner() {
    const about = editing ?? replying;
    banner.hidden = !about;
    if (!about) return banner.replaceChildren();
    banner.replaceChildren(
      icon(editing ? "edit" : "reply", { size: 18 }),
      el(
        "div",
        { class: "grow" },
        editing
          ? el("strong", {}, t("composer.editing"))
          : el("strong", {}, t("composer.replying"), " ", personName(about.authorId)),
        el("bdi", { class: "cut" }, summaryOf(ctx, about)),
      ),
      el(
        "button",
        { type: "button", class: "icon-button small", "aria-label": t("cancel"), onclick: stand },
        icon("close", { size: 18 }),
      ),
    );
  }

  /** Neither answer nor edit any more. */
  function stand() {
    replying = null;
    say("");
    if (editing) {
      editing = null;
      input.value = kept.get(draftKey)?.text ?? "";
    }
    keepDraft();
    showBanner();
    draw();
    input.focus();
  }

  function keepDraft() {
    if (editing) return;
    const draft = { text: input.value, replying: replying?.id };
    kept.set(draftKey, input.value || replying ? draft : null);
  }

  function tellTyping() {
    const now = Date.now();
    if (editing || !input.value.trim() || now - typedAt < TYPING_EVERY_MS) return;
    if (!room.timeline.isMember || room.timeline.conversation?.request) return;
    typedAt = now;
    room.server.type(room.id).catch(() => {});
  }

  async function submit() {
    const content = input.value.trim();
    if (editing) return saveEdit(content);
    if (send.disabled) return input.focus();
    say("");
    room.outbox.send({
      conversationId: room.id,
      content,
      replyTo: replying?.id ?? null,
      uploads: uploads.filter(goes),
    });
    // What is refused stays, so that nobody takes it for sent.
    uploads = uploads.filter((upload) => !goes(upload));
    input.value = "";
    replying = null;
    typedAt = 0;
    people.close();
    drawChips();
    keepDraft();
    showBanner();
    draw();
    input.focus();
    room.sent();
  }

  async function saveEdit(content) {
    const message = editing;
    if (!long.hidden) return;
    if (content === message.content || (!content && message.type === "text")) return stand();
    send.disabled = true;
    try {
      await room.timeline.edit(message, content);
      stand();
    } catch (error) {
      say(reasonOf(t, error));
    }
    draw();
  }

  function addFiles(list) {
    say("");
    const files = [...list].slice(0, FILES_MAX - uploads.length);
    for (const file of files) {
      uploads.push(watched(new Upload(room.server, room.id, file)));
    }
    if (list.length > files.length) say(t("upload.many", { count: FILES_MAX }));
    drawChips();
    draw();
    input.focus();
  }

  function onUpload() {
    drawChips();
    draw();
  }

  function watched(upload) {
    upload.addEventListener("change", onUpload);
    return upload;
  }

  function drawChips() {
    if (uploads.length) room.outbox.attached.set(room.id, uploads);
    else room.outbox.attached.delete(room.id);
    chips.hidden = uploads.length === 0;
    const known = new Map([...chips.children].map((chip) => [chip.upload, chip]));
    for (const [upload, chip] of known) if (!uploads.includes(upload)) chip.remove();
    for (const upload of uploads) {
      const chip = known.get(upload) ?? chips.appendChild(chipOf(upload));
      chip.draw();
    }
  }

  function chipOf(upload) {
    const bar = el("progress", {
      max: 1,
      "aria-label": t("upload.progress", { name: upload.file.name }),
    });
    const status = el("span", { class: "muted small" });
    const retry = el(
      "button",
      { type: "button", class: "quiet small", hidden: true, onclick: () => upload.start() },
      t("retry"),
    );
    const remove = el(
      "button",
      {
        type: "button",
        class: "icon-button small",
        "aria-label": t("upload.remove", { name: upload.file.name }),
        onclick: () => {
          upload.cancel();
          uploads = uploads.filter((each) => each !== upload);
          drawChips();
          draw();
          input.focus();
        },
      },
      icon("close", { size: 16 }),
    );
    const picture =
      upload.kind === "image"
        ? el("img", { class: "chat-thumb", src: upload.url, alt: "" })
        : el("span", { class: "chat-thumb" }, icon(symbolOf(upload.kind)));
    const chip = el(
      "li",
      { class: "chat-chip" },
      picture,
      el("div", { class: "chat-chip-text" }, el("bdi", { class: "cut" }, upload.file.name), status, bar),
      retry,
      remove,
    );
    chip.upload = upload;
    chip.draw = () => {
      const failed = upload.state === "failed";
      chip.classList.toggle("failed", failed);
      bar.hidden = failed || upload.state === "done";
      bar.value = upload.progress;
      const refused = ["media_type_refused", "media_unreadable", "too_large"];
      retry.hidden = !failed || refused.includes(upload.error.code);
      status.textContent = failed ? reasonOf(t, upload.error) : bytes(upload.file.size);
    };
    return chip;
  }

  function startRecording() {
    say("");
    recording = record({
      t,
      done(file) {
        endRecording();
        if (!file) return;
        const upload = new Upload(room.server, room.id, file);
        room.outbox.send({
          conversationId: room.id,
          content: "",
          replyTo: replying?.id ?? null,
          uploads: [upload],
        });
        replying = null;
        showBanner();
        room.sent();
      },
      failed(code) {
        endRecording();
        say(t(`refused.${code}`));
      },
    });
    bar.hidden = true;
    element.append(recording.element);
    recording.element.querySelector("button").focus();
  }

  function endRecording() {
    recording?.element.remove();
    recording = null;
    bar.hidden = false;
    draw();
    input.focus();
  }

  function put(text) {
    input.setRangeText(text, input.selectionStart, input.selectionEnd, "end");
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  }

  input.addEventListener("input", () => {
    people.update();
    keepDraft();
    tellTyping();
    draw();
  });
  input.addEventListener("click", () => people.update());
  input.addEventListener("blur", () => people.close());
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || people.key(event)) return;
    const command = event.ctrlKey || event.metaKey;
    if (event.key === "Enter" && (command || (enterSends() && !event.shiftKey))) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && (replying || editing)) {
      event.stopPropagation();
      stand();
    } else if (event.key === "ArrowUp" && !input.value && !editing) {
      const last = room.lastOwn();
      if (!last) return;
      event.preventDefault();
      edit(last);
    }
  });
  input.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files;
    if (!files?.length || editing) return;
    event.preventDefault();
    addFiles(files);
  });
  picker.addEventListener("change", () => {
    addFiles(picker.files);
    picker.value = "";
  });

  function reply(message) {
    if (editing) stand();
    replying = message;
    keepDraft();
    showBanner();
    draw();
    input.focus();
  }

  function edit(message) {
    keepDraft();
    replying = null;
    editing = message;
    input.value = message.content;
    showBanner();
    draw();
    input.focus();
    input.setSelectionRange(input.value.length, input.value.length);
  }

  const draft = kept.get(draftKey);
  input.value = draft?.text ?? "";
  uploads.forEach(watched);
  drawChips();
  queueMicrotask(draw);
  if (draft?.replying) {
    room.quote(draft.replying).then(
      (message) => {
        if (!editing && !replying && element.isConnected) {
          replying = message;
          showBanner();
        }
      },
      () => {},
    );
  }

  return {
    element,
    reply,
    edit,
    addFiles,
    put,
    focus: () => input.focus(),
    get isBusy() {
      return Boolean(replying || editing || recording);
    },
    dispose() {
      recording?.cancel();
      for (const upload of uploads) upload.removeEventListener("change", onUpload);
    },
  };
}

/** Whether a file can go with a message: one that did not get through is tried again there. */
function goes({ state, error }) {
  return state !== "failed" || error.code === "unreachable";
}

/** Whether Enter sends; where a keyboard is on the screen it makes a line until one asks for it. */
function enterSends() {
  try {
    const chosen = localStorage.getItem(ENTER);
    if (chosen) return chosen === "sends";
  } catch {
    // Without storage it is as the device suggests.
  }
  return !matchMedia("(pointer: coarse)").matches;
}

function rememberEnter(sends) {
  try {
    localStorage.setItem(ENTER, sends ? "sends" : "breaks");
  } catch {
    // It holds for nothing then.
  }
}
