/** Signing up, in and out. */

import { session, signIn, signOut, signUp } from "./api.js";
import { busy, byId } from "./dom.js";
import { clearErrors, message, showError } from "./forms.js";

export function setUpAccount() {
  const form = byId("account-form");
  const submit = form.querySelector("[type=submit]");
  const modes = [...form.querySelectorAll("[data-mode]")];
  let mode = "login";

  function choose(chosen) {
    mode = chosen;
    for (const button of modes) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
    for (const part of form.querySelectorAll("[data-only]")) {
      part.hidden = part.dataset.only !== mode;
    }
    submit.textContent = mode === "signup" ? "Create account" : "Sign in";
    const known = mode === "signup" ? "new-password" : "current-password";
    form.elements.password.autocomplete = known;
    clearErrors(form, "account-error");
  }

  for (const button of modes) {
    button.addEventListener("click", () => choose(button.dataset.mode));
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = form.elements.name.value.trim();
    const values = {
      email: form.elements.email.value.trim(),
      password: form.elements.password.value,
      name: name || undefined,
    };
    clearErrors(form, "account-error");
    busy(submit, () => (mode === "signup" ? signUp(values) : signIn(values))).then(
      () => {
        form.reset();
        choose("login");
      },
      (error) => showError(form, error, "account-error"),
    );
  });
  byId("sign-out").addEventListener("click", signOut);
  session.addEventListener("ended", ({ detail }) => message("account-error", detail));
}

/** Put the signed-in user, or nobody, into the page's head. */
export function showUser(user) {
  byId("account").hidden = !user;
  byId("account-name").textContent = user ? user.name || user.email || "" : "";
  byId("account-id").textContent = user ? `id ${user.id}` : "";
}
