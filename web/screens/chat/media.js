/** Pictures, films and sound of messages: fetched with the account's token, shown from memory. */

import { el, icon, svg } from "../../lib/dom.js";
import { openDialog } from "../../lib/dialog.js";
import { bytes } from "../../lib/format.js";

/** Files are let go, the longest unused first, beyond so much. */
const CACHE_BYTES = 64_000_000;
/** A voice note up to this size is decoded for its wave. */
const WAVE_BYTES = 2_000_000;
const BARS = 36;

/** The files of one screen, by the ids of their attachments. */
export class Files {
  #server;
  #urls = new Map();
  #size = 0;

  constructor(server) {
    this.#server = server;
  }

  /** Resolve to `{url, blob}` of an attachment. */
  get(attachment) {
    const known = this.#urls.get(attachment.id);
    if (known) {
      this.#urls.delete(attachment.id);
      this.#urls.set(attachment.id, known);
      return known;
    }
    const found = this.#server.file(attachment.id).then((blob) => {
      this.#size += blob.size;
      this.#trim();
      return { blob, url: URL.createObjectURL(blob) };
    });
    this.#urls.set(attachment.id, found);
    found.catch(() => this.#urls.delete(attachment.id));
    return found;
  }

  /** Keep what was uploaded from here: it need not be fetched again. */
  keep(attachment, blob) {
    this.#size += blob.size;
    this.#urls.set(attachment.id, Promise.resolve({ blob, url: URL.createObjectURL(blob) }));
    this.#trim();
  }

  dispose() {
    for (const found of this.#urls.values()) {
      found.then(({ url }) => URL.revokeObjectURL(url)).catch(() => {});
    }
    this.#urls.clear();
  }

  #trim() {
    for (const [id, found] of this.#urls) {
      if (this.#size <= CACHE_BYTES || this.#urls.size <= 1) return;
      this.#urls.delete(id);
      found.then(({ blob, url }) => {
        this.#size -= blob.size;
        URL.revokeObjectURL(url);
      });
    }
  }
}

/** Load what comes near: one observer for the whole list. */
export class Near {
  #runs = new WeakMap();
  #observer;

  constructor(root) {
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const { isIntersecting, target } of entries) {
          if (!isIntersecting) continue;
          this.#observer.unobserve(target);
          this.#runs.get(target)?.();
        }
      },
      { root, rootMargin: "400px" },
    );
  }

  watch(element, run) {
    this.#runs.set(element, run);
    this.#observer.observe(element);
  }

  dispose() {
    this.#observer.disconnect();
  }
}

/** An attachment that is there: `tools` are `{files, near, t}`. */
export function attachmentView(attachment, tools) {
  if (attachment.kind === "image") return imageView(attachment, tools);
  if (attachment.kind === "video") return videoView(attachment, tools);
  return audioView(attachment, tools);
}

/** A file on its way, with how far it is. */
export function uploadView(upload, t) {
  const bar = el("progress", { max: 1, "aria-label": t("upload.progress", { name: upload.file.name }) });
  const shown =
    upload.kind === "image"
      ? el("img", { src: upload.url, alt: "" })
      : el("span", { class: "chat-file" }, icon(symbolOf(upload.kind)), el("bdi", {}, upload.file.name));
  const element = el("div", { class: "chat-upload" }, shown, bar);
  const draw = () => {
    bar.value = upload.progress;
    bar.hidden = upload.state === "done";
    element.classList.toggle("failed", upload.state === "failed");
  };
  upload.addEventListener("change", draw);
  draw();
  return element;
}

export function symbolOf(kind) {
  return { image: "image", video: "play", audio: "microphone" }[kind] ?? "attach";
}

function imageView(attachment, { files, near, t }) {
  const image = el("img", { alt: attachment.name, decoding: "async" });
  const button = el(
    "button",
    {
      type: "button",
      class: "chat-picture loading",
      tabindex: -1,
      "aria-label": t("media.open", { name: attachment.name }),
      onclick: () => enlarge(attachment, image.src, t),
    },
    image,
  );
  image.addEventListener("load", () => button.classList.remove("loading"));
  image.addEventListener("error", () => button.replaceWith(fileView(attachment, { files, t })));
  near.watch(button, async () => {
    try {
      image.src = (await files.get(attachment)).url;
    } catch {
      button.replaceWith(fileView(attachment, { files, t }));
    }
  });
  return button;
}

function enlarge(attachment, url, t) {
  openDialog({
    title: attachment.name,
    kind: "full",
    content: el("img", { class: "chat-enlarged", src: url, alt: attachment.name }),
    actions: [
      el("a", { class: "button", href: url, download: attachment.name }, icon("download"), t("media.save")),
    ],
  });
}

function videoView(attachment, { files, t }) {
  const play = el(
    "button",
    {
      type: "button",
      class: "chat-video",
      tabindex: -1,
      "aria-label": t("media.play", { name: attachment.name }),
    },
    el("span", { class: "chat-play" }, icon("play", { size: 24 })),
    el("bdi", { class: "cut" }, attachment.name),
    el("span", { class: "muted small" }, bytes(attachment.size)),
  );
  play.addEventListener("click", async () => {
    play.setAttribute("aria-busy", "true");
    try {
      const { url } = await files.get(attachment);
      const video = el("video", { class: "chat-film", src: url, controls: true, autoplay: true });
      video.addEventListener("error", () => video.replaceWith(fileView(attachment, { files, t })));
      play.replaceWith(video);
      video.focus();
    } catch {
      play.removeAttribute("aria-busy");
    }
  });
  return play;
}

