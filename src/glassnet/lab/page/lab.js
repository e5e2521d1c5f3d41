// The page of the live lab, one ES module in anywidget's form: it draws what a session sends, and asks it for
// what a person presses. Every text goes in by textContent; nothing is read from a network.

// ---- Words and numbers ---------------------------------------------------------------------------

const whole = new Intl.NumberFormat("en-US");
const count = (n) => whole.format(n);

// A number to a few digits, for axes and labels.
function short(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e5) return value.toExponential(Math.max(digits - 1, 0)).replace(/\.?0+e/, "e").replace("e+", "e");
  return String(Number(value.toPrecision(digits)));
}

// All digits that tell a number from its neighbors: what Python prints, too.
const full = (value) => (value === null || value === undefined ? "–" : String(value));

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const below = (n) => String(n).replace(/\d/g, (digit) => SUBSCRIPTS[digit]);

// ---- Elements ------------------------------------------------------------------------------------

function h(tag, settings = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name in node && name !== "role") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  play: "M4 2.5v11l9-5.5z",
  pause: "M4 2.5h3v11H4zM9 2.5h3v11H9z",
  step: "M3 2.5v11l7-5.5zM11 2.5h2v11h-2z",
  back: "M13 2.5v11L6 8zM3 2.5h2v11H3z",
  reset: "M8 3V.5L4.2 3.9 8 7.3V5a3.6 3.6 0 1 1-3.6 3.6H2.5A5.5 5.5 0 1 0 8 3z",
  branch: "M4 1.5a2 2 0 0 0-.9 3.8v5.4a2 2 0 1 0 1.8 0V8.6c.5.3 1.1.4 1.7.4h2.8c.8 0 1.5-.4 1.8-1a2 2 0 1 0-1.5-1.2H6.6C5.7 6.8 5 6.2 4.9 5.3A2 2 0 0 0 4 1.5z",
  close: "M3.5 2.4 8 6.9l4.5-4.5 1.1 1.1L9.1 8l4.5 4.5-1.1 1.1L8 9.1l-4.5 4.5-1.1-1.1L6.9 8 2.4 3.5z",
  theme: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.5v11a5.5 5.5 0 0 1 0-11z",
  plus: "M7 2.5h2V7h4.5v2H9v4.5H7V9H2.5V7H7z",
  minus: "M2.5 7h11v2h-11z",
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

const button = (name, onclick, settings = {}, ...inside) =>
  h("button", { type: "button", onclick, ...settings }, ...(inside.length ? inside : [name]));

// Another text, where it is another: the same one again would lay out the page anew.
function put(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

let numbered = 0;
const unique = (word) => `gl-${word}-${(numbered += 1)}`;

const table = (name, heads, body, settings = {}) =>
  h("table", { "aria-label": name, ...settings }, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), body);

// A button that lets a person choose a file.
function fileButton(name, accept, open) {
  const input = h("input", { type: "file", accept, hidden: true });
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) open(file);
  });
  return [button(name, () => input.click(), { class: "is-small" }), input];
}

// ---- Colors --------------------------------------------------------------------------------------

// Okabe and Ito (2008): any color vision tells them apart; as in the pictures of Python.
const CLASSES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F", "#4D4D4D"];
const ON_DARK = ["#3DA5E8", "#F0803C", "#1FC79A", "#E29AC4", "#F2B84B", "#8FD0F5", "#C2A255", "#A9B1B9"];
const VIRIDIS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];

const rgb = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
const mixed = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);
const css = (color, alpha = 1) => `rgb(${color.map(Math.round).join(" ")} / ${alpha})`;

// A color for each byte, along anchors, as a picture has it: red, green, blue and opaque in one number.
function ramp(anchors) {
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (anchors.length - 1);
    const first = Math.min(Math.floor(place), anchors.length - 2);
    const [red, green, blue] = mixed(anchors[first], anchors[first + 1], place - first).map(Math.round);
    return (255 << 24) | (blue << 16) | (green << 8) | red;
  });
}

// Red, green and blue of such a color.
const unpacked = (color) => [color & 255, (color >> 8) & 255, (color >> 16) & 255];

class Palette {
  constructor(dark) {
    this.dark = dark;
    this.paper = rgb(dark ? "#171c22" : "#ffffff");
    this.ink = rgb(dark ? "#e8ecf0" : "#1b2129");
    this.soft = rgb(dark ? "#9aa6b2" : "#58636f");
    this.line = rgb(dark ? "#2a323a" : "#e3e6ea");
    this.accent = rgb(dark ? "#56b4e9" : "#0072b2");
    this.classes = (dark ? ON_DARK : CLASSES).map(rgb);
    [this.positive, this.negative] = this.classes;
    const middle = rgb(dark ? "#232a31" : "#f4f5f6");
    this.signed = ramp([this.negative, middle, this.positive]);
    this.values = ramp(VIRIDIS.map(rgb));
    // From the paper to a tint of each class, one ramp after another.
    const tint = dark ? 0.5 : 0.34;
    this.tints = new Uint32Array(this.classes.flatMap((color) => [...ramp([this.paper, mixed(this.paper, color, tint)])]));
  }

  of(number) {
    return this.classes[number % this.classes.length];
  }

  sign(value) {
    return value < 0 ? this.negative : this.positive;
  }
}

// ---- The connection: commands with answers, frames as they come -----------------------------------

class Link {
  constructor(model, frame) {
    this.model = model;
    this.waiting = new Map();
    this.next = 1;
    this.listener = (message, buffers) => this.hear(message, buffers, frame);
    model.on("msg:custom", this.listener);
  }

  ask(name, settings = {}) {
    const id = this.next;
    this.next += 1;
    return new Promise((answer) => {
      this.waiting.set(id, answer);
      this.model.send({ id, do: name, ...settings });
    });
  }

  taken() {
    this.model.send({ do: "taken" });
  }

  hear(message, buffers, frame) {
    if (message === null || typeof message !== "object") return;
    if (message.frame) {
      frame(message.frame, arraysOf(message.arrays, buffers[0]));
    } else if (this.waiting.has(message.id)) {
      const answer = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      answer(message.answer);
    }
  }

  close() {
    this.model.off("msg:custom", this.listener);
  }
}

// Asks a command again where the frame or its settings are others; while training plays, after a pause.
class Question {
  constructor(lab, name, pause, take) {
    Object.assign(this, { lab, name, pause, take, time: -pause });
  }

  async ask(settings) {
    const { frame, link } = this.lab;
    const key = JSON.stringify([frame.number, settings]);
    const soon = frame.state === "playing" && performance.now() - this.time < this.pause;
    if (this.asking || key === this.key || soon) return;
    [this.asking, this.key, this.time] = [true, key, performance.now()];
    const answer = await link.ask(this.name, settings);
    this.asking = false;
    this.take(answer, settings);
  }
}

const KINDS = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };

// The arrays of a frame by name, each with its shape, in memory of its own.
function arraysOf(places, view) {
  const found = {};
  for (const { name, dtype, shape, offset } of places) {
    const Kind = KINDS[dtype];
    const length = shape.reduce((a, b) => a * b, 1);
    const start = (view.byteOffset ?? 0) + offset;
    const data = new Kind((view.buffer ?? view).slice(start, start + length * Kind.BYTES_PER_ELEMENT));
    found[name] = { data, shape };
  }
  return found;
}

// ---- Drawing -------------------------------------------------------------------------------------

class Canvas {
  // `draw` is called for each new size: asking for it at each drawing would lay out the page each time.
  constructor(label, draw, settings = {}) {
    this.node = h("canvas", { width: 0, role: "img", "aria-label": label, ...settings });
    this.width = this.height = 0;
    this.under = { node: h("canvas", { width: 0 }), reasons: [] };
    new ResizeObserver(([{ contentRect }]) => {
      [this.width, this.height] = [Math.round(contentRect.width), Math.round(contentRect.height)];
      draw();
    }).observe(this.node);
  }

  // A clean sheet in CSS pixels, sharp on any screen; null where there is no room.
  begin(node = this.node) {
    if (this.width < 2 || this.height < 2) return null;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.width * scale), Math.round(this.height * scale)];
    const pen = node.getContext("2d");
    if (node.width !== width || node.height !== height) {
      [node.width, node.height] = [width, height];
      const { fontSize, fontFamily } = getComputedStyle(this.node);
      pen.font = `${fontSize} ${fontFamily}`; // which takes milliseconds, and stays until the next size
    }
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, this.width, this.height);
    return pen;
  }

  // What `draw(pen)` draws on a sheet of its own, drawn anew only where one of the reasons is another.
  still(reasons, draw) {
    const { under } = this;
    const all = [this.width, this.height, window.devicePixelRatio, ...reasons];
    if (all.some((reason, i) => reason !== under.reasons[i])) {
      under.reasons = all;
      draw(this.begin(under.node));
    }
    return under.node;
  }

  // Lay such a sheet over what is drawn.
  lay(pen, sheet) {
    pen.drawImage(sheet, 0, 0, this.width, this.height);
  }

  // Where a pointer is, in CSS pixels of the canvas.
  at(event) {
    const box = this.node.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}

// A picture of pixels, (rows, columns), as a canvas that `stores` keeps by name; place(i) is a color's in a table.
function pixels(stores, name, rows, columns, table, place) {
  let store = stores.get(name);
  if (!store || store.image.width !== columns || store.image.height !== rows) {
    const node = h("canvas", { width: columns, height: rows });
    const image = new ImageData(columns, rows);
    store = { node, image, pen: node.getContext("2d"), colors: new Uint32Array(image.data.buffer) };
    stores.set(name, store);
  }
  for (let row = 0; row < rows; row += 1) {
    const to = (rows - 1 - row) * columns; // row 0 of a map is the lowest
    for (let column = 0; column < columns; column += 1) store.colors[to + column] = table[place(row * columns + column)];
  }
  store.pen.putImageData(store.image, 0, 0);
  return store.node;
}

function dot(pen, x, y, radius, fill, edge = null, width = 1) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  if (fill) {
    pen.fillStyle = fill;
    pen.fill();
  }
  if (edge) {
    pen.lineWidth = width;
    pen.strokeStyle = edge;
    pen.stroke();
  }
}

function write(pen, words, x, y, color, align = "center", baseline = "middle") {
  pen.textAlign = align;
  pen.textBaseline = baseline;
  pen.fillStyle = css(color);
  pen.fillText(words, x, y);
}

// Draw within a box only.
function within(pen, box, draw) {
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  draw();
  pen.restore();
}

// Room at the left for the numbers of an axis, of which the longest is measured.
const roomFor = (pen, ticks) => Math.max(...ticks.map((tick) => pen.measureText(short(tick)).width)) + 12;

function niceTicks(low, high, most) {
  const rough = (high - low) / Math.max(most, 1);
  // Numbers that share all but their last digits have no ticks between them.
  if (!(rough > 1e-12 * Math.max(Math.abs(low), Math.abs(high))) || !Number.isFinite(rough)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 5, 10].find((factor) => factor * power >= rough) * power;
  const ticks = [];
  for (let i = Math.ceil(low / unit); i * unit <= high + 1e-9 * unit; i += 1) ticks.push(i * unit);
  return ticks;
}

function logTicks(low, high, most) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const powers = [];
  const every = Math.max(1, Math.ceil((last - first + 1) / most));
  for (let power = first; power <= last; power += every) powers.push(10 ** power);
  if (powers.length >= 2) return powers;
  const fine = [];
  for (let power = first - 1; power <= last + 1; power += 1) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low * 0.999 && value <= high * 1.001) fine.push(value);
    }
  }
  return fine.length >= 2 ? fine : niceTicks(low, high, 5);
}

// From a range to pixels and back, even or by powers.
function scaleOf(low, high, from, to, log = false) {
  const turn = log ? Math.log10 : (x) => x;
  const [a, b] = [turn(low), turn(high)];
  const width = b - a || 1;
  const scale = (value) => from + ((turn(value) - a) / width) * (to - from);
  scale.back = (pixel) => {
    const value = a + ((pixel - from) / (to - from)) * width;
    return log ? 10 ** value : value;
  };
  return scale;
}

// Trace where a field over a grid is 0, in grid units, with line(ax, ay, bx, by): marching squares.
function zeroLines(field, rows, columns, line) {
  const cross = (a, b) => a / (a - b);
  for (let i = 0; i < rows - 1; i += 1) {
    for (let j = 0; j < columns - 1; j += 1) {
      const k = i * columns + j;
      const [a, b, c, d] = [field[k], field[k + 1], field[k + columns + 1], field[k + columns]];
      if (a > 0 === b > 0 && b > 0 === c > 0 && c > 0 === d > 0) continue;
      const points = [];
      if (a > 0 !== b > 0) points.push(j + cross(a, b), i);
      if (b > 0 !== c > 0) points.push(j + 1, i + cross(b, c));
      if (d > 0 !== c > 0) points.push(j + cross(d, c), i + 1);
      if (a > 0 !== d > 0) points.push(j, i + cross(a, d));
      for (let p = 0; p + 3 < points.length; p += 4) line(...points.slice(p, p + 4));
    }
  }
}

// ---- The decision map ----------------------------------------------------------------------------

const MOST_RINGS = 120;

class MapView {
  constructor(lab) {
    this.lab = lab;
    this.canvas = new Canvas("What the network answers over the plane, with the samples", () => this.draw(), {
      onpointermove: (event) => this.point(event),
      onpointerleave: () => this.leave(),
      onclick: (event) => lab.pressMap(this.place(event), event),
    });
    this.stores = new Map();
    this.hint = h("span", { class: "gl-hint", title: "Filled points are trained on, hollow ones held out; a ring marks a wrong one." });
    this.empty = h("div", { class: "gl-empty" }, "Waiting for the session …");
    const turn = () => {
      const inputs = [this.across.value, this.up.value];
      if (inputs[0] === "" && inputs[1] === "") lab.do("axes", { inputs: null });
      else if (inputs[0] !== "" && inputs[1] !== "" && inputs[0] !== inputs[1]) lab.do("axes", { inputs });
    };
    this.title = h("h2", {}, "Decision map");
    this.across = select("Across", turn);
    this.up = select("Up", turn);
    this.flat = h("div", { class: "gl-fill" }, this.canvas.node, this.empty);
    this.surface = new SurfaceView(lab);
    this.surface.node.hidden = true;
    this.solid = button("3-D", () => this.raise(this.surface.node.hidden), { class: "is-quiet is-small", "aria-pressed": "false", title: "The answers as a surface over the plane" });
    this.node = h(
      "figure",
      { class: "gl-panel gl-map" },
      h("div", { class: "gl-head" }, this.title, this.across, this.up, this.hint, this.solid),
      this.flat,
      this.surface.node,
    );
  }

