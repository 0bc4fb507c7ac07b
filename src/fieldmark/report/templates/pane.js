// One picture: the photograph with a map over it, its legend, and the value under the pointer.
class Pane {
  constructor(card) {
    this.card = card;
    this.element = document.getElementById("pane").content.firstElementChild.cloneNode(true);
    this.stage = this.find(".stage");
    this.canvas = this.find("canvas.map");
    this.photo = card.photo.cloneNode();
    if (card.panes.length) this.photo.alt = "";
    this.stage.prepend(this.photo);
    this.stage.addEventListener("pointerdown", (event) => event.button === 0 && card.hold(true));
    this.stage.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
    for (const kind of ["pointermove", "pointerdown"]) this.stage.addEventListener(kind, (event) => this.point(event));
    this.stage.addEventListener("pointerleave", () => card.panes.forEach((pane) => pane.read(null)));
  }

  find(selector) {
    return this.element.querySelector(selector);
  }

  show(entry, map, target) {
    const isPhoto = entry === PHOTO;
    const method = isPhoto ? null : shared.methods[entry];
    this.map = map;
    const made = method?.kind === "picture";
    const words = this.card.data.targets[map?.target ?? target] ?? "";
    const own = map && map.target !== target ? `, for ${words}` : "";
    const missing = !isPhoto && !map;
    this.words = missing ? `no map by ${method.name} for this image` : isPhoto ? "the photograph"
      : `${method.place} for ${words}: ${map.note || (made ? "a picture made to raise it" : `strongest at the ${map.where}`)}`;
    this.stage.classList.toggle("plain", isPhoto || missing);
    this.stage.classList.toggle("made", made);
    this.stage.style.maxWidth = `min(100%, ${(75 * this.card.ratio).toFixed(1)}vh)`;
    this.canvas.hidden = isPhoto || missing;
    this.canvas.setAttribute("aria-label", `Map of ${this.words}`);
    this.find(".place").textContent = isPhoto ? "The photograph" : method.side
      ? method.side[0].toUpperCase() + method.side.slice(1) + own : method.place;
    this.find(".score").textContent = map?.score ?? "";
    this.find(".note").textContent = missing ? "no map of this image" : map?.note ?? "";
    this.find(".probe").hidden = true;
    this.silent();
    this.legend(method, map, made);
    if (this.card.drawn && map) {
      const [h, w] = map.shape;
      const times = Math.max(1, w / this.card.size[0], h / this.card.size[1]);
      draw(this.canvas, map, this.card.size.map((side) => Math.round(times * side)));
    }
  }

  legend(method, map, made) {
    const legend = this.find(".legend");
    legend.hidden = !map || made || !map.limit;
    if (legend.hidden) return;
    const signed = method.kind === "signed";
    drawLegend(this.find(".bar"), method.kind);
    this.find(".low").textContent = signed ? `${method.ends[0]} ${plain(-map.limit, true)}` : `${method.ends[0]} 0`;
    this.find(".high").textContent = `${plain(map.limit, signed)} ${method.ends[1]}`;
  }

  // The pointer's place is read in every pane of the card, so that values can be compared.
  point(event) {
    const box = this.stage.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    for (const pane of this.card.panes) pane.read([x, y]);
  }

  read(place) {
    const probe = this.find(".probe");
    probe.hidden = !place || !this.map || Boolean(this.map.picture);
    if (probe.hidden) return this.silent();
    const { words, row, column } = readValue(this.map, ...place);
    this.find(".value").textContent = `Value here: ${words}`;
    const [h, w] = this.map.shape;
    const share = (part, whole) => `${(100 * part) / whole}%`;
    Object.assign(probe.style, { left: share(column, w), top: share(row, h), width: share(1, w), height: share(1, h) });
  }

  silent() {
    this.find(".value").textContent = this === this.card.panes[0] && this.map && !this.map.picture ? "Point at the map to read its values." : "";
  }

  clear() {
    this.canvas.width = 0;
    this.canvas.height = 0;
  }
}