/** What the browser cannot show is there to be saved. */
function fileView(attachment, { files, t }) {
  const save = el(
    "button",
    { type: "button", class: "chat-file", tabindex: -1 },
    icon("download"),
    el("bdi", { class: "cut" }, attachment.name),
    el("span", { class: "muted small" }, bytes(attachment.size)),
  );
  save.setAttribute("aria-label", t("media.saveNamed", { name: attachment.name }));
  save.addEventListener("click", async () => {
    const { url } = await files.get(attachment).catch(() => ({}));
    if (url) el("a", { href: url, download: attachment.name }).click();
  });
  return save;
}

let playing = null;

/** A player of our own: recordings of browsers do not know their length before they were decoded. */
function audioView(attachment, { files, near, t }) {
  const audio = new Audio();
  const button = el(
    "button",
    { type: "button", class: "icon-button chat-play", tabindex: -1 },
    icon("play"),
  );
  const wave = svg("svg", { class: "chat-wave", viewBox: `0 0 ${BARS * 4} 28`, "aria-hidden": "true" });
  const seek = el("input", {
    type: "range",
    class: "chat-seek",
    min: 0,
    max: 1,
    step: 0.01,
    value: 0,
    tabindex: -1,
    "aria-label": t("media.position", { name: attachment.name }),
  });
  const time = el("span", { class: "chat-length numbers small" }, "–:––");
  const element = el(
    "div",
    { class: "chat-audio", title: attachment.name },
    button,
    el("div", { class: "chat-track" }, wave, seek),
    time,
  );
  let length = 0;
  let ready = null;

  drawWave(wave, Array.from({ length: BARS }, () => 0.12));
  const label = () => {
    const isPaused = audio.paused;
    button.setAttribute(
      "aria-label",
      t(isPaused ? "media.play" : "media.pause", { name: attachment.name }),
    );
    button.replaceChildren(icon(isPaused ? "play" : "pause"));
  };
  const show = () => {
    const part = length ? audio.currentTime / length : 0;
    seek.value = String(part);
    [...wave.children].forEach((bar, index) => bar.classList.toggle("played", index < part * BARS));
    time.textContent = clockOf(audio.paused && audio.currentTime === 0 ? length : audio.currentTime);
    seek.setAttribute("aria-valuetext", time.textContent);
  };
  const prepare = () => {
    ready ??= files.get(attachment).then(async ({ url, blob }) => {
      audio.src = url;
      const decoded = attachment.size <= WAVE_BYTES ? await decode(blob).catch(() => null) : null;
      if (decoded) {
        length = decoded.duration;
        drawWave(wave, peaksOf(decoded));
      }
      show();
    });
    ready.catch(() => {
      ready = null;
    });
    return ready;
  };
  audio.addEventListener("durationchange", () => {
    if (Number.isFinite(audio.duration)) length ||= audio.duration;
    show();
  });
  audio.addEventListener("timeupdate", show);
  for (const event of ["play", "pause"]) audio.addEventListener(event, label);
  audio.addEventListener("ended", () => {
    audio.currentTime = 0;
    show();
  });
  button.addEventListener("click", async () => {
    if (!audio.paused) return audio.pause();
    try {
      await prepare();
      if (playing !== audio) playing?.pause();
      playing = audio;
      await audio.play();
    } catch {
      element.replaceWith(fileView(attachment, { files, t }));
    }
  });
  seek.addEventListener("input", () => {
    if (length) audio.currentTime = Number(seek.value) * length;
  });
  label();
  near.watch(element, () => attachment.size <= WAVE_BYTES && prepare().catch(() => {}));
  return element;
}

/** Stop what plays: the conversation is left. */
export function silence() {
  playing?.pause();
  playing = null;
}

export function clockOf(seconds) {
  if (!Number.isFinite(seconds)) return "–:––";
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

async function decode(blob) {
  const context = new OfflineAudioContext(1, 1, 22_050);
  return context.decodeAudioData(await blob.arrayBuffer());
}

function peaksOf(decoded) {
  const samples = decoded.getChannelData(0);
  const step = Math.max(1, Math.floor(samples.length / BARS));
  const peaks = Array.from({ length: BARS }, (_, bar) => {
    let most = 0;
    for (let at = bar * step; at < (bar + 1) * step; at += 16) {
      most = Math.max(most, Math.abs(samples[at] ?? 0));
    }
    return most;
  });
  const loudest = Math.max(...peaks, 0.01);
  return peaks.map((peak) => Math.max(0.12, peak / loudest));
}

function drawWave(wave, peaks) {
  wave.replaceChildren(
    ...peaks.map((peak, bar) => {
      const height = Math.max(3, peak * 26);
      return svg("rect", { x: bar * 4, y: 14 - height / 2, width: 2.4, height, rx: 1.2 });
    }),
  );
}