  place(event) {
    if (!this.x) return null;
    const [px, py] = this.canvas.at(event);
    const place = [this.x.back(px)];
    if (this.lab.samples?.span.length === 2) place.push(this.y.back(py));
    return place;
  }

  async point(event) {
    const place = this.place(event);
    const { samples, panels } = this.lab;
    if (!place || !samples || panels[0].pen !== null || place.some((value, i) => value < samples.span[i][0] || value > samples.span[i][1])) {
      this.leave();
      return;
    }
    const [px, py] = this.canvas.at(event);
    this.asked = place;
    if (this.asking) return;
    this.asking = true;
    const answer = await this.lab.link.ask("value_at", { place });
    this.asking = false;
    if (!answer || answer.error || !this.asked) return;
    const outputs = answer.layers.at(-1);
    const { inputs } = this.lab.samples;
    const lines = answer.inputs.slice(0, 6).map((value, i) => `${inputs[i]} = ${short(value, 5)}`);
    lines.push("", ...outputs.slice(0, 10).map((value, i) => `${this.lab.outputName(i)} = ${full(value)}`));
    this.lab.tip(this.canvas.node, px, py, lines.join("\n"));
  }

  leave() {
    this.asked = null;
    this.lab.tip(null);
  }

  // The surface in place of the map, or the map.
  raise(on) {
    this.flat.hidden = on;
    this.surface.node.hidden = !on;
    this.solid.setAttribute("aria-pressed", String(on));
    this.draw();
  }

  draw() {
    const { frame, samples, setup, palette } = this.lab;
    if (!frame || !samples) return;
    if (!frame.rough) this.surface.draw();
    const { fresh } = this.lab.panels[0];
    put(this.hint, fresh ? "Draw points of two classes" : this.score());
    const pen = this.canvas.begin();
    if (!pen) return;
    const sheet = this.canvas.still([samples, setup, palette, fresh?.length], (under) => this.drawStill(under, fresh));
    const { box } = this;
    if (!box) return;
    const flat = samples.span.length === 1;
    if (!flat && !fresh) within(pen, box, () => this.drawPlane(pen, box));
    this.canvas.lay(pen, sheet);
    if (flat) within(pen, box, () => this.drawLine(pen));
    else if (!fresh) within(pen, box, () => this.drawWrong(pen));
  }

  score() {
    const { frame, samples } = this.lab;
    const per = (share) => `${(100 * share).toFixed(share > 0.9995 && share < 1 ? 2 : 1).replace(/\.0$/, "")} %`;
    const words = frame.accuracy === undefined ? [] : [`right ${per(frame.accuracy)}`];
    if (frame.held_out_accuracy !== undefined) words.push(`held out ${per(frame.held_out_accuracy)}`);
    return samples.inputs.length > 2 ? (words[0] ?? "") : words.join(" · ");
  }

  // What stays while training goes on: the samples, the axes, and with them where all of it lies.
  drawStill(pen, fresh) {
    const { samples, palette } = this.lab;
    this.empty.hidden = true;
    const flat = samples.span.length === 1;
    const [low, high] = flat ? this.heights() : samples.span[1];
    const ticks = niceTicks(low, high, 5);
    const box = { left: roomFor(pen, ticks) + 16, top: 6, right: this.canvas.width - 12, bottom: this.canvas.height - 34 };
    const [wide, tall] = [box.right - box.left, box.bottom - box.top];
    this.box = wide < 40 || tall < 40 ? null : box;
    if (!this.box) return;
    // Equal units where both axes are alike.
    const ratio = flat ? 0 : (samples.span[0][1] - samples.span[0][0]) / (high - low);
    if (ratio > 0.5 && ratio < 2) {
      const size = Math.min(wide, tall);
      box.left += (wide - size) / 2;
      box.right = box.left + size;
      box.bottom = box.top + size;
    }
    this.x = scaleOf(...samples.span[0], box.left, box.right);
    this.y = scaleOf(low, high, box.bottom, box.top);
    within(pen, box, () => {
      if (fresh) for (const [x, y, number] of fresh) dot(pen, this.x(x), this.y(y), 4, css(palette.of(number)));
      else if (flat) this.drawTargets(pen);
      else this.drawSamples(pen);
    });
    this.drawAxes(pen, box, ticks);
  }

  // From the lowest to the highest target, or probability, of a picture with one input.
  heights() {
    const { samples, isClass } = this.lab;
    if (isClass) return [-0.08, 1.08];
    const [low, high] = samples.range;
    const margin = 0.12 * (high - low || 1);
    return [low - margin, high + margin];
  }

  drawPlane(pen, box) {
    const { arrays, frame, palette } = this.lab;
    const [rows, columns] = (arrays.leader ?? arrays.field).shape;
    const field = arrays.field?.data;
    const [leader, sure] = [arrays.leader?.data, arrays.sure?.data];
    const image = field
      ? pixels(this.stores, "", rows, columns, palette.values, (i) => field[i])
      : pixels(this.stores, "", rows, columns, palette.tints, (i) => 256 * (leader[i] % palette.classes.length) + sure[i]);
    pen.imageSmoothingQuality = frame.rough ? "low" : "high";
    // Grid points lie on the edges: half a pixel of the image lies outside.
    const [dx, dy] = [(box.right - box.left) / (columns - 1), (box.bottom - box.top) / (rows - 1)];
    pen.drawImage(image, box.left - dx / 2, box.top - dy / 2, dx * columns, dy * rows);
    if (leader) this.drawBorders(pen, box, rows, columns, dx, dy);
  }

  drawBorders(pen, box, rows, columns, dx, dy) {
    const { arrays, palette } = this.lab;
    const [leader, lead] = [arrays.leader.data, arrays.lead.data];
    const present = [...new Set(leader)];
    if (present.length < 2) return;
    const field = new Float32Array(leader.length);
    pen.strokeStyle = css(palette.ink, 0.85);
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const number of present.length === 2 ? [present[0]] : present.slice(0, 12)) {
      for (let i = 0; i < field.length; i += 1) field[i] = (leader[i] === number ? 1 : -1) * (lead[i] + 0.5);
      zeroLines(field, rows, columns, (ax, ay, bx, by) => {
        pen.moveTo(box.left + ax * dx, box.bottom - ay * dy);
        pen.lineTo(box.left + bx * dx, box.bottom - by * dy);
      });
    }
    pen.stroke();
  }

  get dotSize() {
    const { span, points } = this.lab.samples;
    return Math.max(1.4, Math.min(4.2, (0.11 * (this.x(span[0][1]) - this.x(span[0][0]))) / Math.sqrt(points.length)));
  }

  drawSamples(pen) {
    const { samples, palette } = this.lab;
    const size = this.dotSize;
    samples.points.forEach(([x, y], i) => {
      const place = [this.x(x), this.y(y)];
      const color = css(this.lab.colorOf(i));
      if (samples.held_out[i]) dot(pen, ...place, size, css(palette.paper), color, Math.min(1.6, size * 0.7));
      else dot(pen, ...place, size, color, css(palette.paper, 0.9), size > 2 ? 0.8 : 0.4);
    });
  }

  // A ring around each sample that the network has wrong, where they are few.
  drawWrong(pen) {
    const { arrays, samples, palette } = this.lab;
    const wrong = arrays.wrong?.data;
    if (!wrong || wrong.reduce((sum, one) => sum + one, 0) > MOST_RINGS) return;
    samples.points.forEach(([x, y], i) => wrong[i] && dot(pen, this.x(x), this.y(y), this.dotSize + 2, null, css(palette.ink, 0.9)));
  }

  drawTargets(pen) {
    const { samples, palette, setup, isClass } = this.lab;
    const most = isClass ? Math.max(setup.data.classes.length - 1, 1) : 1;
    samples.points.forEach(([x], i) => {
      const color = isClass ? this.lab.colorOf(i) : palette.soft;
      dot(pen, this.x(x), this.y(samples.targets[i] / most), 2.6, css(color, samples.held_out[i] ? 0.35 : 0.8));
    });
  }

  drawLine(pen) {
    const { arrays, palette, setup, isClass } = this.lab;
    const { data, shape } = arrays.line;
    const [rows, columns] = shape;
    for (let row = 1; row < rows; row += 1) {
      pen.beginPath();
      for (let i = 0; i < columns; i += 1) pen.lineTo(this.x(data[i]), this.y(data[row * columns + i]));
      pen.lineWidth = 2.2;
      pen.strokeStyle = css(isClass ? palette.of(row - rows + setup.data.classes.length) : palette.negative);
      pen.stroke();
    }
  }

  drawAxes(pen, box, ticks) {
    const { samples, palette, setup, isClass } = this.lab;
    pen.strokeStyle = css(palette.soft, 0.6);
    pen.lineWidth = 1;
    pen.strokeRect(box.left + 0.5, box.top + 0.5, box.right - box.left - 1, box.bottom - box.top - 1);
    for (const tick of niceTicks(...samples.span[0], 5)) {
      write(pen, short(tick), this.x(tick), box.bottom + 5, palette.soft, "center", "top");
      pen.fillRect(this.x(tick) - 0.5, box.bottom, 1, 3);
    }
    write(pen, cut(samples.labels[0], 40), (box.left + box.right) / 2, box.bottom + 19, palette.ink, "center", "top");
    for (const tick of ticks) {
      write(pen, short(tick), box.left - 6, this.y(tick), palette.soft, "right");
      pen.fillRect(box.left - 3, this.y(tick) - 0.5, 3, 1);
    }
    pen.save();
    pen.translate(box.left - roomFor(pen, ticks) - 6, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    write(pen, cut(samples.labels[1] ?? (isClass ? "probability" : setup.data.target), 40), 0, 0, palette.ink);
    pen.restore();
  }
}

const cut = (text, longest) => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);

// ---- The loss ------------------------------------------------------------------------------------

const FLIPS = {
  bySeconds: ["seconds", "The losses over the seconds of training"],
  logX: ["log x", "Logarithmic x axis"],
  logY: ["log y", "Logarithmic y axis"],
};

// The y at an x, between points whose x grow.
function between(x, xs, ys) {
  let i = xs.findIndex((one) => one > x);
  if (i < 0) i = xs.length;
  if (i === 0 || i === xs.length) return ys[Math.min(i, xs.length - 1)];
  return ys[i - 1] + ((x - xs[i - 1]) / (xs[i] - xs[i - 1])) * (ys[i] - ys[i - 1]);
}

class LossView {
  constructor(lab) {
    this.lab = lab;
    this.canvas = new Canvas("The loss over the iterations", () => this.draw(), {
      onpointermove: (event) => this.point(event),
      onpointerleave: () => lab.tip(null),
      onclick: (event) => {
        const k = this.iteration(event);
        if (k !== null) lab.seek(k);
      },
    });
    this.hint = h("span", { class: "gl-hint" });
    this.logX = this.bySeconds = false;
    this.logY = true;
    const flips = Object.entries(FLIPS).map(([name, [words, title]]) =>
      button(words, () => {
        this[name] = !this[name];
        if (this[name] && name !== "logY") this[name === "logX" ? "bySeconds" : "logX"] = false;
        press();
        this.draw();
      }, { class: "is-quiet is-small", title }));
    const press = () => Object.keys(FLIPS).forEach((name, i) => flips[i].setAttribute("aria-pressed", String(this[name])));
    press();
    this.node = h(
      "figure",
      { class: "gl-panel gl-loss" },
      h("div", { class: "gl-head" }, h("h2", {}, "Loss"), this.hint, flips),
      h("div", { class: "gl-fill" }, this.canvas.node),
    );
  }

  iteration(event) {
    if (!this.x) return null;
    const [px] = this.canvas.at(event);
    if (px < this.box.left - 4 || px > this.box.right + 4) return null;
    let value = this.x.back(px);
    if (this.bySeconds) value = between(value, this.clock.seconds, this.clock.iterations);
    return Math.max(this.first, Math.min(this.last, Math.round(value - (this.logX ? 1 : 0))));
  }

  point(event) {
    const k = this.iteration(event);
    if (k === null) return;
    const [px, py] = this.canvas.at(event);
    const lines = this.bySeconds ? [`${short(this.x.back(px))} seconds`] : [];
    for (const { xs, data, columns, words } of this.curves) {
      const x = this.bySeconds ? this.x.back(px) : k;
      let i = 0;
      while (i + 1 < columns && xs[i + 1] <= x) i += 1;
      const [least, most] = [data[columns + i], data[2 * columns + i]];
      const end = i + 1 < columns ? data[i + 1] - 1 : data[i];
      const where = end > data[i] ? `iterations ${count(data[i])} to ${count(end)}` : `iteration ${count(data[i])}`;
      if (!lines.length) lines.push(where);
      lines.push(`${words}${this.bySeconds ? `, ${where}` : ""}: ${least === most ? full(least) : `${short(least, 6)} to ${short(most, 6)}`}`);
    }
    this.lab.tip(this.canvas.node, px, py, lines.join("\n"));
  }

