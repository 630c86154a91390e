/** A voice note from the microphone. */

import { el, icon } from "../../lib/dom.js";
import { clockOf } from "./media.js";

/** Five minutes of speech are 1.2 MB; what is longer is better written. */
const MAX_S = 300;
const BITS_PER_SECOND = 32_000;
const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const LEVELS = 24;

export function canRecord() {
  return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);
}

/**
 * Record until it is sent or cancelled.
 *
 * `done(file)` hears a File, or null when it was cancelled; `failed(code)` one of `microphone_denied`,
 * `microphone_missing`. Returns the element that shows the recording in place of the composer.
 */
export function record({ t, done, failed }) {
  const time = el("span", { class: "numbers", role: "timer" }, "0:00");
  const bars = Array.from({ length: LEVELS }, () => el("i"));
  const level = el("span", { class: "chat-level", "aria-hidden": "true" }, bars);
  const cancel = el("button", { type: "button", class: "quiet" }, t("cancel"));
  const send = el(
    "button",
    { type: "button", class: "icon-button chat-send", "aria-label": t("voice.send"), disabled: true },
    icon("send"),
  );
  const element = el(
    "div",
    { class: "chat-recording", role: "group", "aria-label": t("voice.recording") },
    el("span", { class: "chat-record-dot", "aria-hidden": "true" }),
    time,
    level,
    cancel,
    send,
  );
  let recorder = null;
  let stream = null;
  let context = null;
  let ticking = null;
  let frame = null;
  let startedAt = 0;
  let ended = false;

  const release = () => {
    ended = true;
    clearInterval(ticking);
    cancelAnimationFrame(frame);
    for (const track of stream?.getTracks() ?? []) track.stop();
    context?.close().catch(() => {});
  };
  const finish = (wanted) => {
    if (ended) return;
    if (!recorder) {
      release();
      return done(null);
    }
    const chunks = [];
    recorder.addEventListener("dataavailable", ({ data }) => chunks.push(data));
    recorder.addEventListener("stop", () => {
      const type = recorder.mimeType.split(";")[0] || "audio/webm";
      const ending = { "audio/mp4": "m4a", "audio/ogg": "ogg" }[type] ?? "webm";
      const name = `${t("voice.name")}.${ending}`;
      done(wanted ? new File(chunks, name, { type }) : null);
    });
    recorder.stop();
    release();
  };
  cancel.addEventListener("click", () => finish(false));
  send.addEventListener("click", () => finish(true));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    finish(false);
  });

  const meter = () => {
    const analyser = context.createAnalyser();
    analyser.fftSize = 256;
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Uint8Array(analyser.fftSize);
    const heights = [];
    const draw = () => {
      analyser.getByteTimeDomainData(samples);
      const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample - 128)), 0);
      heights.unshift(Math.min(1, loudest / 90));
      heights.length = Math.min(heights.length, LEVELS);
      bars.forEach((bar, index) => bar.style.setProperty("--level", String(heights[index] ?? 0)));
      frame = requestAnimationFrame(draw);
    };
    draw();
  };

  navigator.mediaDevices.getUserMedia({ audio: true }).then(
    (given) => {
      stream = given;
      if (ended) return release();
      const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
      recorder = new MediaRecorder(stream, { mimeType, audioBitsPerSecond: BITS_PER_SECOND });
      recorder.start();
      startedAt = Date.now();
      send.disabled = false;
      send.focus();
      ticking = setInterval(() => {
        const seconds = (Date.now() - startedAt) / 1000;
        time.textContent = clockOf(Math.floor(seconds));
        if (seconds >= MAX_S) finish(true);
      }, 250);
      try {
        context = new AudioContext();
        meter();
      } catch {
        // Without a meter it records all the same.
      }
    },
    (error) => {
      release();
      failed(error.name === "NotFoundError" ? "microphone_missing" : "microphone_denied");
    },
  );
  return { element, cancel: () => finish(false) };
}
