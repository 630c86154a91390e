/** What is made by `connection.send` and has to be there before one can go on. */

import { WAITING, answerOrWaiting } from "../../lib/answers.js";

/** Resolve to what `sent` made; says so where it waits for the server meanwhile. */
export async function answered(ctx, sent) {
  if ((await answerOrWaiting(ctx.connection, sent)) === WAITING) ctx.toast(ctx.t("waiting"));
  return sent.done;
}
