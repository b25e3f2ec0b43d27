// A place p of the map lies at (shift + zoom * p) of the canvas, y downwards.
const canvas = document.getElementById("map"), pen = canvas.getContext("2d"), near = document.getElementById("near");
const [wide, high, columns] = DATA.tile, atlas = new Image();
const by = document.getElementById("by"), said = document.getElementById("said"), hidden = {};
let zoom = 1, shift = [0, 0], held = null, hot = -1, asked = false;
const places = DATA.points.map(([x, y]) => [x, -y]);

for (const key of Object.keys(DATA.groups)) {
  by.add(new Option(key, key));
  hidden[key] = new Set();
}
function shown(i) { return !hidden[by.value].has(DATA.groups[by.value][i]); }
function color(i) { return DATA.colors[by.value][DATA.groups[by.value][i]]; }
function tile(i) { return [(i % columns) * wide, Math.floor(i / columns) * high, wide, high]; }
function at(i) { return [shift[0] + zoom * places[i][0], shift[1] + zoom * places[i][1]]; }

function whole() {
  const box = canvas.getBoundingClientRect();
  zoom = .46 * Math.min(box.width, box.height);
  shift = [box.width / 2, box.height / 2];
  draw();
}
function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; paint(); });
}
function paint() {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  const size = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, box.width, box.height);
  const pictures = document.getElementById("pictures").checked && atlas.complete;
  const side = Number(document.getElementById("size").value), radius = pictures ? 0 : Math.max(1.5, side / 10);
  // A coarse grid of what is taken keeps pictures from lying over one another: the first of each place is drawn.
  const taken = new Set();
  let count = 0;
  for (let i = 0; i < places.length; i++) {
    if (!shown(i)) continue;
    count++;
    const [x, y] = at(i);
    if (x < -side || y < -side || x > box.width + side || y > box.height + side) continue;
    const cell = Math.round((x - shift[0]) / side * 1.6) + " " + Math.round((y - shift[1]) / side * 1.6);
    if (pictures && !taken.has(cell)) {
      taken.add(cell);
      frame(i, x, y, side, 2);
    } else {
      pen.fillStyle = color(i);
      pen.beginPath();
      pen.arc(x, y, radius || 2, 0, 7);
      pen.fill();
    }
  }
  if (hot >= 0 && shown(hot)) frame(hot, ...at(hot), Math.max(side, 48), 3);
  said.textContent = count + " of " + places.length + " crops";
}
function frame(i, x, y, side, line) {
  pen.drawImage(atlas, ...tile(i), x - side / 2, y - side / 2, side, side * high / wide);
  pen.strokeStyle = color(i);
  pen.lineWidth = line;
  pen.strokeRect(x - side / 2, y - side / 2, side, side * high / wide);
}
function find(event) {
  const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = -1, away = 24 ** 2;
  for (let i = 0; i < places.length; i++) {
    if (!shown(i)) continue;
    const [a, b] = at(i), d = (a - x) ** 2 + (b - y) ** 2;
    if (d < away) { away = d; best = i; }
  }
  return best;
}
function tell(event) {
  const box = canvas.getBoundingClientRect();
  if (hot < 0) { near.style.display = "none"; return; }
  near.replaceChildren();
  const picture = document.createElement("canvas"), text = document.createElement("div");
  [picture.width, picture.height] = [wide, high];
  picture.getContext("2d").drawImage(atlas, ...tile(hot), 0, 0, wide, high);
  text.textContent = [DATA.names[hot], ...Object.entries(DATA.groups).map(([key, values]) => key + ": " + (values[hot] || "none"))].join("\n");
  text.style.whiteSpace = "pre-line";
  near.append(picture, text);
  near.style.display = "block";
  const x = event.clientX - box.left, y = event.clientY - box.top;
  near.style.left = Math.max(0, x + 280 > box.width ? x - near.offsetWidth - 16 : x + 16) + "px";
  near.style.top = Math.max(0, Math.min(y + 12, box.height - near.offsetHeight - 8)) + "px";
}
function list() {
  const key = by.value, counts = {};
  for (const name of DATA.groups[key]) counts[name] = (counts[name] || 0) + 1;
  document.getElementById("names").replaceChildren(...Object.keys(DATA.colors[key]).map((name) => {
    const made = document.createElement("button"), dot = document.createElement("i");
    dot.style.background = DATA.colors[key][name];
    made.append(dot, (name || "none") + " (" + counts[name] + ")");
    made.setAttribute("aria-pressed", String(!hidden[key].has(name)));
    made.onclick = () => {
      hidden[key].has(name) ? hidden[key].delete(name) : hidden[key].add(name);
      list();
      draw();
    };
    return made;
  }));
}
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = canvas.getBoundingClientRect(), factor = Math.exp(-event.deltaY / 400);
  const place = [event.clientX - box.left, event.clientY - box.top];
  shift = shift.map((value, axis) => place[axis] - factor * (place[axis] - value));
  zoom *= factor;
  draw();
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => {
  held = [event.clientX, event.clientY];
  canvas.classList.add("held");
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", (event) => {
  if (held) {
    shift = [shift[0] + event.clientX - held[0], shift[1] + event.clientY - held[1]];
    held = [event.clientX, event.clientY];
    hot = -1;
  } else {
    hot = find(event);
  }
  tell(event);
  draw();
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { held = null; canvas.classList.remove("held"); });
canvas.addEventListener("pointerleave", () => { hot = -1; near.style.display = "none"; draw(); });
by.onchange = () => { list(); draw(); };
for (const id of ["pictures", "size"]) document.getElementById(id).oninput = draw;
document.getElementById("whole").onclick = whole;
window.addEventListener("resize", draw);
atlas.onload = draw;
atlas.src = DATA.atlas;
list();
whole();
