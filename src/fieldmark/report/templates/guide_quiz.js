const data = JSON.parse(document.getElementById("data").textContent);
const part = (name) => document.getElementById(name);
const SVG = "http://www.w3.org/2000/svg";
const given = [];
let at = 0;

function make(tag, text, parent, kind) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (kind) element.className = kind;
  parent.append(element);
  return element;
}

function show() {
  const picture = data.pictures[at];
  part("number").textContent = `${at + 1} of ${data.pictures.length}`;
  part("stage").replaceChildren();
  const image = make("img", "", part("stage"));
  image.src = picture.src;
  image.alt = "the picture to name";
  part("said").replaceChildren();
  part("next").hidden = true;
  part("answers").replaceChildren();
  for (const name of data.classes) {
    make("button", name, part("answers")).addEventListener("click", () => answer(name));
  }
}

function answer(name) {
  const picture = data.pictures[at];
  given.push({ image: picture.image, answer: name, network: picture.network, key: picture.key });
  for (const button of part("answers").children) {
    button.disabled = true;
    if (button.textContent === picture.network) button.classList.add("is");
    else if (button.textContent === name) button.classList.add("wrong");
  }
  const right = name === picture.network;
  make("p", right ? `Right: ${name}.` : `The network calls it ${picture.network}.`, part("said"));
  const words = picture.marks.length ? picture.marks.map((mark) => mark.words) : data.words[picture.network] || [];
  for (const text of words) make("p", text, part("said"), "quiet");
  for (const mark of picture.marks) outline(mark);
  part("next").hidden = at + 1 >= data.pictures.length;
  part("save").hidden = false;
  count();
  (part("next").hidden ? part("save") : part("next")).focus();
}

function outline(mark) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", mark.box);
  drawing.setAttribute("preserveAspectRatio", "none");
  for (let line = 0; line < 2; line += 1) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", mark.path);
    drawing.append(path);
  }
  part("stage").append(drawing);
}

function wilson(right, n) {
  const z = 1.96, share = right / n, below = 1 + (z * z) / n;
  const middle = (share + (z * z) / (2 * n)) / below;
  const half = (z / below) * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

function result() {
  const right = given.filter((each) => each.answer === each.network).length;
  const [low, high] = wilson(right, given.length);
  return { answered: given.length, right, accuracy: right / given.length, low, high };
}

function count() {
  const { answered, right, accuracy, low, high } = result();
  const percent = (value) => Math.round(100 * value);
  part("score").textContent =
    `${right} of ${answered} right: ${percent(accuracy)} % (95 % interval ${percent(low)} to ${percent(high)} %)`;
  const times = new Map();
  for (const each of given) {
    if (each.answer === each.network) continue;
    const pair = JSON.stringify([each.network, each.answer]);
    times.set(pair, (times.get(pair) || 0) + 1);
  }
  part("confusions").replaceChildren();
  if (!times.size) return;
  const table = make("table", "", part("confusions"));
  const head = make("tr", "", table);
  for (const text of ["The network says", "You said", "Times"]) make("th", text, head).scope = "col";
  for (const [pair, n] of [...times].sort((one, other) => other[1] - one[1])) {
    const row = make("tr", "", table);
    for (const text of [...JSON.parse(pair), String(n)]) make("td", text, row);
  }
}

part("next").addEventListener("click", () => {
  at += 1;
  show();
  part("answers").firstElementChild.focus();
});
part("save").addEventListener("click", () => {
  const text = JSON.stringify({ "fieldmark practice": 1, ...result(), answers: given }, null, 1);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = "practice.json";
  link.click();
  URL.revokeObjectURL(link.href);
});
show();
