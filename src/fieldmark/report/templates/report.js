"use strict";
document.documentElement.classList.add("scripted");
(() => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const shared = JSON.parse(document.getElementById("shared").textContent);
  const tables = Object.fromEntries(Object.entries(shared.colours).map(([kind, text]) => [kind, bytes(text)]));
  const grey = `grayscale(${document.body.dataset.fade})`;

  // The two neighbours of each place along one side, and the share of the second: bilinear, pixel centres aligned.
  function places(from, to) {
    return Array.from({ length: to }, (_, k) => {
      const at = Math.min(Math.max(((k + 0.5) * from) / to - 0.5, 0), from - 1);
      const low = Math.floor(at);
      return [low, Math.min(low + 1, from - 1), at - low];
    });
  }

  // Colours of one map, opaque in proportion to strength, at the size of the canvas.
  function draw(canvas, map, width, height) {
    canvas.width = width;
    canvas.height = height;
    if (map.picture) {
      const made = new Image();
      made.onload = () => canvas.awaited === made && canvas.getContext("2d").drawImage(made, 0, 0, width, height);
      made.src = map.picture;
      canvas.awaited = made;
    } else {
      canvas.awaited = null;
    }
    if (!map.values) return;
    map.bytes ??= bytes(map.values);
    const [h, w] = map.shape;
    const values = map.bytes;
    const table = tables[shared.methods[map.method].kind];
    const context = canvas.getContext("2d");
    const picture = context.createImageData(width, height);
    const columns = places(w, width);
    let k = 0;
    for (const [top, bottom, down] of places(h, height)) {
      for (const [left, right, along] of columns) {
        const upper = values[top * w + left] * (1 - along) + values[top * w + right] * along;
        const lower = values[bottom * w + left] * (1 - along) + values[bottom * w + right] * along;
        const row = 4 * Math.round(upper * (1 - down) + lower * down);
        picture.data[k++] = table[row];
        picture.data[k++] = table[row + 1];
        picture.data[k++] = table[row + 2];
        picture.data[k++] = table[row + 3];
      }
    }
    context.putImageData(picture, 0, 0);
  }

  function drawLegend(bar, kind) {
    bar.classList.toggle("signed", kind === "signed");
    const canvas = bar.querySelector("canvas");
    const picture = canvas.getContext("2d").createImageData(255, 1);
    picture.data.set(tables[kind]);
    canvas.getContext("2d").putImageData(picture, 0, 0);
  }

  function start(card) {
    const data = JSON.parse(card.querySelector("script.data").textContent);
    const form = card.querySelector("form");
    if (!form) return;
    const find = (selector) => card.querySelector(selector);
    const [image, canvas, stage, hold, slider] = ["img", "canvas.map", ".stage", ".hold", "[type=range]"].map(find);
    const shown = ["width", "height"].map((side) => Number(image.getAttribute(side)));
    const size = shown.map((side) => side * Math.max(1, Math.ceil(448 / Math.max(...shown))));
    const at = (method, target) => data.maps.find((map) => map.method === method && map.target === target);
    stage.style.maxWidth = `min(100%, ${((75 * shown[0]) / shown[1]).toFixed(1)}vh)`;
    const radios = (name) => [...form.querySelectorAll(`[name=${name}]`)];
    const chosen = (name) => Number(radios(name).find((radio) => radio.checked).value);
    const choose = (name, number) => {
      for (const radio of radios(name)) radio.checked = Number(radio.value) === number;
    };
    const thumbs = [];
    let drawn = false;
    let holding = false;
    let whole = false; // a picture of its own, not a map over the photograph

    // What was chosen last stays; the other choice gives way where there is no map of both.
    function show(event) {
      const wanted = { method: chosen("method"), target: chosen("target") };
      const last = event?.target.name === "method" ? "method" : "target";
      const map = at(wanted.method, wanted.target) ?? data.maps.find((other) => other[last] === wanted[last]);
      const target = map.target;
      choose("method", map.method);
      choose("target", target);
      for (const radio of radios("method")) radio.disabled = !data.maps.some((other) => other.method === Number(radio.value));
      for (const radio of radios("target")) radio.closest("label").hidden = !at(map.method, Number(radio.value));
      const method = shared.methods[map.method];
      if (drawn) draw(canvas, map, ...size);
      whole = method.kind === "picture";
      find(".legend").hidden = whole;
      if (!whole) drawLegend(find(".bar"), method.kind);
      find(".low").textContent = method.ends[0];
      find(".high").textContent = method.ends[1];
      find(".target").textContent = data.targets[target];
      find(".place").textContent = method.place;
      find(".score").textContent = map.score;
      find(".note").textContent = map.note;
      find(".meaning").textContent = [method.summary, method.legend].filter(Boolean).join(" ");
      find(".warned").hidden = method.warnings.length === 0;
      const where = map.note || `strongest at the ${map.where}`;
      canvas.setAttribute("aria-label", `Map of ${method.place} for ${data.targets[target]}: ${where}`);
      for (const thumb of thumbs) thumb.button.setAttribute("aria-pressed", String(thumb.map === map));
      fade();
    }

    function fade() {
      const opacity = Number(slider.value);
      form.querySelector("output").textContent = `${opacity} %`;
      find(".bar canvas").style.opacity = opacity / 100;
      for (const layer of card.querySelectorAll(".stage canvas")) layer.style.opacity = opacity / 100;
      for (const thumb of thumbs) if (thumb.map.picture) thumb.button.querySelector("canvas").style.opacity = 1;
      if (whole) canvas.style.opacity = 1;
      for (const photo of card.querySelectorAll(".stage img")) photo.style.filter = opacity ? grey : "none";
      canvas.style.visibility = holding ? "hidden" : "visible";
      if (holding) image.style.filter = "none";
    }

    function press(down) {
      holding = down;
      hold.setAttribute("aria-pressed", String(down));
      fade();
    }

    // All maps of the image: where there are several methods, a row of them for each class, and one for each method
    // that shows things of its own, such as channels.
    function grid() {
      const box = find(".maps");
      if (!box || thumbs.length || !find("details.all").open) return;
      const several = new Set(data.maps.map((map) => map.method)).size > 1;
      let group = several ? null : element("div", "grid");
      let heading = "";
      const name = (map) => shared.methods[map.method].name;
      const alone = (map) => data.maps.filter((other) => other.target === map.target).length === 1;
      for (const map of [...data.maps].sort((a, b) => a.target - b.target || a.method - b.method)) {
        const target = data.targets[map.target];
        const above = alone(map) ? name(map) : target;
        if (several && heading !== above) {
          heading = above;
          group = element("div", "grid");
          box.append(element("h3", "", heading), group);
        }
        const label = several && !alone(map) ? breakable(name(map)) : target;
        const button = thumbnail(map, image, label, `${shared.methods[map.method].name} for ${target}`);
        button.addEventListener("click", () => {
          choose("target", map.target);
          choose("method", map.method);
          show();
        });
        thumbs.push({ button, map });
        group.append(button);
      }
      if (!several) box.append(group);
      show();
    }

    form.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    slider.addEventListener("input", fade);
    for (const surface of [hold, stage]) {
      surface.addEventListener("pointerdown", (event) => event.button === 0 && press(true));
      surface.addEventListener("contextmenu", (event) => event.pointerType === "touch" && event.preventDefault());
    }
    for (const end of ["pointerup", "pointercancel", "blur"]) window.addEventListener(end, () => holding && press(false));
    image.draggable = false;
    hold.addEventListener("keydown", (event) => [" ", "Enter"].includes(event.key) && press(true));
    hold.addEventListener("keyup", () => press(false));
    hold.addEventListener("blur", () => press(false));
    find("details.all")?.addEventListener("toggle", () => drawn && grid());

    choose("target", data.maps[0].target);
    choose("method", data.maps[0].method);
    show();
    card.drawNow = () => {
      if (drawn) return;
      drawn = true;
      show();
      grid();
    };
  }

  function element(tag, style, text = "") {
    const made = document.createElement(tag);
    made.className = style;
    made.textContent = text;
    return made;
  }

  const breakable = (name) => name.replace(/([a-z])([A-Z])/g, "$1\u200b$2");

  function thumbnail(map, image, label, spoken) {
    const button = element("button", "");
    const stage = element("span", "stage");
    const photo = image.cloneNode();
    const canvas = element("canvas", "");
    button.type = "button";
    button.setAttribute("aria-label", map.note ? `${spoken}, ${map.note}` : spoken);
    photo.alt = "";
    const times = 192 / Math.max(image.getAttribute("width"), image.getAttribute("height"));
    draw(canvas, map, ...["width", "height"].map((side) => Math.max(1, Math.round(times * image.getAttribute(side)))));
    stage.append(photo, canvas);
    button.append(stage, element("span", "", label));
    if (map.note) button.append(element("span", "alert-text", map.note));
    return button;
  }

  // Cards are drawn when they come near the window, all of them before printing.
  const cards = [...document.querySelectorAll(".card")];
  cards.forEach(start);
  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => entry.target.drawNow?.()),
    { rootMargin: "600px" },
  );
  cards.forEach((card) => near.observe(card));
  window.addEventListener("beforeprint", () => {
    cards.forEach((card) => card.drawNow?.());
    document.querySelectorAll("footer details").forEach((details) => (details.open = true));
  });
})();
