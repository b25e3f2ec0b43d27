// One proposal on its image. Python is told {serial, id, version, action, box, parts}; points are pixels with the image's top-left corner at (0, 0).
const known = new WeakMap();
const HIT = 12, GRIP = 6, LABEL = "#4fd1ff";

function make(root) {
  const element = (tag, set, parent) => Object.assign((parent ?? root).appendChild(document.createElement(tag)), set);
  const box = element("div", { className: "review", tabIndex: 0, role: "group", ariaLabel: "Proposal: A accepts it, R refuses it" });
  const tools = element("div", { className: "review-tools" }, box);
  const own = { box, zoom: 1, shift: [0, 0], held: null, hot: null, image: new Image(), asked: false, serial: 0 };
  own.accept = element("button", { className: "accept", textContent: "Accept (A)" }, tools);
  own.reject = element("button", { className: "reject", textContent: "Refuse (R)" }, tools);
  own.reset = element("button", { textContent: "As proposed (U)" }, tools);
  own.near = element("button", { textContent: "Near (F)" }, tools);
  own.whole = element("button", { textContent: "Whole image (W)" }, tools);
  const shows = element("label", { title: "Labels that are there already, dashed" }, tools);
  own.labels = element("input", { type: "checkbox", checked: true }, shows);
  shows.append("Labels (L)");
  own.labels.onchange = () => own.draw();
  own.said = element("span", { className: "said", role: "status" }, tools);
  own.field = element("div", { className: "review-field" }, box);
  own.canvas = element("canvas", { role: "img", ariaLabel: "Proposal on its image" }, own.field);
  element("div", {
    className: "review-help",
    textContent: "Drag a keypoint, or a corner of a box, to correct it; a right click takes a keypoint away or brings it back. Dragging elsewhere moves the image, the wheel zooms.",
  }, box);
  own.pen = own.canvas.getContext("2d");
  own.draw = () => {
    if (own.asked) return;
    own.asked = true;
    requestAnimationFrame(() => { own.asked = false; paint(own); });
  };
  own.observer = new ResizeObserver(() => look(own, true));
  own.observer.observe(own.field);
  own.accept.onclick = () => tell(own, "accepted");
  own.reject.onclick = () => tell(own, "rejected");
  own.reset.onclick = () => { start(own); own.draw(); };
  own.near.onclick = () => look(own, true);
  own.whole.onclick = () => look(own, false);
  own.key = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented || !box.checkVisibility()) return;
    const from = event.composedPath()[0];
    if (from instanceof Element && from.closest("input, textarea, select, [contenteditable=true], [role=combobox], [role=listbox], [role=dialog]")) return;
    const button = { a: own.accept, r: own.reject, u: own.reset, f: own.near, w: own.whole, l: own.labels }[event.key.toLowerCase()];
    if (!button || button.disabled) return;
    event.preventDefault();
    button.click();
  };
  document.addEventListener("keydown", own.key);
  listen(own);
  return own;
}

