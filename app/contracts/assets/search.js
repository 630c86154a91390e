// Search, and a button beside each example; the page reads without either.
const search = document.querySelector("#q");
const found = document.querySelector("output");
const articles = [...document.querySelectorAll("article")].map((element) => ({
  element,
  text: element.textContent.toLowerCase(),
}));
// What has no entry left is hidden with them; the first section, which has none, stays.
const parts = [...document.querySelectorAll("section, .group")].filter((part) => part.querySelector("article"));

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { element, text } of articles) {
    element.hidden = !words.every((word) => text.includes(word));
    count += element.hidden ? 0 : 1;
  }
  for (const part of parts) part.hidden = part.querySelector("article:not([hidden])") === null;
  found.textContent = words.length ? `${count} found` : "";
}

document.querySelector(".search").hidden = false;
search.addEventListener("input", show);
addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && event.target !== search) {
    event.preventDefault();
    search.focus();
  }
});
// A link into the page leads to what a search has hidden.
addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.closest("[hidden]")) {
    search.value = "";
    show();
    target.scrollIntoView();
  }
});

for (const example of document.querySelectorAll("pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(example.textContent);
      button.textContent = "Copied";
    } catch {
      // Not allowed, or not a secure context: select it, so that the keyboard can copy it.
      getSelection().selectAllChildren(example);
    }
  });
  const place = document.createElement("div");
  place.className = "example";
  example.replaceWith(place);
  place.append(example, button);
}
