// A map of pictures. Python is told [serial, rows...] of those that a lasso holds; a place p lies at shift + zoom * p, y downwards.
const known = new WeakMap();

function make(root) {
  const element = (tag, set, parent) => Object.assign((parent ?? root).appendChild(document.createElement(tag)), set);
  const tools = element("div", { className: "map-tools" });
  const own = { hidden: {}, zoom: 1, shift: [0, 0], chosen: new Set(), hot: -1, held: null, path: null, lasso: true, asked: false, atlas: new Image() };
  own.pan = element("button", { textContent: "Move", title: "Drag to move the map (space held does so, too)" }, tools);
  own.pick = element("button", { textContent: "Lasso", title: "Drag around points to pick them; with shift, add to them" }, tools);
  own.clear = element("button", { textContent: "Pick none" }, tools);
  own.whole = element("button", { textContent: "Whole map" }, tools);
  own.by = element("select", { ariaLabel: "Colour by" }, element("label", { textContent: "Colour by " }, tools));
  const shows = element("label", {}, tools);
  own.pictures = element("input", { type: "checkbox", checked: true }, shows);
  shows.append("Pictures");
  own.size = element("input", { type: "range", min: 10, max: 96, value: 34, ariaLabel: "Size" }, element("label", { textContent: "Size " }, tools));
  own.count = element("span", { className: "count", role: "status" }, tools);
  own.field = element("div", { className: "map-field" });
  own.canvas = element("canvas", { ariaLabel: "Map of pictures", role: "img" }, own.field);
  own.near = element("div", { className: "map-near" }, own.field);
  own.names = element("div", { className: "map-names" });
  own.parts = [tools, own.field, own.names];
  own.pen = own.canvas.getContext("2d");
  own.draw = () => {
    if (own.asked) return;
    own.asked = true;
    requestAnimationFrame(() => { own.asked = false; paint(own); });
  };
  own.observer = new ResizeObserver(() => { if (!own.placed) whole(own); own.draw(); });
  own.observer.observe(own.field);
  own.atlas.onload = own.draw;
  own.pan.onclick = () => mode(own, false);
  own.pick.onclick = () => mode(own, true);
  own.clear.onclick = () => choose(own, new Set());
  own.whole.onclick = () => whole(own);
  own.by.onchange = () => { list(own); own.draw(); };
  own.pictures.oninput = own.size.oninput = own.draw;
  listen(own);
  mode(own, true);
  return own;
}

const group = (own, i) => own.data.groups[own.by.value][i];
const shown = (own, i) => !own.hidden[own.by.value].has(group(own, i));
const color = (own, i) => own.data.colors[own.by.value][group(own, i)];
const at = (own, i) => [own.shift[0] + own.zoom * own.data.points[i][0], own.shift[1] - own.zoom * own.data.points[i][1]];
const tile = ({ data: { tile: [w, h, columns] } }, i) => [(i % columns) * w, Math.floor(i / columns) * h, w, h];