  draw() {
    const { frame, arrays, palette, setup } = this.lab;
    const pen = this.canvas.begin();
    if (!pen || !arrays.clock || !setup) return;
    put(this.hint, plainWords(setup.network.loss.name));
    const clock = (name) => {
      const { data } = arrays[name];
      return { iterations: data.subarray(0, data.length / 2), seconds: data.subarray(data.length / 2) };
    };
    this.clock = clock("clock");
    const take = (name, words, color, dashes) => {
      const array = arrays[name + (this.logX ? "_log" : "")];
      if (!array || !array.shape[1]) return null;
      const { iterations, seconds } = name === "other_losses" ? clock("other_clock") : this.clock;
      const columns = array.shape[1];
      const xs = array.data.subarray(0, columns);
      return { xs: this.bySeconds ? xs.map((k) => between(k, iterations, seconds)) : xs, data: array.data, columns, words, color, dashes };
    };
    this.curves = [
      take("other_losses", "other branch", palette.soft, [2, 3]),
      take("losses", "training", palette.accent, []),
      take("held_out", "held out", palette.negative, [6, 3]),
    ].filter(Boolean);
    let [low, high, first, last] = [Infinity, -Infinity, Infinity, this.bySeconds ? 1e-6 : 1];
    for (const { xs, data, columns } of this.curves) {
      first = Math.min(first, xs[0]);
      last = Math.max(last, xs[columns - 1]);
      for (let i = columns; i < 3 * columns; i += 1) {
        if (Number.isFinite(data[i])) [low, high] = [Math.min(low, data[i]), Math.max(high, data[i])];
      }
    }
    if (!Number.isFinite(low)) return;
    const logY = this.logY && low > 0;
    const margin = logY ? Math.max((high / low) ** 0.06, 1.01) : 0.06 * (high - low) || 0.01 * Math.abs(high) || 1;
    [low, high] = logY ? [low / margin, high * margin] : [low - margin, high + margin];
    const ticks = logY ? logTicks(low, high, 5) : niceTicks(low, high, 4);
    const box = { left: roomFor(pen, ticks), top: this.curves.length > 1 ? 22 : 8, right: this.canvas.width - 12, bottom: this.canvas.height - 22 };
    this.box = box;
    [this.first, this.last] = [Math.min(...this.curves.map(({ data }) => data[0]), frame.iteration), frame.last];
    const shift = this.logX ? 1 : 0;
    this.x = scaleOf(first + shift, (this.bySeconds ? last : Math.max(last, first + 1)) + shift, box.left, box.right, this.logX);
    const x = (k) => this.x(k + shift);
    const y = scaleOf(low, high, box.bottom, box.top, logY);
    for (const tick of ticks) {
      write(pen, short(tick), box.left - 6, y(tick), palette.soft, "right");
      pen.fillStyle = css(palette.line);
      pen.fillRect(box.left, Math.round(y(tick)), box.right - box.left, 1);
    }
    const across = this.logX ? logTicks(first + 1, last + 1, 6).map((tick) => tick - 1) : niceTicks(first, last, 5);
    for (const tick of across) {
      if (!this.bySeconds && tick !== Math.round(tick)) continue;
      write(pen, this.bySeconds ? `${short(tick)} s` : count(tick), Math.min(x(tick), box.right - 8), box.bottom + 5, palette.soft, "center", "top");
      pen.fillStyle = css(palette.line);
      pen.fillRect(Math.round(x(tick)), box.top, 1, box.bottom - box.top);
    }
    const sheet = { left: box.left - 4, top: box.top - 2, right: box.right + 4, bottom: box.bottom + 2 };
    within(pen, sheet, () => this.curves.forEach((curve) => this.drawCurve(pen, curve, x, y)));
    if (frame.iteration !== frame.last) {
      const shown = this.bySeconds ? between(frame.iteration, this.clock.iterations, this.clock.seconds) : frame.iteration;
      pen.fillStyle = css(palette.ink, 0.7);
      pen.fillRect(Math.round(x(shown)), box.top, 1, box.bottom - box.top);
    }
    this.drawLegend(pen, box);
  }

  drawCurve(pen, { xs, data, columns, color, dashes }, x, y) {
    // Where a column holds many iterations, from its least to its greatest loss.
    pen.fillStyle = css(color, 0.22);
    for (let i = 0; i < columns; i += 1) {
      const [least, most] = [data[columns + i], data[2 * columns + i]];
      if (most > least) {
        const left = x(xs[i]);
        const right = i + 1 < columns ? x(xs[i + 1]) : left + 1;
        pen.fillRect(left, y(most), Math.max(right - left, 1), Math.max(y(least) - y(most), 0));
      }
    }
    if (columns === 1) dot(pen, x(xs[0]), y(data[1]), 3, css(color));
    pen.beginPath();
    for (let i = 0; i < columns; i += 1) {
      const middle = (data[columns + i] + data[2 * columns + i]) / 2;
      if (Number.isFinite(middle)) pen.lineTo(x(xs[i]), y(middle));
    }
    pen.lineWidth = 1.8;
    pen.lineJoin = "round";
    pen.setLineDash(dashes);
    pen.strokeStyle = css(color);
    pen.stroke();
    pen.setLineDash([]);
  }

  // Above the curves, where there are several.
  drawLegend(pen, box) {
    if (this.curves.length < 2) return;
    const { palette } = this.lab;
    let right = box.right - 4;
    for (const { words, color, dashes } of [...this.curves].reverse()) {
      const { width } = pen.measureText(words);
      const y = box.top - 12;
      write(pen, words, right, y, palette.ink, "right");
      pen.beginPath();
      pen.setLineDash(dashes);
      pen.moveTo(right - width - 22, y);
      pen.lineTo(right - width - 5, y);
      pen.lineWidth = 2;
      pen.strokeStyle = css(color);
      pen.stroke();
      pen.setLineDash([]);
      right -= width + 34;
    }
  }
}

// ---- The network ---------------------------------------------------------------------------------

const MOST_EDGES = 500;
const LAYERS = {
  weights: "The weights on the edges, and what each unit answers over the plane",
  gradients: "The gradient of the loss by each weight on the edges",
  activations: "What each unit answers for the chosen sample",
  deltas: "The derivative of the chosen sample's loss by what goes into each unit",
};

// Where each layer's numbers lie in the flat vector of parameters: W1, b1, W2, b2, ...
function placesOf(sizes) {
  const layers = [];
  let start = 0;
  for (let l = 0; l + 1 < sizes.length; l += 1) {
    const [inputs, outputs] = [sizes[l], sizes[l + 1]];
    layers.push({ inputs, outputs, weights: start, biases: start + inputs * outputs });
    start += (inputs + 1) * outputs;
  }
  return layers;
}

// Where a weight or a bias lies in it.
function indexOf(sizes, { kind, layer, unit, from }) {
  const { weights, biases, outputs } = placesOf(sizes)[layer - 1];
  return kind === "weight" ? weights + from * outputs + unit : biases + unit;
}

class NetworkView {
  constructor(lab) {
    this.lab = lab;
    this.canvas = new Canvas("The network: a map of what each unit answers, and its weights", () => this.draw(), {
      onpointermove: (event) => this.point(event),
      onpointerleave: () => {
        this.over = null;
        lab.tip(null);
        this.draw();
      },
      onclick: (event) => {
        const what = this.find(...this.canvas.at(event));
        if (what) lab.choose(what);
      },
    });
    this.stores = new Map();
    this.shows = "weights";
    this.question = new Question(lab, "sample", 250, (pass, { row }) => {
      this.pass = pass.error ? null : { ...pass, row };
      this.draw();
    });
    this.hint = h("span", { class: "gl-hint" });
    const choose = (name) =>
      button(name, () => {
        this.shows = name;
        for (const one of this.choices) one.setAttribute("aria-pressed", String(one.textContent === name));
        this.draw();
      }, { class: "is-small", "aria-pressed": String(name === this.shows), title: LAYERS[name] });
    this.choices = Object.keys(LAYERS).map(choose);
    this.node = h(
      "figure",
      { class: "gl-panel gl-net" },
      h("div", { class: "gl-head" }, h("h2", {}, "Network"), this.hint, h("span", { class: "gl-joined", role: "group", "aria-label": "Diagram shows" }, this.choices)),
      h("div", { class: "gl-fill" }, this.canvas.node),
    );
  }

  // The places of all units that fit: { layer, unit, x, y, size }; others of a layer are counted.
  arrange(pen) {
    const { width, height } = this.canvas;
    const { sizes } = this.lab.setup.network;
    const names = [...(this.lab.samples?.inputs ?? []), ...this.lab.setup.data.classes, this.lab.setup.data.target];
    this.longest = Math.min(18, Math.floor(width / 30));
    const widest = Math.max(...names.map((name) => pen.measureText(cut(name, this.longest)).width));
    const [top, bottom, side] = [26, 22, Math.max(40, 18 + widest)];
    const most = Math.max(2, Math.floor((height - top - bottom) / 20));
    const shown = sizes.map((n) => (n > most ? most - 1 : n));
    const tallest = Math.max(...shown.map((n, l) => (n < sizes[l] ? n + 1 : n)));
    const gap = (height - top - bottom) / tallest;
    const size = Math.max(13, Math.min(46, gap - 7, (width - 2 * side) / (sizes.length * 1.9)));
    this.columns = sizes.map((_, l) => side + size / 2 + ((width - 2 * side - size) * l) / (sizes.length - 1));
    this.units = sizes.map((n, layer) => {
      const rows = n > shown[layer] ? shown[layer] + 1 : n;
      const space = Math.min(gap, size + 26);
      const first = top + (height - top - bottom) / 2 - ((rows - 1) * space) / 2;
      return Array.from({ length: shown[layer] }, (_, unit) => ({ layer, unit, x: this.columns[layer], y: first + unit * space, size }));
    });
    this.rest = sizes.map((n, layer) => {
      if (n === shown[layer]) return null;
      const last = this.units[layer].at(-1);
      return { x: last.x, y: last.y + Math.min(gap, size + 26), more: n - shown[layer] };
    });
    this.size = size;
  }

  draw() {
    const { frame, arrays, setup, samples, palette } = this.lab;
    const pen = this.canvas.begin();
    if (!pen || !frame || !setup) return;
    const { sample } = this.lab.inspector.place;
    this.ofSample = this.shows === "activations" || this.shows === "deltas";
    if (this.ofSample) this.question.ask({ row: sample });
    put(this.hint, this.ofSample ? (this.pass ? `sample ${this.pass.row}` : "") : `${count(setup.network.parameters)} parameters`);
    const sheet = this.canvas.still([setup, samples, palette, this.shows, this.pass], (under) => this.drawStill(under));
    const values = (this.shows === "gradients" ? arrays.gradient : arrays.parameters)?.data;
    if (values) this.drawEdges(pen, values, palette);
    this.units.slice(1).flat().forEach((unit) => this.drawUnit(pen, unit, arrays, palette));
    this.canvas.lay(pen, sheet);
  }

  // What stays while training goes on: where the units lie, their names, and how the inputs grow.
  drawStill(pen) {
    const { arrays, setup, palette } = this.lab;
    const { sizes, hidden, output } = setup.network;
    this.hint.title = this.ofSample ? "Press a sample on the map to choose it, or give its number in the inspector" : "";
    this.arrange(pen);
    this.layers = placesOf(sizes);
    for (const unit of this.units[0]) this.drawUnit(pen, unit, arrays, palette);
    for (const more of this.rest) if (more) write(pen, `+${count(more.more)}`, more.x, more.y, palette.soft);
    ["input", ...hidden, output].forEach((name, l) => write(pen, name, this.columns[l], 6, palette.soft, "center", "top"));
    this.drawNames(pen, palette);
    this.drawKey(pen, palette);
  }

  drawKey(pen, palette) {
    const y = this.canvas.height - 11;
    let x = 12;
    for (const [words, color] of [["positive", palette.positive], ["negative", palette.negative]]) {
      pen.fillStyle = css(color);
      pen.fillRect(x, y - 2, 14, 4);
      write(pen, words, x + 19, y, palette.soft, "left");
      x += 34 + pen.measureText(words).width;
    }
    if (this.size > 22) {
      dot(pen, x + 4, y, 3.5, css(palette.positive));
      write(pen, "bias", x + 13, y, palette.soft, "left");
    }
  }

  drawNames(pen, palette) {
    const name = (words, x, y, align) => write(pen, cut(words, this.longest), x, y, palette.ink, align);
    for (const { unit, x, y, size } of this.units[0]) name(this.lab.samples?.inputs[unit] ?? `x${below(unit + 1)}`, x - size / 2 - 6, y, "right");
    for (const { unit, x, y, size } of this.units.at(-1)) name(this.lab.outputName(unit, true), x + size / 2 + 6, y, "left");
  }

  drawEdges(pen, values, palette) {
    this.edges = [];
    this.matrices = [];
    const total = this.layers.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
    if (total > MOST_EDGES) {
      this.drawMatrices(pen, values, palette);
      return;
    }
    let most = 0;
    this.layers.forEach(({ outputs, weights }, l) => {
      for (const from of this.units[l]) {
        for (const to of this.units[l + 1]) {
          const value = values[weights + from.unit * outputs + to.unit];
          most = Math.max(most, Math.abs(value));
          this.edges.push({ kind: "weight", layer: l + 1, from: from.unit, unit: to.unit, value, a: from, b: to });
        }
      }
    });
    this.edges.sort((a, b) => Math.abs(a.value) - Math.abs(b.value));
    const { chosen } = this.lab;
    for (const edge of this.edges) {
      const share = most > 0 ? Math.abs(edge.value) / most : 0;
      const lit = this.over === key(edge) || (chosen && key(chosen) === key(edge));
      this.trace(pen, edge);
      pen.lineWidth = lit ? 4.5 : 0.6 + 3.8 * share;
      pen.strokeStyle = css(palette.sign(edge.value), lit ? 1 : 0.22 + 0.68 * share);
      pen.stroke();
    }
  }

  // Many edges would be a thicket: each layer's weights as a matrix, inputs down and units across.
  drawMatrices(pen, values, palette) {
    this.layers.forEach(({ inputs, outputs, weights }, l) => {
      const [left, right] = [this.columns[l] + this.size / 2 + 12, this.columns[l + 1] - this.size / 2 - 12];
      const high = this.canvas.height - 60;
      const cell = Math.max(0.5, Math.min((right - left) / outputs, high / inputs, 22));
      const wide = Math.min(cell * outputs, right - left);
      const tall = Math.min(cell * inputs, high);
      const box = { left: (left + right - wide) / 2, top: 28 + (high - tall) / 2, wide, tall, layer: l + 1, inputs, outputs };
      let most = 0;
      for (let i = 0; i < inputs * outputs; i += 1) most = Math.max(most, Math.abs(values[weights + i]));
      const image = pixels(this.stores, `matrix ${l}`, inputs, outputs, palette.signed, (i) => {
        const [row, column] = [inputs - 1 - Math.floor(i / outputs), i % outputs];
        return Math.round(127.5 + 127.5 * (most > 0 ? values[weights + row * outputs + column] / most : 0));
      });
      pen.imageSmoothingEnabled = false;
      pen.drawImage(image, box.left, box.top, wide, tall);
      pen.imageSmoothingEnabled = true;
      pen.strokeStyle = css(palette.soft, 0.6);
      pen.lineWidth = 1;
      pen.strokeRect(box.left - 0.5, box.top - 0.5, wide + 1, tall + 1);
      this.matrices.push(box);
    });
  }

