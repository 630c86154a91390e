/** Reporting to the operators what should not be here. */

import { openDialog } from "./dialog.js";
import { field, form } from "./forms.js";
import { t } from "./i18n.js";
import { toast } from "./toast.js";

const REASONS = ["spam", "harassment", "violence", "sexual", "illegal", "other"];
/** The server takes this many characters. */
const NOTE_MAX = 500;

/**
 * Ask what is wrong, and report it: resolves when the dialog is gone.
 *
 * `send({reason, note})` reports it (`note` may be missing) and is called again after it has failed: a
 * thing is reported once, however often it is sent.
 */
export function reportDialog({ title, send }) {
  const reason = field({
    name: "reason",
    label: t("report.reason"),
    type: "select",
    required: true,
    options: [
      { value: "", label: t("report.choose") },
      ...REASONS.map((value) => ({ value, label: t(`report.reason.${value}`) })),
    ],
  });
  const note = field({
    name: "note",
    label: t("report.note"),
    type: "textarea",
    optional: true,
    hint: t("report.hint"),
    rows: "3",
    maxlength: String(NOTE_MAX),
    dir: "auto",
  });
  const reporting = form({
    fields: [reason, note],
    action: t("report.send"),
    attributes: { class: "stack" },
    submit: (values) => send({ reason: values.reason, ...(values.note && { note: values.note }) }),
    done() {
      dialog.close();
      toast(t("report.done"), { kind: "ok" });
    },
  });
  const dialog = openDialog({ title, content: reporting.element, kind: "sheet" });
  reason.input.focus();
  return dialog.closed;
}
