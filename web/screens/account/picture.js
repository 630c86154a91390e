/** One's picture: cut to a square and made small here, so that nothing else of the file leaves. */

import { el, icon } from "../../lib/dom.js";
import { busy, describe } from "../../lib/forms.js";

const SIDE = 256;
/** The server takes no more; better quality first. */
const LARGEST = 64 * 1024;
const QUALITIES = [0.9, 0.75, 0.5];
/** A photograph of a good camera has 20 MB; what is larger would hold the page up. */
const FILE_MAX = 30_000_000;

/** Buttons to choose and to remove a picture; `has()` says whether there is one. */
export function pictureButtons(ctx, account, { has }) {
  const { t } = ctx;
  const input = el("input", { type: "file", accept: "image/*", hidden: true, tabindex: "-1" });
  const choose = el("button", { type: "button", onclick: () => input.click() }, icon("image", { size: 18 }), t("picture.choose"));
  const remove = el("button", { type: "button", class: "quiet" }, t("picture.remove"));
  const run = async (button, work, said) => {
    try {
      await busy(button, work);
      ctx.toast(t(said), { kind: "ok" });
    } catch (error) {
      ctx.toast(describe(error), { kind: "error" });
    }
    draw();
  };
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) run(choose, async () => account.setPicture(await squareOf(file)), "picture.set");
    input.value = "";
  });
  remove.addEventListener("click", async () => {
    await run(remove, () => account.removePicture(), "picture.removed");
    choose.focus();
  });
  const draw = () => {
    remove.hidden = !has();
  };
  draw();
  return { element: el("div", { class: "row account-picture" }, choose, remove, input), draw };
}

/** The middle of a picture as a small JPEG; throws an error with the code of the server's refusal. */
export async function squareOf(file) {
  if (file.size > FILE_MAX) throw refusal("request_too_large");
  const bitmap = await createImageBitmap(file).catch(() => {
    throw refusal("media_unreadable");
  });
  const side = Math.min(bitmap.width, bitmap.height);
  const canvas = el("canvas", { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d");
  // JPEG has no transparency: what shines through is white.
  context.fillStyle = "white";
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  bitmap.close();
  for (const quality of QUALITIES) {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (blob && blob.size <= LARGEST) return blob;
  }
  throw refusal("media_unreadable");
}

function refusal(code) {
  return Object.assign(new Error(code), { code });
}
