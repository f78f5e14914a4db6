// The upload form: takes dropped files, says what was chosen, and sends large ones in parts with progress.
// Without it the plain inputs work as well, up to what one request may hold.
import { Refusal, Transfer, canSend } from "./transfer.js";

const form = document.getElementById("upload");
const limitBytes = Number(form.dataset.limitBytes);
const partsOver = Number(form.dataset.partsOver);
const box = form.querySelector("[data-transfer]");
const bar = box.querySelector("progress");
const says = box.querySelector("[data-says]");
let stop = null;

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  const kib = bytes / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}

function show(zone) {
  const input = zone.querySelector("input[type=file]");
  const chosen = zone.querySelector("[data-chosen]");
  const file = input.files[0];
  const isTooLarge = Boolean(file) && file.size > limitBytes;
  zone.classList.toggle("chosen", Boolean(file) && !isTooLarge);
  zone.classList.toggle("refused", isTooLarge);
  input.setCustomValidity(isTooLarge ? `The file is larger than ${size(limitBytes)}.` : "");
  chosen.textContent = !file ? "" : isTooLarge
    ? `${file.name} has ${size(file.size)}; at most ${size(limitBytes)} are read. Send fewer pairs.`
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

const way = () => form.querySelector("[name=form_of]:checked").value;
const inputs = () => ({
  file: form.querySelector("#id_file"), negative_file: form.querySelector("#id_negative_file"), text: form.querySelector("#id_text"),
});

// What does not belong to the chosen way is not sent, so that nothing left over there stands in the way.
function choose() {
  const { file, negative_file: second, text } = inputs();
  const chosen = way();
  file.disabled = chosen === "paste";
  file.required = !file.disabled;
  second.disabled = chosen !== "two";
  second.required = !second.disabled;
  text.disabled = chosen !== "paste";
  text.required = !text.disabled;
}

function busy(isBusy) {
  form.querySelector("[data-busy]").hidden = !isBusy;
  form.querySelector("[data-submit]").disabled = isBusy;
}

function report(name, state) {
  box.hidden = false;
  const words = {
    hash: () => "Computing the digest…",
    send: () => {
      bar.max = state.total;
      bar.value = state.done;
      const left = state.left > 1 ? `, about ${Math.ceil(state.left)} s left` : "";
      const resumed = state.resumed ? ` (${size(state.resumed)} were there already)` : "";
      return `${size(state.done)} of ${size(state.total)}${left}${resumed}`;
    },
    wait: () => "The connection is interrupted. Trying again; what arrived is kept…",
    verify: () => "Verifying the digest…",
    done: () => `Arrived whole: ${state.digest.slice(0, 19)}…`,
  };
  says.textContent = `${name}: ${words[state.phase]()}`;
}

async function send(file) {
  const transfer = new Transfer(file, {
    open: form.dataset.open, token: form.querySelector("[name=csrfmiddlewaretoken]").value, signal: stop.signal,
    report: (state) => report(file.name, state),
  });
  return (await transfer.run()).id;
}

async function sendAll(files) {
  stop = new AbortController();
  busy(true);
  try {
    for (const [input, hidden] of files) {
      form.querySelector(`[name=${hidden}]`).value = await send(input.files[0]);
    }
    for (const [input] of files) input.disabled = true;
    form.submit();
  } catch (error) {
    busy(false);
    says.textContent = error.name === "AbortError" ? "Stopped. What arrived is kept; choose the same file to go on."
      : error instanceof Refusal ? `Refused: ${error.message}` : error.message;
  }
}

form.querySelectorAll("[data-drop]").forEach(enhance);
form.querySelectorAll("[name=form_of]").forEach((radio) => radio.addEventListener("change", choose));
choose();
box.querySelector("[data-stop]").addEventListener("click", () => stop?.abort());
form.addEventListener("submit", (event) => {
  const { file, negative_file: second } = inputs();
  const files = [[file, "upload"], [second, "negative_upload"]].filter(([input]) => !input.disabled && input.files[0]);
  if (!canSend() || !files.some(([input]) => input.files[0].size > partsOver)) { busy(true); return; }
  event.preventDefault();
  sendAll(files);
});
// Coming back with the browser's button finds the form usable again.
window.addEventListener("pageshow", () => {
  busy(false);
  choose();
  form.querySelectorAll("[name=upload], [name=negative_upload]").forEach((hidden) => { hidden.value = ""; });
});