function mode(own, lasso) {
  own.lasso = lasso;
  own.pan.ariaPressed = String(!lasso);
  own.pick.ariaPressed = String(lasso);
  own.canvas.classList.toggle("lasso", lasso);
}
function whole(own) {
  const { width, height } = own.field.getBoundingClientRect();
  if (!width) return;
  own.placed = true;
  own.zoom = 0.46 * Math.min(width, height);
  own.shift = [width / 2, height / 2];
  own.draw();
}
function choose(own, chosen) {
  own.chosen = chosen;
  own.draw();
  own.send("picked", [Date.now(), ...[...chosen].sort((a, b) => a - b)]);
}
function paint(own) {
  const { width, height } = own.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, pen = own.pen;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (own.canvas.width !== size[0] || own.canvas.height !== size[1]) [own.canvas.width, own.canvas.height] = size;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const pictures = own.pictures.checked && own.atlas.complete && own.atlas.naturalWidth > 0, side = Number(own.size.value), taken = new Set();
  let count = 0;
  for (let i = 0; i < own.data.points.length; i++) {
    if (!shown(own, i)) continue;
    count++;
    const [x, y] = at(own, i);
    if (x < -side || y < -side || x > width + side || y > height + side) continue;
    // A coarse grid of what is taken keeps pictures from lying over one another: the first of each place is drawn.
    const cell = `${Math.round((x - own.shift[0]) / side * 1.6)} ${Math.round((y - own.shift[1]) / side * 1.6)}`;
    pen.globalAlpha = own.chosen.size && !own.chosen.has(i) ? 0.35 : 1;
    if (pictures && !taken.has(cell)) {
      taken.add(cell);
      picture(own, i, x, y, side, own.chosen.has(i) ? 4 : 2);
    } else {
      pen.fillStyle = color(own, i);
      pen.beginPath();
      pen.arc(x, y, (pictures ? 2 : Math.max(2, side / 9)) + (own.chosen.has(i) ? 1.5 : 0), 0, 7);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
  if (own.hot >= 0 && shown(own, own.hot)) picture(own, own.hot, ...at(own, own.hot), Math.max(side, 48), 3);
  if (own.path) {
    const style = getComputedStyle(own.field);
    pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--st-primary-color") || "#0b6e6e";
    pen.lineWidth = 2;
    pen.setLineDash([5, 4]);
    pen.beginPath();
    for (const [x, y] of own.path) pen.lineTo(x, y);
    pen.closePath();
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 0.1;
    pen.fill();
    pen.globalAlpha = 1;
  }
  own.count.textContent = `${own.chosen.size} picked, ${count} of ${own.data.points.length} shown`;
}
function picture(own, i, x, y, side, line) {
  const [left, top, w, h] = tile(own, i);
  if (own.atlas.complete && own.atlas.naturalWidth) own.pen.drawImage(own.atlas, left, top, w, h, x - side / 2, y - side / 2, side, side);
  own.pen.strokeStyle = color(own, i);
  own.pen.lineWidth = line;
  own.pen.strokeRect(x - side / 2, y - side / 2, side, side);
}
function inside(path, x, y) {
  let odd = false;
  for (let i = 0, j = path.length - 1; i < path.length; j = i++) {
    const [a, b] = path[i], [c, d] = path[j];
    if ((b > y) !== (d > y) && x < (c - a) * (y - b) / (d - b) + a) odd = !odd;
  }
  return odd;
}
function place(own, event) {
  const box = own.canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
function near(own, event) {
  const [x, y] = place(own, event);
  let best = -1, away = 24 ** 2;
  for (let i = 0; i < own.data.points.length; i++) {
    if (!shown(own, i)) continue;
    const [a, b] = at(own, i), d = (a - x) ** 2 + (b - y) ** 2;
    if (d < away) [best, away] = [i, d];
  }
  return best;
}
function tell(own, event) {
  if (own.hot < 0) { own.near.style.display = "none"; return; }
  const made = document.createElement("canvas"), [left, top, w, h] = tile(own, own.hot);
  [made.width, made.height] = [w, h];
  if (own.atlas.complete && own.atlas.naturalWidth) made.getContext("2d").drawImage(own.atlas, left, top, w, h, 0, 0, w, h);
  const lines = Object.entries(own.data.groups).map(([key, values]) => `${key}: ${values[own.hot] || "none"}`);
  own.near.replaceChildren(made, [own.data.names[own.hot], ...lines].join("\n"));
  own.near.style.display = "block";
  const [x, y] = place(own, event), box = own.field.getBoundingClientRect();
  own.near.style.left = `${Math.max(0, x + 280 > box.width ? x - own.near.offsetWidth - 16 : x + 16)}px`;
  own.near.style.top = `${Math.max(0, Math.min(y + 12, box.height - own.near.offsetHeight - 8))}px`;
}
function list(own) {
  const key = own.by.value, counts = {};
  for (const name of own.data.groups[key]) counts[name] = (counts[name] || 0) + 1;
  own.names.replaceChildren(...Object.keys(own.data.colors[key]).map((name) => {
    const made = document.createElement("button"), dot = document.createElement("i");
    dot.style.background = own.data.colors[key][name];
    made.append(dot, `${name || "none"} (${counts[name]})`);
    made.title = "Hide or show these";
    made.ariaPressed = String(!own.hidden[key].has(name));
    made.onclick = () => {
      if (!own.hidden[key].delete(name)) own.hidden[key].add(name);
      list(own);
      own.draw();
    };
    return made;
  }));
}
function listen(own) {
  const canvas = own.canvas;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY / 400), middle = place(own, event);
    own.shift = own.shift.map((value, axis) => middle[axis] - factor * (middle[axis] - value));
    own.zoom *= factor;
    own.draw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    own.hot = -1;
    if (own.lasso && event.button === 0) own.path = [place(own, event)];
    else own.held = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (own.path) own.path.push(place(own, event));
    else if (own.held) {
      own.shift = [own.shift[0] + event.clientX - own.held[0], own.shift[1] + event.clientY - own.held[1]];
      own.held = [event.clientX, event.clientY];
    } else own.hot = near(own, event);
    tell(own, event);
    own.draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    const path = own.path;
    own.path = own.held = null;
    if (!path) return;
    // A click picks the point under it.
    const one = path.length < 4 ? near(own, event) : -1;
    const found = path.length < 4 ? (one < 0 ? [] : [one])
      : own.data.points.map((_, i) => i).filter((i) => shown(own, i) && inside(path, ...at(own, i)));
    choose(own, new Set(event.shiftKey ? [...own.chosen, ...found] : found));
  });
  canvas.addEventListener("pointercancel", () => { own.path = own.held = null; own.draw(); });
  canvas.addEventListener("pointerleave", () => { own.hot = -1; own.near.style.display = "none"; own.draw(); });
}

export default function ({ data, parentElement, setStateValue }) {
  const own = known.get(parentElement) ?? make(parentElement);
  known.set(parentElement, own);
  const another = own.data?.atlas !== data.atlas;
  Object.assign(own, { data, send: setStateValue });
  if (another) {
    own.by.replaceChildren(...Object.keys(data.groups).map((key) => new Option(key, key)));
    own.hidden = Object.fromEntries(Object.keys(data.groups).map((key) => [key, new Set()]));
    own.chosen = new Set(data.picked);
    own.atlas.src = data.atlas;
    list(own);
    own.placed = false;
    whole(own);
  }
  own.draw();
  return () => {
    own.observer.disconnect();
    known.delete(parentElement);
    for (const part of own.parts) part.remove();
  };
}
