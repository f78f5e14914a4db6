// Keeps each slider and the number beside it in step. Arrows move it by a hundredth, with Shift by a twentieth; 0 sets it back.
"use strict";

const BIG = 0.05;
const form = document.getElementById("desk");

function numberOf(range) {
  return document.getElementById(range.dataset.range);
}

function move(range, value) {
  const bounded = Math.min(Number(range.max), Math.max(Number(range.min), value));
  range.value = String(bounded);
  numberOf(range).value = String(Math.round(bounded * 100) / 100);
  numberOf(range).dispatchEvent(new Event("input", { bubbles: true }));
}

function keyed(event) {
  const range = event.target;
  const step = { ArrowLeft: -BIG, ArrowDown: -BIG, ArrowRight: BIG, ArrowUp: BIG }[event.key];
  if (event.key === "0") move(range, 0);
  else if (event.shiftKey && step) move(range, Number(range.value) + step);
  else return;
  event.preventDefault();
}

for (const range of form?.querySelectorAll("input[type=range]") ?? []) {
  const number = numberOf(range);
  range.addEventListener("input", () => move(range, Number(range.value)));
  range.addEventListener("keydown", keyed);
  range.addEventListener("dblclick", () => move(range, 0));
  number.addEventListener("input", () => { range.value = number.value || "0"; });
}
if (form) form.dataset.live = "";
