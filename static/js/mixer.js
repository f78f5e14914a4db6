// Asks for new texts when a slider stops and shows them as they come. Without it the form is posted and the page waits.
"use strict";

const STILL_MS = 120;
const form = document.getElementById("desk");
const failure = document.getElementById("failure");
const timing = document.getElementById("timing");
const columns = new Map([...document.querySelectorAll("[data-column]")].map((part) => [part.dataset.column, part]));
let turn = 0;
let timer = 0;
let source = null;
let cancel = "";

function say(column, words) {
  column.querySelector("[data-state]").textContent = words;
}

function show(column, kind) {
  column.classList.toggle("waiting", kind === "waiting");
  column.classList.toggle("writing", kind === "writing");
}

function each(act) {
  for (const [name, column] of columns) act(column, name);
}

function announce(words) {
  document.getElementById("announce").textContent = words;
}

function hush() {
  source?.close();
  source = null;
}

function fail(detail) {
  hush();
  each((column) => { show(column, ""); say(column, "Not written."); });
  failure.querySelector("[data-detail]").textContent = detail;
  failure.hidden = false;
}

function settle(said) {
  cancel = said.cancel;
  history.replaceState(null, "", `?${said.query}`);
  document.querySelector("#share code").textContent = location.href;
  document.querySelector("#code code").textContent = said.code;
  const isCompared = columns.has("b");
  const items = said.cautions.map((caution) => {
    const item = document.createElement("li");
    item.className = "notice warn small";
    item.textContent = isCompared ? `Mix ${caution.mix.toUpperCase()}: ${caution.message}` : caution.message;
    return item;
  });
  const list = document.getElementById("cautions");
  // The same words again would be read out again.
  if (list.innerText !== items.map((item) => item.textContent).join("\n")) list.replaceChildren(...items);
}

function grow(name, data) {
  const column = columns.get(name);
  if (!column) return;
  const text = column.querySelector("[data-text]");
  if (!column.classList.contains("writing")) {
    text.textContent = "";
    show(column, "writing");
    say(column, "");
  }
  text.append(data.text);
}

function outcome(column) {
  const words = [];
  if (column.degenerate) words.push("Runs in circles: the text repeats itself.");
  if (column.truncated) words.push("Cut off at the token limit.");
  return words.join(" ");
}

function finish(data) {
  hush();
  cancel = "";
  for (const row of data.columns) {
    const column = columns.get(row.name);
    if (!column) continue;
    // A text without a word has had no event.
    if (column.classList.contains("waiting")) column.querySelector("[data-text]").textContent = "";
    show(column, "");
    say(column, outcome(row));
  }
  const seconds = data.first_token_seconds ? `First word after ${data.first_token_seconds.toFixed(2)} s, all` : "All";
  timing.textContent = data.n_tokens ? `${seconds} after ${data.seconds.toFixed(2)} s, ${data.n_tokens} new tokens.` : "Written before, with the same seed.";
  announce(`Texts written. ${data.columns.map(outcome).join(" ")}`);
}

function listen(address) {
  source = new EventSource(address);
  const on = (kind, act) => source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  on("queued", (data) => each((column) => {
    if (column.classList.contains("waiting")) say(column, data.position > 1 ? `Place ${data.position} in the line…` : "Waiting for the worker…");
  }));
  on("neutral", (data) => grow("neutral", data));
  on("steered", (data) => grow(data.mix, data));
  on("done", finish);
  const mine = source;
  source.addEventListener("error", (event) => {
    if (event.data) fail(JSON.parse(event.data).detail);
    else if (mine.readyState === EventSource.CLOSED) fail("The connection was cut. Try again; nothing is lost.");
  });
}

async function play() {
  clearTimeout(timer);
  const mine = ++turn;
  hush();
  failure.hidden = true;
  each((column, name) => {
    if (name === "neutral" || form.elements.ref) { show(column, "waiting"); say(column, ""); }
  });
  let answer, said;
  try {
    answer = await fetch(form.dataset.play, { method: "POST", body: new FormData(form) });
    said = await answer.json();
  } catch {
    if (mine === turn) fail("The service cannot be reached just now. Try again in a moment.");
    return;
  }
  if (mine !== turn) return;
  if (!answer.ok) { fail(said.detail); return; }
  settle(said);
  listen(said.stream);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(play, STILL_MS);
}

function reroll() {
  form.elements.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % 10000);
}

form?.addEventListener("input", (event) => {
  if (event.target.matches("[data-play]")) event.target.matches("textarea") ? null : soon();
});
form?.addEventListener("change", (event) => {
  if (event.target.matches("[data-go]")) form.submit();
  else if (event.target.matches("textarea")) soon();
});
form?.addEventListener("submit", (event) => {
  const name = event.submitter?.name;
  if (name === "play" || name === "reroll" || name === "starter") {
    event.preventDefault();
    if (name === "starter") form.elements.prompt.value = event.submitter.value;
    if (name === "reroll" || (name === "play" && !form.querySelector("[data-lock]").checked)) reroll();
    play();
  }
});
document.getElementById("prompt")?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) play();
});
addEventListener("pagehide", () => {
  if (!source || !cancel) return;
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  navigator.sendBeacon(cancel, body);
});

if (columns.size) {
  form.querySelector("[data-lock-label]").hidden = false;
  if (form.elements.ref && !form.querySelector("[name=play]").disabled && !columns.get("a").querySelector("[data-text]").textContent) play();
}