  trace(pen, { a, b }) {
    const [x0, x1] = [a.x + a.size / 2, b.x - b.size / 2];
    const bend = (x1 - x0) * 0.42;
    pen.beginPath();
    pen.moveTo(x0, a.y);
    pen.bezierCurveTo(x0 + bend, a.y, x1 - bend, b.y, x1, b.y);
  }

  drawUnit(pen, place, arrays, palette) {
    const { layer, unit, x, y, size } = place;
    const left = x - size / 2;
    const top = y - size / 2;
    const numbers = (this.ofSample && this.pass?.[this.shows][layer]) || [];
    const share = (numbers[unit] ?? 0) / (Math.max(...numbers.map(Math.abs)) || 1);
    const chosen = this.lab.chosen;
    const lit = this.over === key({ kind: "unit", layer, unit }) || (chosen && chosen.kind !== "weight" && chosen.layer === layer && chosen.unit === unit);
    pen.beginPath();
    pen.roundRect(left, top, size, size, Math.min(6, size / 5));
    pen.fillStyle = this.ofSample ? css(unpacked(palette.signed[Math.round(127.5 + 127.5 * share)])) : this.mapFill(pen, place, arrays, palette);
    pen.fill();
    pen.lineWidth = lit ? 2.5 : 1;
    pen.strokeStyle = css(lit ? palette.accent : palette.soft, lit ? 1 : 0.7);
    pen.stroke();
    if (numbers.length && size > 32) {
      const words = [2, 1].map((digits) => short(numbers[unit], digits)).find((one) => pen.measureText(one).width < size - 2);
      if (words) write(pen, words, x, y, Math.abs(share) > 0.5 ? palette.paper : palette.ink);
    }
    const bias = layer > 0 && arrays.parameters ? arrays.parameters.data[this.layers[layer - 1].biases + unit] : null;
    if (bias !== null && size > 22) {
      dot(pen, left, top + size, 2 + Math.min(3, Math.sqrt(Math.abs(bias))), css(palette.sign(bias)), css(palette.paper));
    }
  }

  // A unit's map in its place, to fill a path with: that is faster than to draw it within one.
  mapFill(pen, { layer, unit, x, y, size }, arrays, palette) {
    const image = layer === 0 ? this.inputMap(unit, palette) : this.unitMap(layer, unit, arrays, palette);
    if (!image) return css(palette.paper);
    const fill = pen.createPattern(image, "repeat");
    fill.setTransform(new DOMMatrix([size / image.width, 0, 0, size / image.height, x - size / 2, y - size / 2]));
    return fill;
  }

  inputMap(unit, palette) {
    const { samples } = this.lab;
    if (!samples) return null;
    // How the input grows over the plane of the picture.
    const [across, up = 0] = samples.directions.map((direction) => direction[unit]);
    const most = Math.max(...samples.directions.flat().map(Math.abs)) * (up && across ? 1.4 : 1);
    const n = 16;
    return pixels(this.stores, `input ${unit}`, n, n, palette.signed, (i) => {
      const [x, y] = [(2 * (i % n)) / (n - 1) - 1, (2 * Math.floor(i / n)) / (n - 1) - 1];
      return Math.round(127.5 + 127.5 * Math.max(-1, Math.min(1, (across * x + up * y) / most)));
    });
  }

  unitMap(layer, unit, arrays, palette) {
    const maps = arrays.units;
    const counts = this.lab.frame.map.units;
    if (!maps || unit >= counts[layer - 1]) return null;
    const place = counts.slice(0, layer - 1).reduce((a, b) => a + b, 0) + unit;
    const [, rows, columns] = maps.shape;
    const start = place * rows * columns;
    return pixels(this.stores, `unit ${place}`, rows, columns, palette.signed, (i) => maps.data[start + i]);
  }

  find(px, py) {
    for (const { layer, unit, x, y, size } of this.units?.flat() ?? []) {
      if (Math.abs(px - x) <= size / 2 + 2 && Math.abs(py - y) <= size / 2 + 2) return layer > 0 ? { kind: "unit", layer, unit } : null;
    }
    for (const { left, top, wide, tall, layer, inputs, outputs } of this.matrices ?? []) {
      if (px < left || px >= left + wide || py < top || py >= top + tall) continue;
      return { kind: "weight", layer, from: Math.floor(((py - top) / tall) * inputs), unit: Math.floor(((px - left) / wide) * outputs) };
    }
    const pen = this.canvas.node.getContext("2d");
    const scale = window.devicePixelRatio || 1;
    for (const edge of [...(this.edges ?? [])].reverse()) {
      this.trace(pen, edge);
      pen.lineWidth = 9;
      if (pen.isPointInStroke(px * scale, py * scale)) return edge;
    }
    return null;
  }

  point(event) {
    const [px, py] = this.canvas.at(event);
    const found = this.find(px, py);
    const name = found ? key(found) : null;
    this.canvas.node.style.cursor = found ? "pointer" : "";
    if (name !== this.over) {
      this.over = name;
      this.draw();
    }
    this.lab.tip(found ? this.canvas.node : null, px, py, found ? this.lab.about(found) + this.ofPass(found) : "");
  }

  // What a unit has for the chosen sample, in words.
  ofPass({ kind, layer, unit }) {
    if (!this.ofSample || !this.pass || kind !== "unit") return "";
    return ["activation", "delta"].map((name) => `\n${name} ${full(this.pass[`${name}s`][layer][unit])}`).join("");
  }
}

const key = ({ kind, layer, unit, from }) => `${kind} ${layer} ${unit} ${from ?? ""}`;

// ---- All numbers ---------------------------------------------------------------------------------

const ROWS = 1000;

class NumbersView {
  constructor(lab) {
    this.lab = lab;
    this.rows = [];
    this.shown = ROWS;
    this.body = h("tbody");
    this.more = button("Show more", () => {
      this.shown += ROWS;
      this.build();
      this.draw();
    }, { class: "is-small", hidden: true });
    this.node = h(
      "div",
      {},
      table("All numbers", ["Parameter", "Value", "Gradient"], this.body),
      h("div", { class: "gl-pad" }, this.more),
    );
  }

  // A row for each parameter: its name, what it is, and cells whose text changes.
  build() {
    const { setup } = this.lab;
    this.rows = [];
    if (!setup) return;
    placesOf(setup.network.sizes).forEach(({ inputs, outputs, weights, biases }, l) => {
      for (let i = 0; i < inputs && this.rows.length < this.shown; i += 1) {
        for (let j = 0; j < outputs && this.rows.length < this.shown; j += 1) {
          this.row(weights + i * outputs + j, { kind: "weight", layer: l + 1, unit: j, from: i });
        }
      }
      for (let j = 0; j < outputs && this.rows.length < this.shown; j += 1) this.row(biases + j, { kind: "bias", layer: l + 1, unit: j });
    });
    this.body.replaceChildren(...this.rows.map(({ node }) => node));
    this.more.hidden = this.rows.length >= setup.network.parameters;
    this.more.textContent = `Show more of ${count(setup.network.parameters)}`;
  }

  row(index, what) {
    const [value, gradient] = [h("td", { ondblclick: () => this.lab.choose(what, true) }), h("td")];
    const node = h("tr", {}, h("th", { scope: "row" }, button(nameOf(what), () => this.lab.choose(what))), value, gradient);
    this.rows.push({ index, what, node, value, gradient });
  }

  draw() {
    const { arrays } = this.lab;
    if (!arrays.parameters) return;
    const chosen = this.lab.chosen ? key(this.lab.chosen) : "";
    for (const { index, what, node, value, gradient } of this.rows) {
      put(value, full(arrays.parameters.data[index]));
      put(gradient, arrays.gradient ? full(arrays.gradient.data[index]) : "–");
      node.classList.toggle("is-chosen", key(what) === chosen);
    }
  }
}

// W1[2, 0] is the weight of layer 1 from input 2 to unit 0: the symbols of the formulas, and Python's indices.
function nameOf({ kind, layer, unit, from }) {
  if (kind === "weight") return `W${layer}[${from}, ${unit}]`;
  if (kind === "bias") return `b${layer}[${unit}]`;
  return `unit ${unit} of layer ${layer}`;
}

// ---- Fields --------------------------------------------------------------------------------------

// A number that a person types; `ask` sends it, and an error brings the old one back, as an emptied field does
// that has no value for `empty`.
function numberField(name, ask, { empty, ...settings } = {}) {
  const input = h("input", { type: "number", "aria-label": name, step: "any", ...settings });
  input.addEventListener("change", async () => {
    const value = input.value === "" ? empty : input.valueAsNumber;
    input.value = value === undefined ? input.dataset.value : (value ?? "");
    if (value === undefined) return;
    const answer = await ask(value);
    input.removeAttribute("aria-invalid");
    if (answer?.error) {
      input.setAttribute("aria-invalid", "true");
      setTimeout(() => {
        input.removeAttribute("aria-invalid");
        input.value = input.dataset.value ?? "";
      }, 1800);
    }
  });
  input.show = (value) => {
    // 0.00005 is too wide for its field: 5e-5.
    const [plain, powers] = [String(value ?? ""), Number(value).toExponential()];
    input.dataset.value = plain.length > 6 && powers.length < plain.length ? powers : plain;
    if (!input.matches(":focus, [aria-invalid]")) input.value = input.dataset.value;
  };
  return input;
}

function select(name, ask, options = []) {
  const node = h("select", { "aria-label": name, onchange: () => ask(node.value) });
  node.fill = (options) => {
    const key = JSON.stringify(options);
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    node.replaceChildren(
      ...options.map((one) =>
        one.options
          ? h("optgroup", { label: one.label }, one.options.map(([value, words]) => h("option", { value }, words)))
          : h("option", { value: one[0] }, one[1]),
      ),
    );
  };
  node.show = (value) => (node.value = value);
  node.fill(options);
  return node;
}

const row = (label, ...inside) => h("div", { class: "gl-row" }, h("span", { class: "gl-label", "aria-hidden": "true" }, label), ...inside);

// A slider with its number beside it; `to` and `from` turn a value into the slider's place.
function slider(name, ask, { low, high, step, to = (v) => v, from = (v) => v, digits = 4, brief = name }) {
  const range = h("input", { type: "range", min: low, max: high, step, "aria-label": name });
  const box = numberField(`${brief} in digits`, ask);
  const value = () => Number(from(range.valueAsNumber).toPrecision(digits));
  range.addEventListener("input", () => {
    box.value = value();
    range.setAttribute("aria-valuetext", short(value(), 6));
  });
  range.addEventListener("change", () => ask(value()));
  const track = h("div", { class: "gl-slide" }, range);
  return {
    node: h("div", { class: "gl-pair" }, track, box),
    track,
    show(shown) {
      box.show(shown);
      if (!range.matches(":active")) range.value = to(shown);
      range.setAttribute("aria-valuetext", short(shown, 6));
    },
  };
}

const plainWords = (name) => name.replaceAll("_", " ");
const plainName = (name) => {
  const words = plainWords(name);
  return words[0].toUpperCase() + words.slice(1);
};
const RULES = { sgd: "Gradient descent", lbfgs: "L-BFGS", levenberg_marquardt: "Levenberg-Marquardt", bayesian_regularization: "Bayesian regularization", newton_cg: "Newton-CG", rmsprop: "RMSprop", amsgrad: "AMSGrad", adamw: "AdamW" };
const SETTINGS = { n_samples: "Samples", n_features: "Inputs", l1: "L1", l2: "L2", beta1: "Beta 1", beta2: "Beta 2" };
const ruleName = (name) => RULES[name] ?? plainName(name);
const settingName = (name) => SETTINGS[name] ?? plainName(name);

// A field for each of some settings, that are numbers; `empty` has what an emptied one stands for.
function fields(names, send, empty = {}) {
  const controls = names.map((name) => numberField(settingName(name), (value) => send({ [name]: value }), { empty: empty[name] }));
  return {
    rows: names.map((name, i) => row(settingName(name), controls[i])),
    show: (values) => names.forEach((name, i) => controls[i].show(values[name])),
  };
}

const folded = (name, rows) => (rows.length ? [h("details", {}, h("summary", {}, `More of ${name}`), rows)] : []);

const tick = (name, ask) => h("input", { type: "checkbox", "aria-label": name, onchange: ({ target }) => ask(target.checked) });

// The rate of a learning rate, which is a number or a schedule, and the same with another one.
const rateOf = (given) => given.rate ?? given.then?.rate ?? given;
function withRate(given, rate) {
  if (given.then) return { ...given, then: { ...given.then, rate } };
  return given.schedule ? { ...given, rate } : rate;
}

// ---- Data ----------------------------------------------------------------------------------------

class DataPanel {
  constructor(lab) {
    this.lab = lab;
    this.set = select("Data set", (name) => name && lab.do("data", { name }));
    this.rows = h("div");
    this.target = select("Column to predict", (column) => lab.do("predict_column", { column }));
    this.targetRow = row("Predict", this.target);
    this.draw = button("Draw", () => this.turn(), { class: "is-small", "aria-pressed": "false" });
    this.pens = h("div", { class: "gl-tools", role: "group", "aria-label": "What a press on the map does" });
    this.words = h("p", { class: "gl-words" });
    this.node = h(
      "section",
      { "aria-label": "Data" },
      h("h2", {}, "Data"),
      row("Set", this.set),
      this.rows,
      this.targetRow,
      h("div", { class: "gl-tools" }, fileButton("Open table", ".csv,.tsv,.txt,.data,.json,.jsonl,text/csv", (file) => lab.openFile(file)), this.draw),
      this.pens,
      this.words,
    );
    this.pen = null;
    this.fresh = null;
  }

  update() {
    const { setup, catalog } = this.lab;
    const { source, classes, notes, features } = setup.data;
    const own = source.set === undefined;
    const sets = Object.keys(catalog.sets).map((name) => [name, plainName(name)]);
    this.set.fill([...(own ? [["", cut(setup.data.name, 28)]] : []), ...sets]);
    this.set.show(source.set ?? "");
    const key = JSON.stringify([source.set, Object.keys(source)]);
    if (key !== this.key) this.build(key);
    for (const [name, control] of Object.entries(this.controls)) control.show(name === "held_out" ? Math.round(100 * (source.held_out ?? 0)) : source[name]);
    this.targetRow.hidden = !source.columns;
    if (source.columns) {
      this.target.fill(source.columns.map((column) => [column, column]));
      this.target.show(setup.data.target);
    }
    const whole = this.lab.samples?.whole && features.length === 2 && classes.length > 0;
    this.draw.disabled = !whole;
    this.draw.title = whole ? "Draw points on the map, by mouse or finger" : "Points are drawn where there are two inputs and classes: choose such a set first";
    if (!whole && this.pen !== null) this.turn(false);
    this.words.textContent = notes.join(" ");
    this.drawPens();
  }

