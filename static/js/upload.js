// Makes the upload form take dropped files and say what was chosen. Without it the plain file inputs work as well.
"use strict";

const LIMIT_BYTES = 32 * 1024 * 1024;
const form = document.getElementById("upload");

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

function show(zone) {
  const input = zone.querySelector("input[type=file]");
  const chosen = zone.querySelector("[data-chosen]");
  const file = input.files[0];
  const isTooLarge = Boolean(file) && file.size > LIMIT_BYTES;
  zone.classList.toggle("chosen", Boolean(file) && !isTooLarge);
  zone.classList.toggle("refused", isTooLarge);
  input.setCustomValidity(isTooLarge ? "The file is larger than 32 MiB." : "");
  chosen.textContent = !file ? "" : isTooLarge
    ? `${file.name} has ${size(file.size)}; at most 32 MiB are read. Send fewer pairs.`
    : `${file.name} (${size(file.size)})`;
}

function enhance(zone) {
  const input = zone.querySelector("input[type=file]");
  input.addEventListener("change", () => show(zone));
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) {
    zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.remove("over"); });
  }
  zone.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    show(zone);
  });
  show(zone);
}

function choose() {
  const isTwo = form.querySelector("#two-files").checked;
  const second = form.querySelector("#id_negative_file");
  second.disabled = !isTwo;
  second.required = isTwo;
}

form.querySelectorAll("[data-drop]").forEach(enhance);
form.querySelectorAll("[name=form_of]").forEach((radio) => radio.addEventListener("change", choose));
choose();
form.addEventListener("submit", () => {
  form.querySelector("[data-busy]").hidden = false;
  form.querySelector("[data-submit]").disabled = true;
});
// Coming back with the browser's button finds the form usable again.
window.addEventListener("pageshow", () => {
  form.querySelector("[data-busy]").hidden = true;
  form.querySelector("[data-submit]").disabled = false;
});
