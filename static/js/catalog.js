/** The catalog as one types: htmx fetches and puts in the results; this keeps what a swap would lose. */

const results = () => document.getElementById("results");
const disclosures = () => results()?.querySelectorAll("details.sheet, details.more") ?? [];
let open = [];
let held = null;

// Links that narrow the results down or turn their page renew them alone. One listener for all: `hx-boost` would
// take each of some sixty links in hand before anything else can happen on the page.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-renews] a[href]");
  const elsewhere = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!link || elsewhere || event.defaultPrevented || !window.htmx) return;
  event.preventDefault();
  // What fails is told below, by the events of htmx.
  htmx.ajax("GET", link.getAttribute("href"), { source: link, event }).catch(() => {});
});

document.addEventListener("htmx:beforeSwap", () => {
  open = [...disclosures()].filter((one) => one.open).map((one) => one.className);
  held = results()?.contains(document.activeElement) ? document.activeElement.id || "found" : null;
});

document.addEventListener("htmx:afterSettle", () => {
  for (const one of disclosures()) {
    if (open.includes(one.className)) one.open = true;
  }
  // The link that was followed may be gone; whoever works by keyboard goes on from there, or from the results.
  if (held && document.activeElement === document.body) {
    (document.getElementById(held) ?? document.getElementById("found"))?.focus({ preventScroll: true });
  }
  held = null;
});

for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, () => {
    const status = document.getElementById("found-status");
    status.textContent = "The search did not get through. Press Enter to try again.";
    status.className = "notice fail";
  });
}
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) document.getElementById("found-status").className = "visually-hidden";
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  document.getElementById("q").focus();
});
