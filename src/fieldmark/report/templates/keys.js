// Keys, as the page's own table says; those that the focused control uses itself are left to it.
const keys = {
  ArrowLeft: () => go(-1),
  ArrowRight: () => go(1),
  m: () => state.chooseName(cycle(state.names, state.name, 1)),
  M: () => state.chooseName(cycle(state.names, state.name, -1)),
  l: () => state.chooseLayer(cycle(state.layers(), state.layer, 1)),
  L: () => state.chooseLayer(cycle(state.layers(), state.layer, -1)),
  "+": () => setOpacity(Number(slider.value) + 10),
  "=": () => setOpacity(Number(slider.value) + 10),
  "-": () => setOpacity(Number(slider.value) - 10),
  s: () => {
    if (!beside) return;
    beside.value = beside.value === "photo" ? "" : "photo";
    refresh();
  },
  "?": () => {
    controls.querySelector(".panel").open = true;
    const help = controls.querySelector(".keys");
    help.open = !help.open;
    help.scrollIntoView({ block: "nearest" });
    if (help.open) help.querySelector("summary").focus();
  },
};

function typed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select, textarea")) return;
  if (event.key.startsWith("Arrow") && event.target.matches("input, summary, .scroll")) return;
  if (event.key === "o") {
    root.classList.add("holding");
    return;
  }
  const card = cards[current()];
  if (/^[1-9]$/.test(event.key)) {
    card?.draw();
    const offered = card?.radios?.filter((radio) => !radio.closest("label").hidden) ?? [];
    if (offered.length >= Number(event.key)) card.choose(Number(offered[Number(event.key) - 1].value));
    return;
  }
  const act = keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
  if (!event.key.startsWith("Arrow")) announce(cards[current()]);
}

document.addEventListener("keydown", typed);
document.addEventListener("keyup", (event) => event.key === "o" && root.classList.remove("holding"));
for (const end of ["pointerup", "pointercancel", "blur"]) {
  window.addEventListener(end, () => {
    if (end === "blur") root.classList.remove("holding");
    for (const card of cards) if (card.holding) card.hold(false);
  });
}

controls.addEventListener("submit", (event) => event.preventDefault());
methodRadios.forEach((radio, number) =>
  radio.addEventListener("change", () => {
    state.chooseName(state.names[number]);
    announce(cards[current()]);
  }));
for (const button of layerButtons) {
  button.addEventListener("click", () => {
    if (state.chooseLayer(button.dataset.layer)) announce(cards[current()]);
    else offer(button.dataset.layer);
  });
}
slider.addEventListener("input", () => setOpacity(Number(slider.value)));
if (beside) {
  shared.methods.forEach((_, number) => {
    const option = element("option", "", entryName(number));
    option.value = String(number);
    if (shared.methods.length > 1) beside.append(option);
  });
  beside.addEventListener("change", refresh);
}

// On a narrow window the controls fold away above the images; on a wide one they stand beside them.
const wide = window.matchMedia("(min-width: 62rem)");
const fold = () => (controls.querySelector(".panel").open = wide.matches);
wide.addEventListener("change", fold);
fold();
setOpacity(Number(document.body.dataset.alpha));
refresh();

// Cards are drawn while they are near the window, all of them for printing.
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const card = cards.find((each) => each.element === entry.target);
      if (entry.isIntersecting) card.draw();
      else if (!printing) card.free();
    }
  },
  { rootMargin: "800px" },
);
let printing = false;
cards.forEach((card) => near.observe(card.element));
window.addEventListener("beforeprint", () => {
  printing = true;
  cards.forEach((card) => card.draw());
  document.querySelectorAll("footer details").forEach((details) => (details.open = true));
});
window.addEventListener("afterprint", () => (printing = false));
