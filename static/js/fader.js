// Lets people drag the knob of a fader to the nearest stop, and keeps the mixer's link at the chosen strength.
// The stops are radio buttons, so arrow keys and clicks work without it.

function nearest(fader, x) {
  const stops = [...fader.querySelectorAll(".fader-stops label")];
  const gaps = stops.map(stop => {
    const place = stop.getBoundingClientRect();
    return Math.abs(place.left + place.width / 2 - x);
  });
  return document.getElementById(stops[gaps.indexOf(Math.min(...gaps))].htmlFor);
}

function choose(radio) {
  if (radio.checked) return;
  radio.checked = true;
  radio.dispatchEvent(new Event("change", { bubbles: true }));
}

for (const fader of document.querySelectorAll("[data-fader]")) {
  const track = fader.querySelector(".fader-track");
  track.addEventListener("pointerdown", event => {
    if (event.button !== 0) return;
    // A click on a label would otherwise fire after the drag, at the stop where it began.
    event.preventDefault();
    track.setPointerCapture(event.pointerId);
    const first = nearest(fader, event.clientX);
    choose(first);
    first.focus({ preventScroll: true });
  });
  track.addEventListener("pointermove", event => {
    if (track.hasPointerCapture(event.pointerId)) choose(nearest(fader, event.clientX));
  });
  track.addEventListener("click", event => event.preventDefault());
  fader.addEventListener("change", event => {
    for (const link of document.querySelectorAll("[data-mixer]")) {
      const address = new URL(link.href);
      address.searchParams.set("strength", event.target.value);
      link.href = address.href;
    }
  });
}