  build(key) {
    const { setup, catalog } = this.lab;
    const { source } = setup.data;
    this.key = key;
    this.controls = {};
    const rows = [];
    const send = (name) => (value) => {
      const { set, seed, held_out, ...settings } = this.lab.setup.data.source;
      const known = { name: set, settings, seed, held_out };
      if (name === "seed") known.seed = value;
      else if (name === "held_out") known.held_out = value / 100;
      else known.settings = { ...settings, [name]: value };
      return this.lab.do("data", known);
    };
    for (const [name, { low, high, whole: isWhole }] of Object.entries(catalog.sets[source.set] ?? {})) {
      const wide = isWhole && high / low > 50;
      const [to, from] = wide ? [Math.log10, (v) => Math.round(10 ** v)] : [(v) => v, (v) => v];
      const step = isWhole && !wide ? 1 : (to(high) - to(low)) / 100;
      const control = slider(settingName(name), send(name), { low: to(low), high: to(high), step, to, from, digits: wide ? 3 : 4 });
      this.controls[name] = control;
      rows.push(row(settingName(name), control.node));
    }
    if (source.set !== undefined) {
      this.controls.held_out = slider("Held out, per cent", send("held_out"), { low: 0, high: 80, step: 5 });
      rows.push(row("Held out, %", this.controls.held_out.node));
      this.controls.seed = numberField("Seed of the data", send("seed"), { min: 0, step: 1 });
      rows.push(row("Seed", this.controls.seed));
    }
    this.rows.replaceChildren(...rows);
  }

  // Drawing: a press on the map adds a point of the chosen class, gives one another class, or erases it.
  turn(on = this.pen === null) {
    this.pen = on ? 0 : null;
    this.fresh = null;
    this.draw.setAttribute("aria-pressed", String(on));
    if (on) this.lab.views[0].raise(false);
    this.drawPens();
    this.lab.draw();
  }

  drawPens() {
    this.pens.hidden = this.pen === null;
    if (this.pen === null) return;
    const { classes } = this.lab.setup.data;
    const names = [...classes.map((name, i) => [i, cut(name, 12)]), ["label", "Relabel"], ["erase", "Erase"]];
    this.pens.replaceChildren(
      ...names.map(([pen, words]) =>
        button(words, () => {
          this.pen = pen;
          this.drawPens();
        }, { class: "is-small", "aria-pressed": String(this.pen === pen) }, typeof pen === "number" ? this.swatch(pen) : null, h("span", {}, words)),
      ),
      button("Start empty", () => {
        this.fresh = [];
        if (typeof this.pen !== "number") this.pen = 0;
        this.lab.draw();
      }, { class: "is-small" }),
    );
  }

  swatch(number) {
    const dot = h("i", { class: "gl-dot" });
    dot.style.background = css(this.lab.palette.of(number));
    return dot;
  }

  async press(place, nearest) {
    if (this.pen === null) return false;
    if (this.fresh) {
      if (typeof this.pen === "number") this.fresh.push([...place, this.pen]);
      this.lab.draw();
      if (new Set(this.fresh.map((point) => point[2])).size > 1) {
        const points = this.fresh;
        const answer = await this.lab.do("points", { points });
        if (!answer.error) this.fresh = null;
      }
      return true;
    }
    if (typeof this.pen === "number") await this.lab.do("add_point", { place, target: this.pen });
    else if (nearest === null) return true;
    else if (this.pen === "erase") await this.lab.do("erase_point", { row: nearest.row });
    else await this.lab.do("label", { row: nearest.row, target: (nearest.target + 1) % this.lab.setup.data.classes.length });
    return true;
  }
}

// ---- Layers --------------------------------------------------------------------------------------

class LayersPanel {
  constructor(lab) {
    this.lab = lab;
    this.rows = h("div");
    this.loss = select("Loss", (name) => lab.do("measure_by", { loss: { name } }));
    this.losses = h("div");
    this.add = button("Add layer", () => this.send([...this.layers, { units: 4, hidden: this.layers.at(-1)?.hidden ?? "tanh" }]), { class: "is-small" });
    this.start = select("First weights", (name) => lab.do("start_with", { name }));
    this.start.title = "How the first weights are drawn";
    const seed = button("New start", () => lab.do("reset", { seed: Math.floor(Math.random() * 1e6) }), { class: "is-small", title: "Draw other first parameters" });
    this.node = h("section", { "aria-label": "Layers" }, h("h2", {}, "Layers"), this.rows, this.losses, h("div", { class: "gl-tools" }, this.add, seed), row("First weights", this.start));
  }

  send(layers) {
    return this.lab.do("network", { units: layers.map(({ units }) => units), hidden: layers.map(({ hidden }) => hidden) });
  }

  update() {
    const { setup, catalog } = this.lab;
    const { sizes, hidden, loss, losses } = setup.network;
    const { freeze } = setup.training;
    this.layers = hidden.map((name, i) => ({ units: sizes[i + 1], hidden: name }));
    const change = (i, entry) => this.send(this.layers.map((layer, k) => (k === i ? { ...layer, ...entry } : layer)));
    const names = catalog.activations.map((name) => [name, name]);
    if (this.rows.childElementCount !== hidden.length + 1) {
      const frozen = (layer) =>
        button("❄", () => {
          const known = this.lab.setup.training.freeze;
          this.lab.do("train_with", { freeze: known.includes(layer) ? known.filter((one) => one !== layer) : [...known, layer] });
        }, { class: "is-quiet is-small is-square gl-freeze", "aria-label": `Freeze layer ${layer}`, title: `Freeze layer ${layer}: its weights stay as they are`, "aria-pressed": "false" });
      const rows = hidden.map((_, i) => {
        const activation = select(`Activation of layer ${i + 1}`, (name) => change(i, { hidden: name }), names);
        const units = numberField(`Units of layer ${i + 1}`, (value) => change(i, { units: value }), { min: 1, step: 1 });
        const more = (by, words, shape) =>
          button(words, () => change(i, { units: Math.max(1, this.layers[i].units + by) }), { class: "is-square is-small", "aria-label": `${words} unit in layer ${i + 1}` }, icon(shape));
        const drop = button("Remove", () => this.send(this.layers.filter((_, k) => k !== i)), { class: "is-quiet is-square is-small", "aria-label": `Remove layer ${i + 1}`, title: `Remove layer ${i + 1}` }, icon("close"));
        const node = h("div", { class: "gl-layer" }, activation, more(-1, "One less", "minus"), units, more(1, "One more", "plus"), frozen(i + 1), drop);
        return Object.assign(node, { show: (layer) => (activation.show(layer.hidden), units.show(layer.units)) });
      });
      const last = h("div", { class: "gl-layer is-last" }, this.loss, frozen(hidden.length + 1));
      this.rows.replaceChildren(...rows, last);
    }
    this.layers.forEach((layer, i) => this.rows.children[i].show(layer));
    this.loss.fill([...new Set([loss.name, ...losses])].map((name) => [name, plainName(name)]));
    this.loss.show(loss.name);
    const { name, ...settings } = loss;
    if (this.losses.dataset.of !== name) {
      this.losses.dataset.of = name;
      this.fields = fields(Object.keys(settings), (change) => this.lab.do("measure_by", { loss: { ...this.lab.setup.network.loss, ...change } }));
      this.losses.replaceChildren(...folded(plainWords(name), this.fields.rows));
    }
    this.fields.show(settings);
    const given = setup.training.scheme === "" ? [["", "As given"]] : [];
    this.start.fill([...given, ...catalog.schemes.map((name) => [name, plainName(name)])]);
    this.start.show(setup.training.scheme);
    [...this.rows.querySelectorAll(".gl-freeze")].forEach((node, i) => node.setAttribute("aria-pressed", String(freeze.includes(i + 1))));
    this.add.disabled = hidden.length >= catalog.most.layers;
  }
}

// ---- Training ------------------------------------------------------------------------------------

class TrainingPanel {
  constructor(lab) {
    this.lab = lab;
    this.rule = select("Optimizer", (name) => lab.do("train_with", { optimizer: { name } }));
    this.rate = slider("Learning rate", (value) => this.set({ learning_rate: withRate(lab.setup.training.optimizer.learning_rate, value) }), { low: -6, high: 1, step: 0.01, to: (v) => Math.log10(v), from: (v) => 10 ** v, digits: 3, brief: "Rate" });
    this.limit = h("div", { class: "gl-limit", hidden: true });
    this.rate.track.append(this.limit);
    this.rateRow = row("Learning rate", this.rate.node);
    this.schedule = select("Schedule", (name) => this.set({ learning_rate: this.scheduled(name) }));
    this.scheduleRow = row("Schedule", this.schedule);
    this.limitWords = h("p", { class: "gl-words" });
    this.question = new Question(lab, "limit", 1000, ({ limit }) => this.showLimit(limit));
    this.more = h("div");
    this.batch = select("Batch", (value) => lab.do("train_with", { batch_size: value === "" ? null : Number(value) }));
    const field = (name, most) => numberField(name, (value) => lab.do("train_with", { [name.toLowerCase()]: value }), { empty: 0, min: 0, max: most });
    this.l1 = field("L1");
    this.l2 = field("L2");
    this.dropout = field("Dropout", 0.95);
    this.scale = tick("Standardize", (standardize) => lab.do("train_with", { standardize }));
    const stop = (change) => lab.do("stop_after", { ...lab.setup.training.stopping, ...change });
    this.stop = fields(["patience", "tolerance"], stop, { patience: null });
    this.metric = select("Watches", (metric) => stop({ metric }));
    this.best = tick("Keep the best", (restore_best) => stop({ restore_best }));
    this.stopWords = h("summary");
    const [patience, tolerance] = this.stop.rows;
    this.stopRows = [tolerance, row("Watches", this.metric), row("Keep best", this.best)];
    this.end = numberField("Ends at", (value) => lab.do("end_at", { iteration: value }), { min: 1, step: 1 });
    this.node = h(
      "section",
      { "aria-label": "Training" },
      h("h2", {}, "Training"),
      row("Optimizer", this.rule),
      this.rateRow,
      this.limitWords,
      this.scheduleRow,
      this.more,
      row("Batch", this.batch),
      row("L1, L2", h("div", { class: "gl-two" }, this.l1, this.l2)),
      row("Dropout", h("div", { class: "gl-two" }, this.dropout, h("label", { class: "gl-ask" }, this.scale, "Standardize"))),
      row("Ends at", this.end),
      h("details", {}, this.stopWords, patience, this.stopRows),
    );
  }

  // The learning rate as another schedule from the same rate on, over the iterations that are left to play.
  scheduled(name) {
    const { catalog, setup } = this.lab;
    const rate = rateOf(setup.training.optimizer.learning_rate);
    if (name === "constant") return rate;
    const known = catalog.schedules[name];
    const first = { rate, steps: setup.end, every: Math.ceil(setup.end / 4), updates: Math.ceil(setup.end / 10), factor: 0.999, then: { schedule: "constant", rate } };
    const settings = { schedule: name, ...Object.fromEntries(Object.keys(known).filter((key) => known[key] === null).map((key) => [key, first[key]])) };
    return "per" in known ? { ...settings, per: "iteration" } : settings;
  }

  set(settings) {
    return this.lab.do("train_with", { optimizer: { ...this.lab.setup.training.optimizer, ...settings } });
  }

  update() {
    const { setup, catalog } = this.lab;
    const { optimizer, batch_size: batch, l1, l2, dropout } = setup.training;
    const options = (solver) =>
      Object.entries(catalog.optimizers)
        .filter(([, known]) => known.solver === solver)
        .map(([name]) => [name, ruleName(name)]);
    this.rule.fill([{ label: "Optimizers", options: options(false) }, { label: "Solvers, on all samples", options: options(true) }]);
    this.rule.show(optimizer.name);
    const { solver } = catalog.optimizers[optimizer.name];
    this.rateRow.hidden = this.scheduleRow.hidden = solver;
    const rate = optimizer.learning_rate ?? 1;
    const schedule = rate.schedule ?? "constant";
    this.rate.show(rateOf(rate));
    this.schedule.fill(Object.keys(catalog.schedules).map((name) => [name, plainName(name)]));
    this.schedule.show(schedule);
    if (this.key !== `${optimizer.name} ${schedule}`) this.build(optimizer, schedule);
    for (const [name, control] of Object.entries(this.controls)) control.show(optimizer[name] ?? catalog.optimizers[optimizer.name].settings[name]);
    this.times.show(rate);
    const sizes = [1, 4, 8, 16, 32, 64, 128, 256, 512].filter((n) => n <= setup.data.samples || n === batch);
    if (batch !== null && !sizes.includes(batch)) sizes.push(batch);
    this.batch.fill([["", "All samples"], ...sizes.map((n) => [String(n), n === 1 ? "1 sample" : `${count(n)} samples`])]);
    this.batch.show(batch === null ? "" : String(batch));
    this.l1.show(l1);
    this.l2.show(l2);
    this.dropout.show(dropout.length ? Math.max(...dropout) : 0);
    this.scale.checked = setup.training.standardize;
    this.end.show(setup.end);
    const stopping = setup.training.stopping ?? { patience: null };
    for (const one of this.stopRows) one.hidden = stopping.patience === null;
    this.stopWords.textContent = stopping.patience === null ? "Early stopping: never" : `Early stopping: after ${count(stopping.patience)} without better`;
    this.stop.show(stopping);
    this.metric.fill(catalog.metrics.map((name) => [name, plainName(name)]));
    this.metric.show(stopping.metric);
    this.best.checked = stopping.restore_best;
    this.askLimit();
  }