// What can be dragged: corners of the box, and keypoints, as [kind, name, x, y, is there].
function start(own) {
  const { box, parts } = own.data.proposed;
  own.corners = box ? [...box] : null;
  own.parts = parts.map((part) => ({ ...part }));
  own.moved = { box: false, parts: new Set() };
}
function handles(own) {
  const found = own.parts.map((part) => ({ part, x: part.x, y: part.y }));
  if (own.corners) for (const [i, j] of [[0, 1], [2, 1], [0, 3], [2, 3]]) found.push({ corner: [i, j], x: own.corners[i], y: own.corners[j] });
  return found;
}
function at(own, x, y) { return [own.shift[0] + own.zoom * x, own.shift[1] + own.zoom * y]; }
function back(own, event) {
  const box = own.canvas.getBoundingClientRect();
  return [(event.clientX - box.left - own.shift[0]) / own.zoom, (event.clientY - box.top - own.shift[1]) / own.zoom];
}
function look(own, near) {
  const { width, height } = own.field.getBoundingClientRect();
  if (!width || !own.data) return;
  let [x1, y1, x2, y2] = [0, 0, ...own.data.size];
  if (near) {
    const points = handles(own), [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
    const reach = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 24) * 1.1;
    const middle = [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2];
    [x1, y1, x2, y2] = [middle[0] - reach, middle[1] - reach, middle[0] + reach, middle[1] + reach];
  }
  own.zoom = Math.min(width / (x2 - x1), height / (y2 - y1));
  const middle = [width / 2 - own.zoom * (x1 + x2) / 2, height / 2 - own.zoom * (y1 + y2) / 2];
  // No more black beside the image than there must be.
  own.shift = middle.map((value, axis) => {
    const free = [width, height][axis] - own.zoom * own.data.size[axis];
    return free > 0 ? free / 2 : Math.min(HIT, Math.max(free - HIT, value));
  });
  own.draw();
}
function paint(own) {
  const { width, height } = own.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, pen = own.pen;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (own.canvas.width !== size[0] || own.canvas.height !== size[1]) [own.canvas.width, own.canvas.height] = size;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const [w, h] = own.data.size;
  pen.imageSmoothingEnabled = own.zoom < 3;
  if (own.image.complete && own.image.naturalWidth) pen.drawImage(own.image, ...at(own, 0, 0), w * own.zoom, h * own.zoom);
  const line = (color, wide) => { pen.strokeStyle = color; pen.lineWidth = wide; pen.stroke(); };
  pen.font = "12px sans-serif";
  paintLabels(own, pen, line);
  const there = new Map(own.parts.filter((part) => !part.outside).map((part) => [part.name, part]));
  for (const [from, to] of own.data.edges) {
    const a = there.get(from), b = there.get(to);
    if (!a || !b) continue;
    pen.beginPath();
    pen.moveTo(...at(own, a.x, a.y));
    pen.lineTo(...at(own, b.x, b.y));
    line("rgba(0,0,0,.6)", 4);
    line("#ffbe00", 2);
  }
  if (own.corners) {
    const [x1, y1] = at(own, own.corners[0], own.corners[1]), [x2, y2] = at(own, own.corners[2], own.corners[3]);
    pen.beginPath();
    pen.rect(x1, y1, x2 - x1, y2 - y1);
    line("rgba(0,0,0,.6)", 4);
    line("#ffbe00", 2);
  }
  for (const handle of handles(own)) {
    const [x, y] = at(own, handle.x, handle.y), { part } = handle, hot = own.hot && same(own.hot, handle);
    pen.beginPath();
    if (part) pen.arc(x, y, hot ? GRIP + 2 : GRIP, 0, 7);
    else pen.rect(x - GRIP + 1, y - GRIP + 1, 2 * GRIP - 2, 2 * GRIP - 2);
    pen.globalAlpha = part?.outside ? 0.4 : 1;
    const about = part && own.data.about.includes(part.name);
    const changed = part ? own.moved.parts.has(part.name) : own.moved.box;
    pen.fillStyle = changed ? "#35c4ff" : about ? "#ff5a3c" : "#ffbe00";
    pen.fill();
    line(part?.outside ? "#fff" : "#000", 1.5);
    if (part && (hot || about || own.zoom > 3)) {
      named(pen, x + 9, y - 9, part.outside ? `${part.name} (taken away)` : part.name);
    }
    pen.globalAlpha = 1;
  }
  const count = own.moved.parts.size + (own.moved.box ? 1 : 0);
  own.said.textContent = count ? `${count} corrected` : own.data.state;
  own.reset.disabled = !count;
  for (const button of [own.accept, own.reject]) button.disabled = own.data.locked;
}
function named(pen, x, y, text) {
  pen.fillStyle = "rgba(0,0,0,.65)";
  pen.fillRect(x, y, pen.measureText(text).width + 6, 17);
  pen.fillStyle = "#fff";
  pen.fillText(text, x + 3, y + 13);
}
// What is labelled already: thin and dashed, what the proposal is to replace stronger, and how far its keypoints are to move.
function paintLabels(own, pen, line) {
  own.labels.parentElement.style.display = own.data.labelled.length ? "" : "none";
  if (!own.labels.checked) return;
  const parts = new Map(own.parts.filter((part) => !part.outside).map((part) => [part.name, part]));
  for (const label of own.data.labelled) {
    pen.save();
    pen.globalAlpha = label.own || !own.data.corrects ? 1 : 0.45;
    pen.setLineDash([5, 4]);
    if (label.box) {
      const [x1, y1] = at(own, label.box[0], label.box[1]), [x2, y2] = at(own, label.box[2], label.box[3]);
      pen.beginPath();
      pen.rect(x1, y1, x2 - x1, y2 - y1);
      line("rgba(0,0,0,.6)", 3);
      line(LABEL, 1.5);
      if (label.own) named(pen, x1 + 2, y2 - 17, `label: ${label.class}`);
    }
    for (const [from, to] of own.data.edges) {
      if (!label.parts[from] || !label.parts[to]) continue;
      pen.beginPath();
      pen.moveTo(...at(own, ...label.parts[from]));
      pen.lineTo(...at(own, ...label.parts[to]));
      line("rgba(0,0,0,.5)", 3);
      line(LABEL, 1.5);
    }
    pen.setLineDash([]);
    for (const [name, point] of Object.entries(label.parts)) {
      const [x, y] = at(own, ...point), part = parts.get(name);
      pen.beginPath();
      pen.arc(x, y, 5, 0, 7);
      line("rgba(0,0,0,.6)", 3.5);
      line(LABEL, 2);
      if (!label.own || !part || Math.hypot(part.x - point[0], part.y - point[1]) < 0.5) continue;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(...at(own, part.x, part.y));
      line("rgba(0,0,0,.6)", 3);
      line("#ff2d55", 1.5);
    }
    pen.restore();
  }
}
function same(a, b) { return a.part ? a.part === b.part : Boolean(b.corner) && a.corner[0] === b.corner[0] && a.corner[1] === b.corner[1]; }
function under(own, event) {
  const box = own.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = null, away = HIT ** 2;
  for (const handle of handles(own)) {
    const [a, b] = at(own, handle.x, handle.y), d = (a - x) ** 2 + (b - y) ** 2;
    if (d < away) [best, away] = [handle, d];
  }
  return best;
}
function move(own, event) {
  const [w, h] = own.data.size, [x, y] = back(own, event), px = Math.max(0, Math.min(w, x)), py = Math.max(0, Math.min(h, y));
  const { part, corner } = own.held.handle;
  if (part) {
    Object.assign(part, { x: px, y: py, outside: false });
    own.moved.parts.add(part.name);
  } else {
    own.corners[corner[0]] = px;
    own.corners[corner[1]] = py;
    own.moved.box = true;
  }
}
function tell(own, action) {
  if (own.data.locked) return;
  const parts = {};
  for (const part of own.parts) if (own.moved.parts.has(part.name)) parts[part.name] = part.outside ? null : [part.x, part.y];
  const box = own.moved.box ? own.corners : null;
  own.send("decided", { serial: Date.now() * 1000 + (own.serial++ % 1000), id: own.data.id, version: own.data.version, action, box, parts });
}
function listen(own) {
  const canvas = own.canvas;
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const factor = Math.exp(-event.deltaY / 400), box = canvas.getBoundingClientRect();
    const middle = [event.clientX - box.left, event.clientY - box.top];
    own.shift = own.shift.map((value, axis) => middle[axis] - factor * (middle[axis] - value));
    own.zoom *= factor;
    own.draw();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    const handle = own.data.locked ? null : under(own, event);
    own.held = { handle, from: [event.clientX, event.clientY] };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (own.held?.handle) move(own, event);
    else if (own.held) {
      own.shift = [own.shift[0] + event.clientX - own.held.from[0], own.shift[1] + event.clientY - own.held.from[1]];
      own.held.from = [event.clientX, event.clientY];
    } else {
      own.hot = under(own, event);
      canvas.classList.toggle("point", own.hot !== null);
    }
    own.draw();
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { own.held = null; own.draw(); });
  canvas.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    const handle = own.data.locked ? null : under(own, event);
    if (!handle?.part) return;
    handle.part.outside = !handle.part.outside;
    own.moved.parts.add(handle.part.name);
    own.draw();
  });
}

export default function ({ data, parentElement, setStateValue }) {
  const own = known.get(parentElement) ?? make(parentElement);
  known.set(parentElement, own);
  const another = own.data?.id !== data.id || own.data?.version !== data.version;
  Object.assign(own, { data, send: setStateValue });
  if (another) {
    own.held = own.hot = null;
    start(own);
    if (own.shown !== data.image) {
      // The image before must not stand behind another proposal until this one is there.
      own.image = Object.assign(new Image(), { onload: own.draw, src: data.image });
      own.shown = data.image;
    }
    look(own, true);
  }
  own.draw();
  return () => {
    own.observer.disconnect();
    document.removeEventListener("keydown", own.key);
    known.delete(parentElement);
    own.box.remove();
  };
}
