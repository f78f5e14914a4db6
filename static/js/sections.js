// Marks in the list of sections the one that is being read.

for (const list of document.querySelectorAll("[data-sections]")) {
  const links = [...list.querySelectorAll("a")];
  const places = links.map(link => document.getElementById(link.hash.slice(1)));
  let waiting = false;
  const mark = () => {
    waiting = false;
    const passed = places.filter(place => place && place.getBoundingClientRect().top < innerHeight / 3);
    const here = passed.at(-1);
    for (const link of links) {
      if (here && link.hash === `#${here.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  document.addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(mark);
  }, { passive: true });
  mark();
}
