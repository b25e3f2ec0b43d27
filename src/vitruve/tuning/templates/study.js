// One state, drawn anew when it changes; a brush is [from, to] as shares of an axis, from below.
let state = GIVEN;
const brushes = new Map();
let hot = null, sorting = { key: "number", down: true }, dragging = null, asked = "";
const NS = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);
const STATES = { complete: "complete", pruned: "pruned", stopped: "stopped", failed: "failed", running: "running", again: "gone on with" };

function el(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
function html(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
function short(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}
function rough(value) { return short(Number(value.toPrecision(3))); }
function clock(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const s = Math.round(seconds), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return (h ? h + ":" + String(m).padStart(2, "0") : String(m)) + ":" + String(s % 60).padStart(2, "0");
}
// The end of a key is what tells settings apart, and what there is room for.
function title(key) { return key.split(".").pop(); }

// The value of a trial so far, also where it is not over.
function reached(trial) {
  if (trial.value !== null) return trial.value;
  const values = trial.curve.map((point) => point[1]);
  if (!values.length) return null;
  return state.direction === "minimize" ? Math.min(...values) : Math.max(...values);
}
function shown() { return state.trials.filter((trial) => trial.state !== "again"); }
// Diverged trials would push all others together: they are drawn at the edge.
function limits(values) {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (!sorted.length) return [0, 1];
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const middle = at(.75) - at(.25), low = Math.max(sorted[0], at(.25) - 4 * middle), high = Math.min(sorted[sorted.length - 1], at(.75) + 4 * middle);
  return low < high ? [low, high] : [low - .5 * (Math.abs(low) || 1), low + .5 * (Math.abs(low) || 1)];
}

function axes() {
  const made = state.space.map((each) => {
    const get = (trial) => each.key in trial.params ? trial.params[each.key] : null;
    if (each.choices) {
      const names = each.choices.map(String), step = 1 / names.length;
      return { key: each.key, get, ticks: names.map((name, i) => [(i + .5) * step, name]),
        at: (value) => value === null ? -.08 : (names.indexOf(String(value)) + .5) * step };
    }
    const f = each.log ? Math.log : (x) => x, low = f(each.low), high = f(each.high), back = each.log ? Math.exp : (x) => x;
    const at = (value) => value === null ? -.08 : (f(value) - low) / (high - low);
    const marks = [0, .25, .5, .75, 1].map((share) => back(low + share * (high - low)));
    const values = each.int ? [...new Set(marks.map(Math.round))] : marks;
    return { key: each.key, get, at, ticks: values.map((value) => [at(value), rough(value)]) };
  });
  const [low, high] = limits(shown().map(reached));
  made.push({ key: state.objective, get: reached, objective: true,
    at: (value) => value === null ? -.08 : Math.max(0, Math.min(1, (value - low) / (high - low))),
    ticks: [0, .25, .5, .75, 1].map((share) => [share, rough(low + share * (high - low))]) });
  return made;
}
// Dark blue is good, yellow is bad, in the objective's own limits.
function color(trial, scale) {
  const value = reached(trial);
  if (value === null) return "#9aa5b1";
  const share = state.direction === "minimize" ? scale.at(value) : 1 - scale.at(value);
  const stops = [[0, 48, 116], [0, 114, 178], [86, 180, 170], [200, 200, 110], [230, 159, 0]];
  const place = share * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(place)), f = place - i;
  return "rgb(" + stops[i].map((from, k) => Math.round(from + f * (stops[i + 1][k] - from))).join(",") + ")";
}
function chosen(trial, all) {
  return all.every((axis) => {
    const brush = brushes.get(axis.key);
    const place = axis.at(axis.get(trial));
    return !brush || (place >= brush[0] && place <= brush[1]);
  });
}
function look(trial, all) {
  const off = !chosen(trial, all);
  return "line" + (off ? " off" : "") + (trial.state === "running" ? " running" : "") +
    (trial.number === state.best ? " best" : "") + (trial.number === hot ? " hot" : "");
}
function hovering(node, number) {
  node.dataset.trial = number;
  node.addEventListener("pointerenter", () => { hot = number; mark(); });
  node.addEventListener("pointerleave", () => { hot = null; mark(); });
}
// Hovering changes classes alone: redrawing would take the node from under the pointer.
function mark() {
  for (const node of document.querySelectorAll("[data-trial]")) node.classList.toggle("hot", Number(node.dataset.trial) === hot);
}
function order(trials) { return [...trials].sort((a, b) => (a.number === state.best) - (b.number === state.best)); }

function drawParallel(all) {
  const width = 1120, height = 340, left = 60, right = 60, top = 34, bottom = 34, inner = height - top - bottom;
  const x = (i) => left + (all.length < 2 ? 0 : i * (width - left - right) / (all.length - 1));
  const y = (share) => top + (1 - share) * inner;
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Parallel coordinates of all trials" });
  const last = all[all.length - 1];
  for (const trial of order(shown())) {
    const d = all.map((axis, i) => (i ? "L" : "M") + x(i).toFixed(1) + " " + y(axis.at(axis.get(trial))).toFixed(1)).join("");
    const line = el("path", { d, class: look(trial, all), style: `stroke:${color(trial, last)}` });
    line.append(el("title", {}, `trial ${trial.number}: ${short(reached(trial))}`));
    hovering(line, trial.number);
    svg.append(line);
  }
  all.forEach((axis, i) => {
    svg.append(el("line", { x1: x(i), x2: x(i), y1: y(0), y2: y(1), class: "axis" }));
    const anchor = i === all.length - 1 ? "end" : i ? "middle" : "start";
    const name = el("text", { x: i === all.length - 1 ? x(i) + right - 4 : i ? x(i) : 4, y: 16, "text-anchor": anchor, class: "name" }, title(axis.key));
    name.append(el("title", {}, axis.key));
    svg.append(name);
    for (const [share, text] of axis.ticks) {
      svg.append(el("line", { x1: x(i) - 4, x2: x(i), y1: y(share), y2: y(share), class: "axis" }));
      svg.append(el("text", { x: x(i) - 7, y: y(share) + 4, "text-anchor": "end" }, text));
    }
    const brush = brushes.get(axis.key);
    if (brush) svg.append(el("rect", { x: x(i) - 8, width: 16, y: y(brush[1]), height: Math.max(1, y(brush[0]) - y(brush[1])), class: "brush" }));
    const grab = el("rect", { x: x(i) - 14, width: 28, y: y(1) - 4, height: inner + 34, class: "grab", "data-axis": axis.key });
    grab.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      dragging = { key: axis.key, share: place(event), moved: false };
    });
    svg.append(grab);
  });
  const place = (event) => {
    const box = $("parallel").querySelector("svg").getBoundingClientRect();
    return 1 - ((event.clientY - box.top) * height / box.height - top) / inner;
  };
  drawParallel.place = place;
  $("parallel").replaceChildren(svg);
}
addEventListener("pointermove", (event) => {
  if (!dragging) return;
  const now = drawParallel.place(event);
  if (Math.abs(now - dragging.share) > .015) dragging.moved = true;
  if (dragging.moved) brushes.set(dragging.key, [Math.min(now, dragging.share), Math.max(now, dragging.share)]);
  draw();
});
addEventListener("pointerup", () => {
  if (!dragging) return;
  if (!dragging.moved) brushes.delete(dragging.key);
  dragging = null;
  draw();
});