  build(optimizer, schedule) {
    this.key = `${optimizer.name} ${schedule}`;
    this.controls = {};
    const { optimizers, schedules } = this.lab.catalog;
    const timed = schedule === "constant" ? [] : Object.keys(schedules[schedule]).filter((name) => !["rate", "per", "then"].includes(name));
    this.times = fields(timed, (change) => this.set({ learning_rate: { ...this.lab.setup.training.optimizer.learning_rate, ...change } }));
    const known = optimizers[optimizer.name].settings;
    const names = Object.keys(known).filter((name) => name !== "learning_rate" && typeof known[name] === "number");
    const rows = names.map((name) => {
      const send = (value) => this.set({ [name]: value });
      if (name === "momentum") {
        this.controls[name] = slider("Momentum", send, { low: 0, high: 0.99, step: 0.01 });
        return row("Momentum", this.controls[name].node);
      }
      this.controls[name] = numberField(settingName(name), send);
      return row(settingName(name), this.controls[name]);
    });
    const fine = names.includes("momentum") ? [] : rows;
    this.more.replaceChildren(...folded(plainWords(schedule), this.times.rows), ...(fine.length ? folded(ruleName(optimizer.name), fine) : rows));
  }

  // The rate above which gradient descent is not stable at the parameters shown; asked while nothing moves.
  askLimit() {
    const { optimizer, batch_size: batch } = this.lab.setup.training;
    if (optimizer.name === "sgd" && batch === null) this.question.ask({});
    else this.showLimit(null);
  }

  showLimit(limit) {
    const place = limit ? (Math.log10(limit) + 6) / 7 : -1;
    this.limit.hidden = !(place >= 0 && place <= 1);
    this.limit.style.left = `calc(8px + ${place} * (100% - 16px))`;
    const above = limit && rateOf(this.lab.setup.training.optimizer.learning_rate) > limit;
    this.limitWords.textContent = limit ? `${above ? "Above the limit: not stable at" : "Stable below"} ${short(limit)} here` : "";
    this.limitWords.classList.toggle("is-bad", Boolean(above));
  }
}

// ---- The inspector -------------------------------------------------------------------------------

const WHATS = [["weight", "Weight"], ["bias", "Bias"], ["gradient", "Gradient"], ["update", "Next update"], ["activation", "Activation"], ["delta", "Delta"], ["loss", "Loss of all samples"], ["sample loss", "Loss of a sample"], ["pass", "Whole way of a sample"]];
const ASKS = { weight: "layer unit input", bias: "layer unit", gradient: "layer unit input", update: "layer unit input", activation: "sample layer unit", delta: "sample layer unit", loss: "", "sample loss": "sample", pass: "sample" };

class InspectorView {
  constructor(lab) {
    this.lab = lab;
    this.place = { what: "weight", layer: 1, unit: 0, input: 0, sample: 0 };
    this.what = select("What to explain", (what) => {
      this.place.what = what;
      lab.draw();
    }, WHATS);
    this.fields = {};
    for (const name of ["sample", "layer", "unit", "input"]) {
      this.fields[name] = numberField(plainName(name), (value) => {
        this.place[name] = value;
        lab.draw();
      }, { min: name === "layer" ? 1 : 0, step: 1 });
    }
    this.labels = Object.fromEntries(Object.entries(this.fields).map(([name, field]) => [name, h("label", { class: "gl-ask" }, plainName(name), field)]));
    this.value = numberField("New value", (value) => lab.do("edit", { index: this.index(), value }));
    this.valueLabel = h("label", { class: "gl-ask is-wide" }, "Set to", this.value);
    this.answer = h("div", { "aria-live": "polite" });
    this.question = new Question(lab, "explain", 400, (answer) => {
      this.write(answer);
      this.draw();
    });
    this.node = h("div", { class: "gl-pad" }, h("div", { class: "gl-asks" }, this.what, Object.values(this.labels), this.valueLabel), this.answer);
  }

  index() {
    const { what, input, ...place } = this.place;
    return indexOf(this.lab.setup.network.sizes, { kind: what, from: input, ...place });
  }

  // What is explained from the next drawing on.
  take({ kind, layer, unit, from, sample }) {
    const same = ["gradient", "update"].includes(this.place.what) && kind === "weight" ? this.place.what : kind;
    this.place.what = { unit: "activation", sample: "pass" }[kind] ?? same;
    if (layer !== undefined) Object.assign(this.place, { layer, unit });
    if (from !== undefined) this.place.input = from;
    if (sample !== undefined) this.place.sample = sample;
  }

  update() {
    const { what } = this.place;
    this.what.value = what;
    for (const [name, field] of Object.entries(this.fields)) {
      field.show(this.place[name]);
      this.labels[name].hidden = !ASKS[what].includes(name);
    }
    const isOne = what === "weight" || what === "bias";
    this.valueLabel.hidden = !isOne;
    const values = this.lab.arrays.parameters?.data;
    if (isOne && values && this.lab.setup) this.value.show(values[this.index()]);
  }

  // Asked again as training goes on, a few times a second; the answer is of the frame that is shown.
  draw() {
    if (!this.lab.frame) return;
    this.update();
    const { what } = this.place;
    const names = ASKS[what].split(" ").filter(Boolean);
    this.question.ask({ what: what === "sample loss" ? "loss" : what, ...Object.fromEntries(names.map((name) => [name, this.place[name]])) });
  }

  write(answer) {
    if (answer.error) {
      this.answer.replaceChildren(h("p", { class: "gl-words is-bad" }, answer.error));
      return;
    }
    this.answer.replaceChildren(this.part(answer), ...answer.parts.map((part) => this.part(part)));
  }

  part({ title, steps, checks, notes, value, symbol, parts }) {
    const lines = [];
    const line = (name, sign, text, look = "") => lines.push(h("div", { class: `gl-line ${look}` }, h("span", {}, name), h("span", {}, sign), h("span", {}, text)));
    for (const step of steps) {
      line(step.symbol, step.sign, step.formula);
      if (step.numbers) line("", "=", step.numbers, "is-numbers");
      if (Number(step.formula) !== step.value) line("", "=", full(step.value), "is-result");
    }
    if (!steps.length && value !== null && !parts.length) line(symbol, "=", full(value), "is-result");
    for (const check of checks) {
      line(check.symbol, "=", full(check.derivative));
      line("", "≈", `${full(check.numerical)} by a central difference`);
      line("", "", `${check.verdict === "right" ? "✓" : check.verdict === "wrong" ? "✗" : "·"} ${check.words}`, check.verdict === "right" ? "is-good" : check.verdict === "wrong" ? "is-bad" : "");
    }
    return h("article", { class: "gl-part" }, h("h3", {}, title), h("div", { class: "gl-lines" }, lines), notes.map((note) => h("p", { class: "gl-words" }, note)));
  }
}

// ---- Why it does not learn -----------------------------------------------------------------------

class WhyView {
  constructor(lab) {
    this.lab = lab;
    this.button = button("Look for reasons", () => this.look(), { class: "is-small is-main" });
    this.words = h("p", { class: "gl-words" }, "Looks for the usual reasons why a network does not learn, shows the numbers, and tries each remedy on a short branch.");
    this.list = h("div");
    this.node = h("div", { class: "gl-pad" }, h("div", { class: "gl-tools gl-first" }, this.button, this.words), this.list);
  }

  async look() {
    const answer = await this.lab.do("diagnose");
    if (!answer.error) this.wait();
  }

  wait() {
    this.looking = true;
    this.button.disabled = true;
    this.words.textContent = "Looking, and trying remedies on short branches …";
  }

  async draw() {
    const { frame } = this.lab;
    if (frame?.looking && !this.looking) this.wait();
    if (!this.looking || frame.looking) return;
    this.looking = false;
    const answer = await this.lab.link.ask("findings");
    if (answer.looking) {
      this.looking = true;
      return;
    }
    this.button.disabled = false;
    this.write(answer);
  }

  write(answer) {
    if (answer.error) {
      this.words.textContent = answer.error;
      return;
    }
    this.words.textContent = `${answer.headline} ${answer.answer}`;
    this.list.replaceChildren(
      ...answer.findings.map((finding, i) =>
        h(
          "article",
          { class: "gl-finding" },
          h("h3", {}, plainName(finding.name)),
          h("p", {}, finding.sentence),
          h("p", { class: "gl-words" }, Object.entries(finding.evidence).map(([name, value]) => `${name.replaceAll("_", " ")} ${evidence(value)}`).join(" · ")),
          h("p", {}, h("b", {}, "Remedy: "), `${finding.remedy.words}.`),
          finding.trial ? h("p", { class: finding.trial.helps ? "is-good" : "gl-words" }, finding.trial.sentence) : null,
          finding.remedy.code ? h("pre", {}, finding.remedy.code) : null,
          Object.keys(finding.remedy.changes).length ? h("div", { class: "gl-tools" }, button("Try on a branch", () => this.lab.do("try_remedy", { finding: i }), { class: "is-small" })) : null,
        ),
      ),
    );
  }
}

const evidence = (value) => {
  if (Array.isArray(value)) return value.slice(0, 5).map(evidence).join(", ") + (value.length > 5 ? ` … (${value.length})` : "");
  return typeof value === "number" ? short(value, 4) : String(value);
};

// ---- Branches ------------------------------------------------------------------------------------

class BranchesView {
  constructor(lab) {
    this.lab = lab;
    this.body = h("tbody");
    this.words = h("p", { class: "gl-words", "aria-live": "polite" });
    this.node = h(
      "div",
      {},
      table("Branches", ["Branch", "From", "Iterations", "Seconds", "Loss", ""], this.body),
      h("div", { class: "gl-pad" }, this.words),
    );
  }

  // The branch that is shown goes on meanwhile.
  draw() {
    const { frame, arrays } = this.lab;
    const row = this.body.querySelector(".is-chosen");
    if (!row || !frame) return;
    row.children[2].textContent = count(frame.last);
    if (arrays.clock) row.children[3].textContent = short(arrays.clock.data.at(-1)); // a rough frame has none
    row.children[4].textContent = full(frame.last_loss);
  }

  update() {
    const { branches } = this.lab.setup;
    this.words.textContent = branches.length > 1 ? "" : "Branch here begins another line of training at the iteration that is shown; this one stays. So does a change made in the past.";
    this.body.replaceChildren(
      ...branches.map(({ name, parent, at, iterations, seconds, loss, shown }) =>
        h(
          "tr",
          { class: shown ? "is-chosen" : "" },
          h("th", { scope: "row" }, name),
          h("td", { class: "is-words" }, parent ? `${parent}, ${count(at)}` : at === 0 ? "start" : count(at)),
          h("td", {}, count(iterations)),
          h("td", {}, short(seconds)),
          h("td", {}, full(loss)),
          h("td", {}, shown
            ? h("span", { class: "gl-chip is-live" }, "shown")
            : h("span", { class: "gl-joined" },
              button("Show", () => this.lab.do("turn_to", { name }), { class: "is-small", "aria-label": `Show ${name}` }),
              button("Compare", () => this.compare(name), { class: "is-small", "aria-label": `Compare with ${name}` }),
              button("Drop", () => this.lab.do("drop_branch", { name }), { class: "is-small", "aria-label": `Drop ${name}` }))),
        ),
      ),
    );
  }

  async compare(name) {
    const answer = await this.lab.do("compare", { name });
    if (answer.error) return;
    this.words.textContent = answer.iteration === null
      ? `This branch and ${name} have the same bits as far as both have come.`
      : `This branch and ${name} part at iteration ${count(answer.iteration)}, by ${answer.what.join("; ") || "their start"}.`;
  }
}

// ---- Results -------------------------------------------------------------------------------------

class ResultsView {
  constructor(lab) {
    this.lab = lab;
    this.words = h("p");
    this.table = h("div");
    this.node = h("div", { class: "gl-pad" }, this.words, this.table);
  }

  draw() {
    const { frame, arrays, setup } = this.lab;
    if (!frame || !setup) return;
    const per = (share) => (share === undefined ? null : `${(100 * share).toFixed(share === 1 ? 0 : 2)} %`);
    const lines = [];
    if (frame.accuracy !== undefined) lines.push(`Right of the samples trained on: ${per(frame.accuracy)}`);
    if (frame.held_out_accuracy !== undefined) lines.push(`of those held out: ${per(frame.held_out_accuracy)}`);
    if (frame.held_out_loss !== undefined && frame.held_out_loss !== null) lines.push(`held-out loss ${full(frame.held_out_loss)}`);
    const n = this.lab.samples?.n ?? 0;
    const seen = this.lab.samples?.points.length ?? 0;
    if (seen < n && frame.accuracy !== undefined) lines.push(`${count(seen)} of ${count(n)} samples looked at`);
    this.words.textContent = lines.join(" · ") || "These targets are quantities: the loss says how far the answers are off.";
    const confusion = arrays.confusion;
    if (!confusion || setup.data.classes.length > 20) {
      this.table.replaceChildren();
      return;
    }
    const names = setup.data.classes;
    const most = Math.max(...confusion.data, 1);
    const rows = names.map((name, i) => h("tr", {}, h("th", { scope: "row", title: name }, cut(name, 16)), names.map((_, j) => {
      const value = confusion.data[i * names.length + j];
      const cell = h("td", {}, count(value));
      if (value) cell.style.background = css(i === j ? this.lab.palette.positive : this.lab.palette.negative, 0.1 + 0.45 * (value / most));
      return cell;
    })));
    const heads = ["is ↓ · said →", ...names.map((name) => cut(name, 12))];
    this.table.replaceChildren(table("Confusion", heads, h("tbody", {}, rows), { class: "gl-confusion" }));
  }
}

// ---- Pictures in three dimensions -----------------------------------------------------------------

