const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const shared = JSON.parse(document.getElementById("shared").textContent);
const tables = Object.fromEntries(Object.entries(shared.colours).map(([kind, text]) => [kind, bytes(text)]));
const kindOf = (map) => shared.methods[map.method].kind;

// A float of 16 bits: one of sign, five of exponent, ten of fraction.
function half(code) {
  const exponent = (code >> 10) & 31;
  const fraction = code & 1023;
  const size = exponent === 31 ? (fraction ? NaN : Infinity)
    : exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return code & 32768 ? -size : size;
}

// The values of a map in their own unit, row by row; null where a blank map carries none.
function valuesOf(map) {
  if (map.values !== undefined) return map.values;
  map.values = null;
  if (map.halves) {
    const codes = bytes(map.halves);
    map.values = new Float32Array(codes.length / 2);
    for (let k = 0; k < map.values.length; k++) map.values[k] = map.top * half(codes[2 * k] | (codes[2 * k + 1] << 8));
  } else if (map.rows) {
    const signed = kindOf(map) === "signed";
    map.cut = true; // values beyond the limit were cut off
    map.values = Float32Array.from(bytes(map.rows), (row) =>
      row === 255 ? NaN : map.limit * (signed ? row / 127 - 1 : row / 254));
  }
  return map.values;
}

// The two neighbours of each place along one side, and the share of the second: bilinear, pixel centres aligned.
function places(from, to) {
  return Array.from({ length: to }, (_, k) => {
    const at = Math.min(Math.max(((k + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return [low, Math.min(low + 1, from - 1), at - low];
  });
}

// Strengths -1..1 or 0..1 as figures.scale makes them: divided by the limit, cut off, zero where not finite.
function strengths(map) {
  const low = kindOf(map) === "signed" ? -1 : 0;
  return Float32Array.from(valuesOf(map), (value) =>
    Number.isFinite(value) ? Math.min(Math.max(value / map.limit, low), 1) : 0);
}

// Colours of one map, opaque in proportion to strength, on a canvas of the given size; never smaller than the map.
function draw(canvas, map, size) {
  const [width, height] = size;
  canvas.width = width;
  canvas.height = height;
  canvas.awaited = null;
  const context = canvas.getContext("2d");
  if (map.picture) {
    const made = new Image();
    made.onload = () => canvas.awaited === made && context.drawImage(made, 0, 0, width, height);
    made.src = map.picture;
    canvas.awaited = made;
  }
  if (!map.limit || !valuesOf(map)) return;
  const [h, w] = map.shape;
  const values = strengths(map);
  const signed = kindOf(map) === "signed";
  const table = tables[kindOf(map)];
  const picture = context.createImageData(width, height);
  const columns = places(w, width);
  let k = 0;
  for (const [top, bottom, down] of places(h, height)) {
    for (const [left, right, along] of columns) {
      const upper = values[top * w + left] * (1 - along) + values[top * w + right] * along;
      const lower = values[bottom * w + left] * (1 - along) + values[bottom * w + right] * along;
      const strength = upper * (1 - down) + lower * down;
      const row = 4 * Math.round(254 * (signed ? (strength + 1) / 2 : strength));
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

// The value of a map at a place given in shares of its width and height, in words, and the cell it is of.
function readValue(map, x, y) {
  const values = valuesOf(map);
  const [h, w] = map.shape;
  const row = Math.min(Math.max(Math.floor(y * h), 0), h - 1);
  const column = Math.min(Math.max(Math.floor(x * w), 0), w - 1);
  const value = values ? values[row * w + column] : 0;
  const cut = map.cut && Math.abs(value) >= map.limit * 0.999;
  const number = Number.isFinite(value) ? `${cut ? "at least " : ""}${plain(value, kindOf(map) === "signed", 4)}` : "not a number";
  return { words: `${number} at row ${row + 1} of ${h}, column ${column + 1} of ${w}`, row, column };
}

// A number to a few digits, with its sign where the method has one.
function plain(value, signed, digits = 3) {
  const text = value === 0 ? "0" : Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5
    ? String(Number(value.toPrecision(digits))) : value.toExponential(digits - 1);
  return (signed && value > 0 ? `+${text}` : text).replace("-", "−");
}
