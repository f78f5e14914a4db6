// Turns a row of links to panels into tabs: arrow keys, Home and End move, the address follows, back goes back.
// Without this script the links go to the panels, and the style sheet shows the one that is the target.

function select(tabs, chosen, moves) {
  for (const tab of tabs) {
    const isOn = tab === chosen;
    tab.setAttribute("aria-selected", String(isOn));
    tab.tabIndex = isOn ? 0 : -1;
    document.getElementById(tab.hash.slice(1)).hidden = !isOn;
  }
  if (moves) chosen.focus();
}

function fromAddress(tabs) {
  return tabs.find(tab => tab.hash === location.hash);
}

for (const box of document.querySelectorAll("[data-tabs]")) {
  const row = box.querySelector(".tab-row");
  const tabs = [...row.querySelectorAll(".tab")];
  box.classList.add("live");
  row.setAttribute("role", "tablist");
  for (const tab of tabs) {
    const panel = document.getElementById(tab.hash.slice(1));
    tab.id = `tab-${panel.id}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", event => {
      event.preventDefault();
      history.replaceState(null, "", tab.hash);
      select(tabs, tab, true);
    });
  }
  row.addEventListener("keydown", event => {
    const at = tabs.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    tabs[(to + tabs.length) % tabs.length].click();
  });
  window.addEventListener("hashchange", () => {
    const named = fromAddress(tabs);
    if (named) select(tabs, named, false);
  });
  select(tabs, fromAddress(tabs) ?? tabs[0], false);
}
