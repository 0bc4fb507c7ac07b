document.documentElement.classList.add("scripted");
const PHOTO = -1;
const root = document.documentElement;
const controls = document.querySelector(".controls");
const status = document.getElementById("status");
const slider = document.getElementById("opacity");
const beside = document.getElementById("beside");
const methodRadios = [...controls.querySelectorAll("[name=method]")];
const layerButtons = [...controls.querySelectorAll("button.layer")];

function element(tag, style, text = "") {
  const made = document.createElement(tag);
  if (style) made.className = style;
  // Long names of classes, layers and methods may be broken after these, and stay what they are when copied.
  for (const part of text.replace(/[a-z](?=[A-Z])|[_/]/g, "$&\u0000").split("\u0000")) {
    if (made.firstChild) made.append(document.createElement("wbr"));
    made.append(part);
  }
  return made;
}

const entryName = (entry) => {
  const { name, layer, side } = shared.methods[entry];
  const several = shared.methods.some((other) => other.name === name && other.layer !== layer);
  return [name, several ? `at ${layer || "the input"}` : "", side ? `(${side})` : ""].filter(Boolean).join(" ");
};

// The page opens with the first method, at the layer that maps are made of by default, where there is a map of it.
const usual = controls.querySelector("[data-chosen]")?.dataset.layer;
const opening = shared.methods.find((each) => each.name === shared.methods[0].name && each.layer === usual) ?? shared.methods[0];

// What is shown for all images: one method at one layer, and what stands beside it.
const state = {
  name: opening.name,
  layer: opening.layer,
  names: [...new Set(shared.methods.map((method) => method.name))],
  layers(name = this.name) {
    return [...new Set(shared.methods.filter((method) => method.name === name).map((method) => method.layer))];
  },
  entries() {
    const mine = shared.methods.flatMap((method, number) =>
      method.name === this.name && method.layer === this.layer ? [number] : []);
    if (shared.comparison) return mine;
    const other = beside?.value ?? "";
    return other === "" ? [mine[0]] : [mine[0], other === "photo" ? PHOTO : Number(other)];
  },
  choose(entry) {
    this.name = shared.methods[entry].name;
    this.layer = shared.methods[entry].layer;
    refresh();
  },
  chooseName(name) {
    this.name = name;
    if (!this.layers().includes(this.layer)) this.layer = this.layers()[0];
    refresh();
  },
  // The layer, by the method that is shown where it has a map there, else by the first that has.
  chooseLayer(layer) {
    const has = (method) => method.layer === layer;
    const method = shared.methods.find((each) => has(each) && each.name === this.name) ?? shared.methods.find(has);
    if (!method) return false;
    this.name = method.name;
    this.layer = layer;
    refresh();
    return true;
  },
};

const cards = [...document.querySelectorAll(".card")].map((each) => new Card(each));
const awake = () => cards.filter((card) => card.drawn);

function refresh() {
  state.names.forEach((name, number) => (methodRadios[number].checked = name === state.name));
  for (const button of layerButtons) {
    const shown = button.dataset.layer === state.layer;
    button.setAttribute("aria-pressed", String(shown));
  }
  const place = state.layer || "the input";
  controls.querySelector(".now").textContent = `${state.name} at ${place}`;
  controls.querySelector(".offer")?.setAttribute("hidden", "");
  for (const card of awake()) card.show();
}

function announce(card) {
  if (card?.data) status.textContent = card.words;
}

function setOpacity(value) {
  const opacity = Math.min(100, Math.max(0, value));
  slider.value = String(opacity);
  controls.querySelector("output").textContent = `${opacity} %`;
  root.style.setProperty("--opacity", String(opacity / 100));
  root.classList.toggle("bare", opacity === 0);
}

// A layer that this page has no map of: how to get one.
function offer(layer) {
  const box = controls.querySelector(".offer");
  box.hidden = false;
  const name = layer || "the input";
  box.querySelector("p").textContent = `This page has no map at ${name}. ${
    layer ? "To make one:" : "Methods at the input, such as Gradients, make one."}`;
  box.querySelector("code").textContent = layer ? `${box.dataset.command} --layer ${quoted(layer)}`.trim() : "";
  status.textContent = box.textContent.replace(/\s+/g, " ");
}

const quoted = (name) => (/^[\w./@%+=:,-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\"'\"'")}'`);

// The card with the focus, else the first whose lower end is in the window.
const current = () => {
  const focused = cards.findIndex((card) => card.element.contains(document.activeElement));
  if (focused >= 0) return focused;
  return Math.max(0, cards.findIndex((card) => card.element.getBoundingClientRect().bottom > 120));
};

function go(step) {
  const card = cards[Math.min(cards.length - 1, Math.max(0, current() + step))];
  card.draw();
  card.element.scrollIntoView({ block: "start" });
  card.find("h2").focus({ preventScroll: true });
  announce(card);
}

function cycle(list, now, step) {
  return list[(list.indexOf(now) + step + list.length) % list.length];
}