function drawCurves(all) {
  const width = 660, height = 320, left = 62, right = 12, top = 14, bottom = 36;
  const trials = shown().filter((trial) => trial.curve.length);
  if (!trials.length) return $("curves").replaceChildren(html("p", { class: "quiet" }, "No epoch has been validated yet."));
  const [low, high] = limits(trials.flatMap((trial) => trial.curve.map((point) => point[1])));
  const end = Math.max(1, ...trials.map((trial) => trial.curve[trial.curve.length - 1][0]));
  const x = (epoch) => left + epoch / end * (width - left - right);
  const y = (value) => top + (1 - Math.max(0, Math.min(1, (value - low) / (high - low)))) * (height - top - bottom);
  const svg = el("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Objective by epoch" });
  for (let i = 0; i <= 4; i++) {
    const value = low + i / 4 * (high - low);
    svg.append(el("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "grid" }));
    svg.append(el("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, rough(value)));
  }
  const step = Math.max(1, Math.ceil(end / 8));
  for (let epoch = 0; epoch <= end; epoch += step)
    svg.append(el("text", { x: x(epoch), y: height - 18, "text-anchor": "middle" }, epoch));
  svg.append(el("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, "epoch"));
  const last = all[all.length - 1];
  for (const trial of order(trials)) {
    const d = trial.curve.map(([epoch, value], i) => (i ? "L" : "M") + x(epoch).toFixed(1) + " " + y(value).toFixed(1)).join("");
    const one = trial.curve.length === 1, [epoch, value] = trial.curve[0];
    const line = one ? el("circle", { cx: x(epoch), cy: y(value), r: 3, class: look(trial, all), style: `stroke:${color(trial, last)}` })
      : el("path", { d, class: look(trial, all), style: `stroke:${color(trial, last)}` });
    line.append(el("title", {}, `trial ${trial.number}: ${short(reached(trial))}`));
    hovering(line, trial.number);
    svg.append(line);
  }
  $("curves").replaceChildren(svg);
}

function drawWeights() {
  const found = Object.entries(state.importances).sort((a, b) => b[1] - a[1]);
  if (!found.length) return $("weights").replaceChildren(html("p", { class: "quiet" }, "Known from four complete trials on."));
  const width = 440, row = 34, svg = el("svg", { viewBox: `0 0 ${width} ${found.length * row + 6}`, role: "img", "aria-label": "Importances of the settings" });
  found.forEach(([key, share], i) => {
    const name = el("text", { x: 0, y: i * row + 14, class: "name" }, title(key));
    name.append(el("title", {}, key));
    svg.append(name, el("rect", { x: 0, y: i * row + 19, width: Math.max(1, share * (width - 60)), height: 9, rx: 3, class: "weight" }));
    svg.append(el("text", { x: width, y: i * row + 28, "text-anchor": "end" }, Math.round(100 * share) + " %"));
  });
  $("weights").replaceChildren(svg);
}

function columns() {
  return [["number", "trial", (t) => t.number], ["state", "state", (t) => STATES[t.state] || t.state], ["value", title(state.objective), reached],
    ["epoch", "best epoch", (t) => t.epoch], ...state.space.map((each) => [each.key, title(each.key), (t) => t.params[each.key]]),
    ["seconds", "time", (t) => t.seconds], ["host", "machine", (t) => t.host]];
}
function drawTable(all) {
  const list = columns(), head = html("tr");
  for (const [key, text] of list) {
    const cell = html("th", { title: key }, text);
    if (sorting.key === key) cell.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
    cell.addEventListener("click", () => { sorting = { key, down: sorting.key === key ? !sorting.down : false }; draw(); });
    head.append(cell);
  }
  head.firstChild.after(html("th"));
  head.append(html("th"));
  const get = (list.find(([key]) => key === sorting.key) || list[0])[2];
  const missing = (value) => value === null || value === undefined || value === "";
  const rows = [...state.trials].sort((one, other) => {
    const a = get(one), b = get(other);
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    return (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))) * (sorting.down ? -1 : 1);
  }).map((trial) => {
    const row = html("tr", { class: (trial.number === state.best ? "best" : "") + (chosen(trial, all) ? "" : " off") + (trial.number === hot ? " hot" : "") });
    const cells = list.map(([key, , value], i) => html(i ? "td" : "th", {}, key === "seconds" ? clock(trial.seconds) : short(value(trial))));
    const cell = html("td");
    if (live && trial.state === "running") {
      const button = html("button", { class: "stop", "data-stop": trial.number }, trial.stopping ? "stopping" : "Stop");
      button.disabled = trial.stopping;
      button.addEventListener("click", () => ask("/stop/" + trial.number));
      cell.append(button);
    }
    row.append(cells[0], cell, ...cells.slice(1), html("td", { class: "why", title: trial.run }, trial.reason === trial.state ? "" : trial.reason));
    hovering(row, trial.number);
    return row;
  });
  $("table").tHead.replaceChildren(head);
  $("table").tBodies[0].replaceChildren(...rows);
}
function drawTiles() {
  const best = state.trials.find((trial) => trial.number === state.best);
  const tiles = [[best ? short(best.value) : "none yet", "best " + state.objective], [best ? best.number : "", "best trial"],
    [`${state.done} of ${state.max_trials}`, "trials done"], [state.running, "running"],
    [state.begun === null ? "" : clock((live && state.running ? state.now : Math.max(...state.trials.map(ended), state.begun)) - state.begun), "since the first trial began"]];
  $("tiles").replaceChildren(...tiles.map(([value, text]) => {
    const tile = html("div", { class: "tile" });
    tile.append(html("b", {}, value), html("span", {}, text));
    return tile;
  }));
}
function ended(trial) { return trial.begun === null ? 0 : trial.begun + (trial.seconds || 0); }

function draw() {
  const all = axes();
  drawTiles(); drawParallel(all); drawCurves(all); drawWeights(); drawTable(all);
}
async function ask(path) {
  const answer = await fetch(path, { method: "POST" }).catch(() => null);
  $("said").textContent = answer ? await answer.text() : "The search does not answer: its process has ended.";
  await refresh();
}
async function refresh() {
  const answer = await fetch("/study.json").catch(() => null);
  if (!answer || !answer.ok) { $("said").textContent = "The search does not answer any more: this is how it was."; return; }
  const text = await answer.text();
  const same = text.replace(/"now": [0-9.]+/, "").replace(/"seconds": [0-9.]+/g, "");
  state = JSON.parse(text);
  document.title = `${state.done}/${state.max_trials} ${state.name}`;
  if (dragging) return;
  if (same !== asked) { asked = same; draw(); } else drawTiles();
}
$("clear").addEventListener("click", () => { brushes.clear(); draw(); });
if (live) {
  $("halt").addEventListener("click", () => { if (confirm("End all running trials? The search can be gone on with.")) ask("/stop"); });
  setInterval(refresh, 1000);
} else $("halt").remove();
draw();