// A box from -1 to 1 that the pointer and the arrow keys turn; `fill(project)` gives its axes' names and what
// is in it, each part with how far away it is and how it is drawn.
class Solid {
  constructor(lab, label) {
    this.lab = lab;
    this.canvas = new Canvas(`${label}, in three dimensions; arrow keys turn it`, () => this.draw(), {
      tabIndex: 0,
      onpointerdown: (event) => {
        this.from = [event.clientX, event.clientY];
        event.currentTarget.setPointerCapture(event.pointerId);
      },
      onpointermove: ({ clientX, clientY }) => {
        if (!this.from) return;
        this.rotate((clientX - this.from[0]) / 120, (clientY - this.from[1]) / 120);
        this.from = [clientX, clientY];
      },
      onpointerup: () => (this.from = null),
      onpointercancel: () => (this.from = null),
      onkeydown: (event) => {
        const by = { ArrowLeft: [-0.12, 0], ArrowRight: [0.12, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
        if (!by) return;
        event.preventDefault();
        this.rotate(...by);
      },
    });
    this.turn = [0.6, 0.35];
    this.node = h("div", { class: "gl-fill gl-solid" }, this.canvas.node);
  }

  rotate(across, up) {
    this.turn = [this.turn[0] + across, Math.max(-1.5, Math.min(1.5, this.turn[1] + up))];
    this.draw();
  }

  draw() {
    const { samples, palette } = this.lab;
    const pen = this.canvas.begin();
    if (!pen || !samples) return;
    const [cx, cy] = [this.canvas.width / 2, this.canvas.height / 2];
    const [c, s] = [Math.cos(this.turn[0]), Math.sin(this.turn[0])];
    const [ce, se] = [Math.cos(this.turn[1]), Math.sin(this.turn[1])];
    const size = 0.27 * Math.min(this.canvas.width, this.canvas.height);
    // From above and without perspective: right, down, and away.
    const project = (x, y, z) => {
      const [a, b] = [c * x - s * y, s * x + c * y];
      return [cx + size * a, cy - size * (ce * z + se * b), ce * b - se * z];
    };
    const { labels, parts } = this.fill(project, pen);
    if (!labels.length) {
      write(pen, "This network has no hidden layer.", cx, cy, palette.soft);
      return;
    }
    pen.strokeStyle = css(palette.line);
    pen.lineWidth = 1;
    pen.beginPath();
    for (const [from, to] of CUBE) {
      pen.moveTo(...project(...from).slice(0, 2));
      pen.lineTo(...project(...to).slice(0, 2));
    }
    pen.stroke();
    parts.sort((one, other) => other.away - one.away);
    for (const { paint } of parts) paint();
    // The axes start at the corner (-1, -1, -1); the height is written where nothing stands before it.
    const left = [[-1, -1], [-1, 1], [1, -1], [1, 1]].sort((one, other) => project(...one, 0)[0] - project(...other, 0)[0])[0];
    [[1.25, -1, -1], [-1, 1.25, -1], [...left, 1.2]].slice(0, labels.length).forEach((place, axis) => {
      const [x, y] = project(...place);
      write(pen, labels[axis], Math.max(x, pen.measureText(labels[axis]).width / 2 + 4), y, palette.soft);
    });
  }

  // A sample, one of n, at a place in the box.
  sample(pen, i, n, [x, y, away]) {
    const { palette } = this.lab;
    const radius = Math.max(1.8, Math.min(3.2, 55 / Math.sqrt(n)));
    return { away, paint: () => dot(pen, x, y, radius, css(this.lab.colorOf(i)), css(palette.paper, 0.7), radius / 5) };
  }
}

class HiddenView extends Solid {
  constructor(lab) {
    super(lab, "The samples as the last hidden layer sees them");
  }

  fill(project, pen) {
    const { arrays, frame } = this.lab;
    if (!arrays.hidden) return { labels: [] };
    const { data, shape } = arrays.hidden;
    const [n, axes] = shape;
    const ranges = arrays.hidden_ranges.data;
    const unit = (i, axis) => (axis < axes ? (2 * (data[i * axes + axis] - ranges[2 * axis])) / (ranges[2 * axis + 1] - ranges[2 * axis] || 1) - 1 : 0);
    const parts = Array.from({ length: n }, (_, i) => this.sample(pen, i, n, project(unit(i, 0), unit(i, 1), unit(i, 2))));
    return { labels: frame.hidden_labels, parts };
  }
}

const FACES = 48;

// The output over the plane of the map: P of the second of two classes, the largest P of more, or the value.
class SurfaceView extends Solid {
  constructor(lab) {
    super(lab, "The output as a surface over the plane, with the samples at their targets");
  }

  fill(project, pen) {
    const { arrays, samples, palette, setup, frame } = this.lab;
    const { field, leader, lead, sure } = arrays;
    const [rows, columns] = (field ?? leader).shape;
    const names = setup.data.classes;
    const two = !field && names.length === 2;
    // The height of a point of the map, from 0 to 1, and its color.
    const height = (i) => {
      if (field) return field.data[i] / 255;
      if (two) return 0.5 + (leader.data[i] - 0.5) * (lead.data[i] / 255);
      return 1 / names.length + (1 - 1 / names.length) * (sure.data[i] / 255);
    };
    const color = (i) => {
      const byte = field ? field.data[i] : Math.round(255 * (1 - height(i)));
      if (field || two) return unpacked((field ? palette.values : palette.signed)[byte]);
      return mixed(palette.paper, palette.of(leader.data[i]), 0.25 + (0.6 * sure.data[i]) / 255);
    };
    const at = (k, n) => Math.round((k * (n - 1)) / FACES);
    const point = (row, column) => at(row, rows) * columns + at(column, columns);
    const corner = (row, column) => {
      const z = 2 * height(point(row, column)) - 1;
      return [...project((2 * column) / FACES - 1, (2 * row) / FACES - 1, z), z];
    };
    const corners = Array.from({ length: (FACES + 1) ** 2 }, (_, k) => corner(Math.floor(k / (FACES + 1)), k % (FACES + 1)));
    const parts = [];
    for (let row = 0; row < FACES; row += 1) {
      for (let column = 0; column < FACES; column += 1) {
        const first = row * (FACES + 1) + column;
        const face = [first, first + 1, first + FACES + 2, first + FACES + 1].map((k) => corners[k]);
        // Lit from the left and the front: a slope towards there is brighter.
        const light = 0.94 + 0.12 * Math.tanh(4 * (face[1][3] - face[0][3] + face[3][3] - face[0][3]));
        const shade = css(color(point(row, column)).map((value) => Math.min(255, value * light)));
        const away = (face[0][2] + face[1][2] + face[2][2] + face[3][2]) / 4;
        const paint = () => {
          pen.beginPath();
          for (const [x, y] of face) pen.lineTo(x, y);
          pen.closePath();
          pen.fillStyle = pen.strokeStyle = shade;
          pen.lineWidth = 0.7;
          pen.fill();
          pen.stroke();
        };
        parts.push({ away, paint });
      }
    }
    const [low, high] = field ? [frame.map.low, frame.map.high] : [0, 1];
    const unit = (value, [from, to]) => (2 * (value - from)) / (to - from || 1) - 1;
    samples.points.forEach(([x, y], i) => {
      const z = field || two ? unit(samples.targets[i], [low, high]) : -1;
      parts.push(this.sample(pen, i, samples.points.length, project(unit(x, samples.span[0]), unit(y, samples.span[1]), z)));
    });
    const name = two ? this.lab.outputName(1) : field ? this.lab.outputName(0) : "largest P";
    return { labels: [...samples.labels.map((label) => cut(label, 16)), `${cut(name, 16)}, ${short(low)} to ${short(high)}`], parts };
  }
}

const CUBE = [0, 1, 2].flatMap((axis) =>
  [[-1, -1], [-1, 1], [1, -1], [1, 1]].map(([a, b]) => [-1, 1].map((end) => {
    const place = [a, b];
    place.splice(axis, 0, end);
    return place;
  })),
);

// ---- Lessons -------------------------------------------------------------------------------------

const LINK = "#lesson=";
const LONGEST_LINK = 30_000;

function download(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

class LessonView {
  constructor(lab) {
    this.lab = lab;
    this.title = h("input", { "aria-label": "Title of the lesson", maxLength: 200, placeholder: "Title of the lesson" });
    this.text = h("textarea", { rows: 2, maxLength: 4000, "aria-label": "Note at this iteration", placeholder: "A note: playing pauses here, and the page shows it" });
    const note = button("Write note", () => this.note(this.lab.frame.iteration, this.text.value), { class: "is-small" });
    this.list = h("ol", { class: "gl-notes" });
    this.hide = h("div", { class: "gl-tools", role: "group", "aria-label": "Parts that the lesson puts away" });
    this.code = h("pre", { hidden: true, tabIndex: 0 });
    const as = {
      Python: async () => this.write((await lab.do("python")).text),
      TOML: async () => this.write(await this.lesson()),
      link: async () => {
        const text = await this.lesson();
        if (text !== undefined) this.write(this.link(text), "The part in quotes also opens this session where it follows the address of an open lab.");
      },
      report: () => this.report(),
    };
    const forms = h("span", { class: "gl-joined" }, Object.entries(as).map(([name, does]) => button(`As ${name}`, does, { class: "is-small" })));
    this.node = h(
      "div",
      { class: "gl-pad gl-lesson" },
      h("div", { class: "gl-tools gl-first" }, this.title, fileButton("Open file", ".toml", (file) => lab.openFile(file)), forms),
      h("div", { class: "gl-tools gl-first" }, this.text, note),
      this.list,
      h("p", { class: "gl-words" }, "Parts to put away:"),
      this.hide,
      this.code,
    );
  }

  update() {
    const { setup, catalog } = this.lab;
    if (!this.title.matches(":focus")) this.title.value = setup.title;
    if (!this.hide.childElementCount) {
      this.boxes = catalog.controls.map((name) => h("input", { type: "checkbox", value: name }));
      this.hide.append(...this.boxes.map((box) => h("label", { class: "gl-ask" }, box, box.value)));
    }
    this.boxes.forEach((box) => (box.checked = setup.hidden.includes(box.value)));
    this.list.replaceChildren(
      ...setup.notes.map(({ iteration, text }) =>
        h("li", {}, button(`Iteration ${count(iteration)}`, () => this.lab.seek(Math.min(iteration, this.lab.frame.last)), { class: "is-quiet is-small" }), h("span", {}, cut(text, 90)), button("Remove", () => this.note(iteration, ""), { class: "is-quiet is-small is-square", "aria-label": `Remove the note at iteration ${iteration}` }, icon("close"))),
      ),
    );
  }

  async note(iteration, text) {
    const answer = await this.lab.do("note", { iteration, text });
    if (!answer.error) this.text.value = "";
  }

  // The session as a lesson's text, with the title and the parts to put away that stand here.
  async lesson() {
    const hidden = this.boxes.filter((box) => box.checked).map((box) => box.value);
    return (await this.lab.do("lesson", { title: this.title.value.trim(), hidden })).text;
  }

  file(ending) {
    const { setup } = this.lab;
    const words = this.title.value.trim() || setup.title || setup.data.name;
    return `${words.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 40) || "lesson"}.${ending}`;
  }

  async save() {
    const text = await this.lesson();
    if (text === undefined) return;
    const name = this.file("toml");
    download(name, text);
    this.lab.whisper(`Saved as ${name}. glassnet lab ${name} plays it.`);
  }

  async report() {
    this.lab.whisper("The report is being written; training goes on.");
    const { text } = await this.lab.do("report");
    if (text === undefined) return;
    const name = this.file("html");
    download(name, text, "text/html");
    this.lab.whisper(`Saved as ${name}, which any browser opens.`);
  }

  link(text) {
    const link = `#${new URLSearchParams({ lesson: text })}`;
    if (link.length <= LONGEST_LINK) return `glassnet lab '${link}'`;
    this.lab.say(`With its data this session makes a link of ${count(link.length)} characters, and few programs take one of over ${count(LONGEST_LINK)}: save it as a lesson.`);
    return undefined;
  }

  write(text, words = "") {
    this.code.hidden = text === undefined;
    this.code.textContent = text ?? "";
    this.code.scrollIntoView({ block: "nearest" });
    if (text !== undefined && words) this.lab.whisper(words);
  }
}

// ---- The lab -------------------------------------------------------------------------------------

class Lab {
  constructor(model, el) {
    this.setup = this.samples = this.frame = null;
    this.arrays = {};
    this.chosen = null;
    this.busy = 0;
    this.trouble = "";
    this.link = new Link(model, (frame, arrays) => this.receive(frame, arrays));
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    this.palette = new Palette(dark.matches);
    this.numbers = new NumbersView(this);
    this.views = [new MapView(this), new LossView(this), new NetworkView(this)];
    this.build(el);
    this.paint(dark.matches);
    const turn = () => this.paint(dark.matches);
    dark.addEventListener("change", turn);
    const seen = () => {
      if (!document.hidden) this.show();
    };
    document.addEventListener("visibilitychange", seen);
    const follow = () => this.openLink();
    // In a notebook what stands behind the # is not for the lab.
    if (el.parentElement === document.body) {
      this.root.classList.add("is-page");
      window.addEventListener("hashchange", follow);
      follow();
    }
    this.cleanup = () => {
      dark.removeEventListener("change", turn);
      document.removeEventListener("visibilitychange", seen);
      window.removeEventListener("hashchange", follow);
      this.link.close();
      this.root.remove();
    };
  }

  build(el) {
    const act = (name, does, shape, settings = {}) =>
      button(name, does, { title: name, ...settings }, icon(shape), h("span", {}, name));
    this.status = h("div", { class: "gl-status", role: "status", "aria-live": "polite", "aria-atomic": "true" });
    this.chip = h("span", { class: "gl-chip" });
    this.iterationText = h("b", {}, "–");
    this.lossText = h("b", {}, "–");
    this.status.append(h("span", {}, "Iteration "), this.iterationText, h("span", {}, " · loss "), this.lossText, this.chip);
    this.buttons = {
      reset: act("Reset", () => this.do("reset"), "reset"),
      back: act("Step back", () => this.do("step_back"), "back"),
      play: act("Play", () => this.do("play"), "play", { class: "is-main" }),
      pause: act("Pause", () => this.do("pause"), "pause"),
      step: act("Step", () => this.do("step"), "step"),
      branch: act("Branch here", () => this.do("branch"), "branch"),
    };
    this.slider = h("input", { type: "range", min: 0, max: 1, step: 1, value: 0, "aria-label": "Iteration" });
    this.slider.addEventListener("input", () => this.seek(this.slider.valueAsNumber));
    this.marks = h("div", { class: "gl-marks", role: "img", "aria-label": "Where settings, weights or data changed" });
    this.pace = select("Speed", (value) => this.do("pace", { iterations: value === "" ? null : Number(value) }), [
      ["", "Full speed"],
      ...[1, 5, 20, 100, 1000].map((n) => [String(n), `${count(n)} a frame`]),
    ]);
    this.title = h("small", {}, "live lab");
    this.noteText = h("p");
    this.note = h("div", { class: "gl-note", hidden: true }, this.noteText,
      button("Dismiss", () => this.say(""), { class: "is-quiet is-small is-square", "aria-label": "Dismiss" }, icon("close")));
    const theme = button("Dark or light", () => this.paint(!this.palette.dark), { class: "is-quiet is-square", "aria-label": "Dark or light", title: "Dark or light" }, icon("theme"));
    this.tips = h("div", { class: "gl-tip", hidden: true });
    const [map, loss, net] = this.views.map(({ node }) => node);
    this.panels = [new DataPanel(this), new LayersPanel(this), new TrainingPanel(this)];
    const side = h("aside", { class: "gl-panel gl-side", "aria-label": "Settings" }, this.panels.map(({ node }) => node));
    this.inspector = new InspectorView(this);
    this.branches = new BranchesView(this);
    this.lows = {
      "All numbers": this.numbers,
      Inspector: this.inspector,
      "Why it does not learn": new WhyView(this),
      Branches: this.branches,
      Results: new ResultsView(this),
      "Hidden layer": new HiddenView(this),
      Lesson: new LessonView(this),
    };
    this.lessons = select("Lessons", (name) => {
      this.lessons.value = "";
      if (name) this.do("open_lesson", { name });
    });
    const save = button("Save lesson", () => this.lows.Lesson.save(), { class: "is-small" });
    this.story = h("div", { class: "gl-note gl-story", role: "note", hidden: true });
    const low = h("div", { class: "gl-panel gl-low" }, this.tabs(), this.pane);
    this.root = h(
      "div",
      { class: "glassnet-lab" },
      h(
        "div",
        { class: "gl-root" },
        h("header", { class: "gl-bar" }, h("h1", { class: "gl-brand" }, "glassnet ", this.title), this.status, this.lessons, save, theme),
        h(
          "div",
          { class: "gl-time", role: "group", "aria-label": "Time" },
          h("div", { class: "gl-buttons" }, Object.values(this.buttons)),
          h("span", { class: "gl-label", "aria-hidden": "true" }, "Iteration"),
          h("div", { class: "gl-rail" }, this.marks, this.slider),
          this.pace,
        ),
        h("div", { class: "gl-notices" }, this.story, this.note),
        h("main", { class: "gl-body" }, side, net, map, low, loss),
      ),
      this.tips,
    );
    el.append(this.root);
    this.root.addEventListener("dragover", (event) => event.preventDefault());
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer.files[0];
      if (file) this.openFile(file);
    });
  }

  // Tabs by the pattern of ARIA: arrow keys go from one to the next.
  tabs() {
    const name = unique("pane");
    this.pane = h("div", { class: "gl-pane", role: "tabpanel", id: name, tabIndex: 0 });
    const bar = h("div", { class: "gl-tabs", role: "tablist", "aria-label": "Numbers and words" });
    for (const words of Object.keys(this.lows)) {
      bar.append(h("button", { type: "button", role: "tab", id: `${name}-${bar.childElementCount}`, "aria-controls": name, onclick: () => this.open(words) }, words));
    }
    bar.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      const names = Object.keys(this.lows);
      const next = (names.indexOf(this.opened) + by + names.length) % names.length;
      this.open(names[next]);
      bar.children[next].focus();
    });
    this.bar = bar;
    this.open("All numbers");
    return bar;
  }

  open(words) {
    this.opened = words;
    [...this.bar.children].forEach((tab) => {
      const on = tab.textContent === words;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      if (on) this.pane.setAttribute("aria-labelledby", tab.id);
    });
    this.pane.replaceChildren(this.lows[words].node);
    if (!this.setup) return;
    this.lows[words].update?.();
    this.lows[words].draw?.();
  }

  paint(dark) {
    this.palette = new Palette(dark);
    this.root.classList.toggle("is-dark", dark);
    this.draw();
  }

  async do(name, settings = {}) {
    // The first use of a set or a table may have to load a library: the page says that it works on it.
    let said = false;
    const slow = setTimeout(() => {
      said = true;
      this.busy += 1;
      this.draw();
    }, 400);
    const answer = await this.link.ask(name, settings);
    clearTimeout(slow);
    if (said) {
      this.busy -= 1;
      this.draw();
    }
    if (answer.error) this.say(answer.error);
    else if (answer.note) this.whisper(answer.note);
    else if (!this.trouble) this.say("");
    return answer;
  }

  // A link has a lesson behind its #, which goes once it is open: loading the page again begins nothing anew.
  openLink() {
    if (!location.hash.startsWith(LINK)) return;
    const text = new URLSearchParams(location.hash.slice(1)).get("lesson");
    history.replaceState(null, "", location.pathname);
    this.do("open_lesson", { text });
  }

  async openFile(file) {
    if (file.size > 8_000_000) {
      this.say(`${file.name} has ${(file.size / 1e6).toFixed(1)} MB; the page opens tables of up to 8 MB. Open larger ones in Python: gn.lab(gn.read_table(path), target).`);
      return;
    }
    const text = await file.text();
    if (/\.toml$/i.test(file.name)) this.do("open_lesson", { text });
    else this.do("open_table", { name: file.name, text });
  }

  // What went wrong, or what is worth knowing.
  say(words, good = false) {
    this.noteText.textContent = words;
    this.note.hidden = !words;
    this.note.classList.toggle("is-bad", !good);
    this.note.setAttribute("role", good ? "note" : "alert");
  }

  whisper(words) {
    this.say(words, true);
    clearTimeout(this.hush);
    this.hush = setTimeout(() => this.noteText.textContent === words && this.say(""), 8000);
  }

  seek(iteration) {
    this.do("seek", { iteration });
  }

  outputName(i, brief = false) {
    const { data, network } = this.setup;
    if (!this.isClass) return data.target;
    // A single output is the probability of the second class.
    const name = network.sizes.at(-1) === 1 ? data.classes.at(-1) : (data.classes[i] ?? String(i));
    return brief ? name : `P(${name})`;
  }

  get isClass() {
    return this.setup.data.classes.length > 0;
  }

  // The color of a sample that is drawn, by its target.
  colorOf(i) {
    const { samples, palette } = this;
    const value = samples.targets[i];
    if (this.isClass) return palette.of(value);
    const [low, high] = samples.range;
    return unpacked(palette.values[Math.round((255 * (value - low)) / (high - low || 1))]);
  }

  // Explain a number; with `edits`, to set it.
  choose(what, edits = false) {
    this.chosen = what;
    this.inspector.take(what);
    this.open("Inspector");
    this.draw();
    if (edits) this.inspector.value.select();
  }

  // A press on the map draws, or explains the sample that is nearest.
  async pressMap(place, event) {
    if (!place || !this.samples) return;
    const map = this.views[0];
    const [px, py] = map.canvas.at(event);
    let nearest = null;
    let least = 12;
    this.samples.points.forEach(([x, y], i) => {
      const apart = Math.hypot(map.x(x) - px, (y === undefined ? py : map.y(y)) - py);
      if (apart < least) {
        least = apart;
        nearest = { row: this.samples.rows[i], target: this.samples.targets[i], held_out: this.samples.held_out[i] };
      }
    });
    if (await this.panels[0].press(place, nearest)) return;
    if (nearest && !nearest.held_out) this.choose({ kind: "sample", sample: nearest.row });
  }

  about(what) {
    const { arrays } = this;
    const { kind, layer, unit } = what;
    if (!arrays.parameters) return nameOf(what);
    const index = indexOf(this.setup.network.sizes, what);
    const value = arrays.parameters.data[index];
    const gradient = arrays.gradient ? arrays.gradient.data[index] : null;
    if (kind === "unit") return `Unit ${unit} of layer ${layer}\nbias ${full(value)}\ngradient ${full(gradient)}`;
    return `${nameOf(what)}\nvalue ${full(value)}\ngradient ${full(gradient)}`;
  }

  tip(node, x = 0, y = 0, words = "") {
    this.tips.hidden = !node;
    if (!node) return;
    this.tips.textContent = words;
    const [at, box] = [node.getBoundingClientRect(), this.root.getBoundingClientRect()];
    const { offsetWidth, offsetHeight } = this.tips;
    const left = at.left - box.left + x + 14;
    const top = at.top - box.top + y + 14;
    this.tips.style.left = `${left + offsetWidth > box.width - 8 ? Math.max(8, left - offsetWidth - 28) : left}px`;
    this.tips.style.top = `${top + offsetHeight > box.height - 8 ? Math.max(8, top - offsetHeight - 28) : top}px`;
  }

  // A frame is drawn when the screen is, and the next one asked for then; a hidden page asks for none.
  async receive(frame, arrays) {
    const first = !this.frame;
    // In motion most frames are rough: what they lack stays as the last whole one had it.
    if (frame.rough && this.frame && this.frame.setup === frame.setup) {
      this.frame = { ...this.frame, ...frame };
      this.arrays = { ...this.arrays, ...arrays };
    } else [this.frame, this.arrays] = [frame, arrays];
    if (!this.setup || this.setup.setup !== frame.setup) {
      const asked = ["catalog", "setup", "samples"].map((name) => (name === "catalog" && this.catalog) || this.link.ask(name));
      const answers = await Promise.all(asked);
      if (!answers.some(({ error }) => error)) {
        [this.catalog, this.setup, this.samples] = answers;
        const { targets } = this.samples;
        this.samples.range = [Math.min(...targets), Math.max(...targets)];
        this.changed();
      }
    }
    if (!document.hidden || first) this.show();
  }

  show() {
    if (!this.frame || this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      const { rough, state } = this.frame;
      if (rough && state === this.state) this.drawMoving();
      else this.draw();
      this.link.taken();
    });
  }

  changed() {
    const { data, network } = this.setup;
    this.title.textContent = this.setup.title || data.name;
    const key = network.sizes.join("-");
    if (key !== this.shape) {
      this.shape = key;
      this.numbers.build();
      this.chosen = null;
      Object.assign(this.inspector.place, { layer: 1, unit: 0, input: 0 });
    }
    this.inspector.place.sample = Math.min(this.inspector.place.sample, data.samples - 1);
    for (const panel of this.panels) panel.update();
    this.branches.update();
    this.lows.Lesson.update();
    this.lessons.fill([["", "Lessons"], ...Object.entries(this.catalog.lessons)]);
    this.lessons.value = "";
    const map = this.views[0];
    const inputs = [["", "principal"], ...data.features.map((name) => [name, name])];
    map.across.fill(inputs);
    map.up.fill(inputs);
    const shown = this.samples.labels.map((name) => (data.features.includes(name) ? name : ""));
    [map.across.value, map.up.value] = [shown[0], shown[1] ?? ""];
    map.across.hidden = map.up.hidden = data.features.length <= 2;
    map.solid.hidden = this.samples.span.length === 1;
    if (map.solid.hidden) map.raise(false);
    this.putAway();
    this.pace.show(this.setup.pace === null ? "" : String(this.setup.pace));
  }

  // What a lesson hides, and the tab that it opens.
  putAway() {
    const { hidden, opens } = this.setup;
    const away = ["data", "layers", "training"].map((name) => hidden.includes(name));
    this.panels.forEach(({ node }, i) => (node.hidden = away[i]));
    this.views[0].title.textContent = this.setup.data.classes.length ? "Decision map" : "Prediction";
    this.root.classList.toggle("is-without-side", away.every(Boolean));
    const names = Object.keys(this.lows);
    [...this.bar.children].forEach((tab, i) => (tab.hidden = hidden.includes(CONTROLS[names[i]])));
    const open = opens ? names.find((name) => CONTROLS[name] === opens) : null;
    if (this.begun !== `${this.setup.title} ${opens}`) {
      this.begun = `${this.setup.title} ${opens}`;
      if (open) this.open(open);
    }
    if (hidden.includes(CONTROLS[this.opened])) this.open(names.find((name) => !hidden.includes(CONTROLS[name])));
  }

  // The note of a lesson that was reached last.
  tell() {
    const reached = this.setup.notes.filter(({ iteration }) => iteration <= this.frame.iteration).at(-1);
    const words = reached ? reached.text.trim() : "";
    this.story.hidden = !words;
    if (words === this.storyWords) return;
    this.storyWords = words;
    this.story.replaceChildren(h("b", {}, reached ? `Iteration ${count(reached.iteration)}` : ""), h("p", {}, words));
  }

  // What moves as smoothly as frames come. Digits that change 30 times a second nobody reads: they, and all that
  // needs a whole frame, wait for one.
  drawMoving() {
    if (!this.frame || !this.setup) return;
    const [map, , net] = this.views;
    map.draw();
    net.draw();
    if (this.frame.iteration < this.frame.last) this.slider.value = this.frame.iteration;
  }

  draw() {
    if (!this.frame || !this.setup) return;
    const { frame } = this;
    this.state = frame.state;
    this.drawMoving();
    this.views[1].draw();
    this.tell();
    put(this.iterationText, String(frame.iteration));
    put(this.lossText, full(frame.loss));
    const past = frame.iteration < frame.last ? ` · wound back from ${count(frame.last)}` : "";
    const speed = frame.state === "playing" && frame.speed > 0 && !past ? ` · ${short(frame.speed, 3)} a second` : "";
    put(this.chip, this.busy ? "working …" : `${frame.state}${past}${speed}`);
    this.chip.className = `gl-chip${frame.state === "playing" ? " is-live" : frame.state === "diverged" ? " is-bad" : ""}`;
    this.status.setAttribute("aria-live", frame.state === "playing" ? "off" : "polite");
    this.buttons.play.setAttribute("aria-pressed", String(frame.state === "playing"));
    if (frame.trouble !== this.trouble) {
      this.trouble = frame.trouble;
      this.say(frame.trouble, frame.state === "ended");
    }
    this.slider.max = Math.max(frame.last, 1);
    this.slider.value = frame.iteration;
    this.slider.setAttribute("aria-valuetext", `${frame.iteration} of ${frame.last}`);
    this.buttons.back.disabled = frame.iteration === 0;
    this.lows["Why it does not learn"].draw();
    if (this.opened !== "Why it does not learn") this.lows[this.opened].draw?.();
    if (frame.state !== "playing") this.panels[2].askLimit();
    this.drawMarks();
  }

  // Ticks over the slider where something changed, or a note stands.
  drawMarks() {
    const last = Math.max(this.frame.last, 1);
    const { events, notes } = this.setup;
    const tick = (look) => ({ iteration }) => h("i", { class: look, style: `left: ${(100 * iteration) / last}%` });
    this.marks.replaceChildren(...events.map(tick("")), ...notes.filter(({ iteration }) => iteration <= last).map(tick("is-note")));
  }
}

const CONTROLS = { "All numbers": "numbers", Inspector: "inspector", "Why it does not learn": "why", Branches: "branches", Results: "results", "Hidden layer": "hidden layer", Lesson: "" };

export default {
  render({ model, el }) {
    const lab = new Lab(model, el);
    lab.link.taken(); // it listens: the first frame may come
    return () => lab.cleanup();
  },
};
