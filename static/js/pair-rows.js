// Keys for the rows of an upload: move between them, edit, swap, leave out, undo. Without it the buttons do the same.
const list = document.getElementById("rows-list");
const news = document.getElementById("draft-news");
const KEYS = { e: "edit", s: "swap", x: "keep" };

const rowOf = (node) => node.closest("[data-row]");
const isTyping = (node) => node.matches("input:not([type=hidden]), textarea, select");

function press(where, what) {
  const control = where.querySelector(`[data-do="${what}"]`);
  if (!control || control.disabled) return;
  // A row that has just come is not htmx's yet; its link would lead to another page.
  htmx.process(where);
  control.click();
}

function move(row, step) {
  const rows = [...list.querySelectorAll("[data-row]")];
  rows[rows.indexOf(row) + step]?.focus();
}

list.addEventListener("keydown", (event) => {
  const row = rowOf(event.target);
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { press(row, "cancel"); return; }
  if (isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  if (key === "arrowdown" || key === "arrowup") move(row, key === "arrowdown" ? 1 : -1);
  else if (key === "u") document.getElementById("undo")?.click();
  else if (KEYS[key]) press(row, KEYS[key]);
  else return;
  event.preventDefault();
});

// The row that a key or a button was about keeps the focus when it is replaced; its form begins at the first text.
document.body.addEventListener("htmx:afterSwap", (event) => {
  const id = event.detail.requestConfig?.elt.closest?.("[data-row]")?.id;
  const row = id && document.getElementById(id);
  if (!row) return;
  const field = row.querySelector("[aria-invalid=true], textarea[name=positive]");
  if (field) field.focus();
  else if (!row.contains(document.activeElement)) row.focus();
});

for (const name of ["htmx:responseError", "htmx:sendError"]) {
  document.body.addEventListener(name, () => {
    news.classList.remove("visually-hidden");
    news.textContent = "This did not work, and nothing was changed. Try again, or reload the page.";
  });
}

// A draft that is being saved or discarded has nothing more to report, and soon is not there to ask.
let isLeaving = false;
for (const id of ["commit-form", "discard"]) {
  document.getElementById(id)?.addEventListener("submit", () => { isLeaving = true; });
}
addEventListener("pageshow", () => { isLeaving = false; });
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (isLeaving) event.preventDefault();
});

document.querySelector("[data-keys]")?.removeAttribute("hidden");
// Coming from a link to a row, the keyboard goes on from there.
if (location.hash.startsWith("#row-")) document.getElementById(location.hash.slice(1))?.focus();
