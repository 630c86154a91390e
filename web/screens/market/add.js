/** The form that adds a product, where the server lets its people do so. */

import { openDialog } from "../../lib/dialog.js";
import { field, form } from "../../lib/forms.js";

export function openAdd(ctx, market) {
  const { t } = ctx;
  const adding = form({
    fields: [
      field({ name: "name", label: t("product.name"), required: true, maxlength: "120", dir: "auto", autocomplete: "off" }),
      field({ name: "sku", label: t("product.sku"), required: true, maxlength: "40", hint: t("product.sku.hint"), autocomplete: "off" }),
      field({ name: "sizes", label: t("sizes"), required: true, hint: t("product.sizes.hint"), autocomplete: "off" }),
    ],
    action: t("product.add"),
    attributes: { class: "market-add stack" },
    submit: (values) => market.addProduct(values),
    done(product) {
      dialog.close();
      ctx.go(product.id, product.sizes[0]);
    },
  });
  const dialog = openDialog({ title: t("product.add"), content: adding.element, kind: "sheet" });
}
