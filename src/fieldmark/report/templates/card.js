// One image: its panes, its classes, all its maps. What holds for all images is in `state` (page.js).
class Card {
  constructor(element) {
    this.element = element;
    this.holding = false;
    this.drawn = false;
    this.wanted = 0;
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  get name() {
    return this.find("h2").textContent;
  }

  // Reads the data and makes the controls, once, when the card comes near the window.
  wake() {
    if (this.data || !this.find(".classes")) return;
    this.data = JSON.parse(this.find("script.data").textContent);
    this.panes = [];
    this.thumbs = [];
    this.photo = this.find(".stage.plain img");
    const shown = ["width", "height"].map((side) => Number(this.photo.getAttribute(side)));
    const times = Math.max(1, Math.ceil(448 / Math.max(...shown)));
    this.size = shown.map((side) => side * times);
    this.ratio = shown[0] / shown[1];
    this.wanted = this.data.maps[0].target;
    const chips = this.find(".classes .chips");
    this.radios = this.data.targets.map((target, number) => {
      const label = element("label", "");
      const radio = element("input", "");
      Object.assign(radio, { type: "radio", name: `class-${this.element.id}`, value: String(number), autocomplete: "off" });
      label.append(radio, element("span", "", target));
      label.lastChild.dir = "auto";
      radio.addEventListener("change", () => this.choose(number));
      chips.append(label);
      return radio;
    });
    const hold = this.find(".hold");
    hold.addEventListener("pointerdown", (event) => event.button === 0 && this.hold(true));
    hold.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && this.hold(true));
    hold.addEventListener("keyup", () => this.hold(false));
    hold.addEventListener("blur", () => this.hold(false));
    this.find("details.all")?.addEventListener("toggle", () => this.grid());
  }

  map(entry, target) {
    return this.data.maps.find((map) => map.method === entry && map.target === target);
  }

  // The entries that decide which classes there are: the first, and where two are compared, both of them.
  get deciding() {
    return shared.comparison ? state.entries() : state.entries().slice(0, 1);
  }

  offers(target) {
    return this.deciding.some((entry) => this.map(entry, target));
  }

  // The class that was asked for, or the first that there is a map of.
  get target() {
    if (this.offers(this.wanted)) return this.wanted;
    return this.data.maps.find((map) => this.deciding.includes(map.method))?.target;
  }

  // The map of an entry for a class; where two are compared that explain classes of their own, the entry's own one.
  shown(entry, target) {
    if (entry === PHOTO) return null;
    const own = shared.comparison ? this.data.maps.find((map) => map.method === entry) : null;
    return this.map(entry, target) ?? own;
  }

  choose(target) {
    this.wanted = target;
    this.show();
    announce(this);
  }

  hold(down) {
    this.holding = down;
    this.find(".hold")?.setAttribute("aria-pressed", String(down));
    this.element.classList.toggle("holding", down);
  }

  // Brings panes, chips and words in line with the state; draws only while the card is near the window.
  show() {
    this.wake();
    if (!this.data) return;
    const entries = state.entries();
    const [first] = entries;
    const target = this.target;
    for (const radio of this.radios) {
      radio.checked = Number(radio.value) === target;
      radio.closest("label").hidden = !this.offers(Number(radio.value));
    }
    while (this.panes.length < entries.length) this.panes.push(new Pane(this));
    const box = this.find(".panes");
    box.replaceChildren(...this.panes.slice(0, entries.length).map((pane) => pane.element));
    box.dataset.panes = String(entries.length);
    entries.forEach((entry, number) => this.panes[number].show(entry, this.shown(entry, target), target));
    const method = shared.methods[first];
    this.find(".meaning").textContent = [method.summary, method.legend].filter(Boolean).join(" ");
    this.find(".warned").hidden = method.warnings.length === 0;
    for (const thumb of this.thumbs) {
      thumb.button.setAttribute("aria-pressed", String(thumb.map.method === first && thumb.map.target === target));
    }
    this.grid();
  }

  // What a screen reader is told of the first pane.
  get words() {
    return `${this.name}: ${this.panes[0].words}`;
  }

  draw() {
    if (this.drawn) return;
    this.drawn = true;
    this.show();
  }

  // Canvases far from the window give their memory back.
  free() {
    if (!this.drawn || !this.data) return;
    this.drawn = false;
    for (const pane of this.panes) pane.clear();
  }

  // All maps of the image: where there are several methods, a row of them for each class, and one for each method that
  // shows things of its own, such as channels.
  grid() {
    const box = this.find(".maps");
    if (!box || this.thumbs.length || !this.drawn || !this.find("details.all").open) return;
    const maps = this.data.maps;
    const name = (map) => entryName(map.method);
    const several = new Set(maps.map((map) => map.method)).size > 1;
    const alone = (map) => maps.filter((other) => other.target === map.target).length === 1;
    const groups = new Map();
    for (const map of [...maps].sort((a, b) => a.target - b.target || a.method - b.method)) {
      const heading = several ? (alone(map) ? name(map) : this.data.targets[map.target]) : "";
      if (!groups.has(heading)) groups.set(heading, []);
      groups.get(heading).push(map);
    }
    for (const [heading, group] of groups) {
      const grid = element("div", "grid");
      for (const map of group) {
        const target = this.data.targets[map.target];
        const label = several && !alone(map) ? name(map) : target;
        const button = this.thumbnail(map, label, `${name(map)} for ${target}`);
        button.addEventListener("click", () => {
          this.wanted = map.target;
          state.choose(map.method);
          announce(this);
        });
        this.thumbs.push({ button, map });
        grid.append(button);
      }
      if (heading) box.append(element("h3", "", heading));
      box.append(grid);
    }
    const [first] = state.entries();
    const target = this.target;
    for (const { button, map } of this.thumbs) {
      button.setAttribute("aria-pressed", String(map.method === first && map.target === target));
    }
  }

  thumbnail(map, label, spoken) {
    const button = element("button", "");
    const stage = element("span", map.picture ? "stage made" : "stage");
    const photo = this.photo.cloneNode();
    const canvas = element("canvas", "map");
    button.type = "button";
    button.setAttribute("aria-label", map.note ? `${spoken}, ${map.note}` : spoken);
    photo.alt = "";
    const least = 192 / Math.max(...this.size);
    const [h, w] = map.shape;
    const times = Math.max(least, Math.min(1, w / this.size[0]), Math.min(1, h / this.size[1]));
    draw(canvas, map, this.size.map((side) => Math.max(1, Math.round(times * side))));
    stage.append(photo, canvas);
    button.append(stage, element("span", "", label));
    if (map.note) button.append(element("span", "alert-text", map.note));
    return button;
  }
}
