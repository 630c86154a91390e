/** What a form does with what it has sent: the answer ends it, and so does a wait for the server. */

import { WAITING, answerOrWaiting, isDropped } from "../../lib/answers.js";
import { describe } from "../../lib/forms.js";

/** Return when `sent` is answered or waits; throws a refusal, and shows one that comes after a wait. */
export async function answeredOrWaiting(ctx, sent) {
  if ((await answerOrWaiting(ctx.connection, sent)) !== WAITING) return;
  ctx.toast(ctx.t("waits"));
  sent.done.catch((error) => isDropped(error) || ctx.toast(describe(error), { kind: "error" }));
}
