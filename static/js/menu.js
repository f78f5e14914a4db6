// Closes the open menu on Escape, with the focus back on its button, and on a click elsewhere.
"use strict";

const menu = document.querySelector("details.menu");

document.addEventListener("keydown", event => {
  if (event.key !== "Escape" || !menu?.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("click", event => {
  if (menu?.open && !menu.contains(event.target)) menu.open = false;
});
