// A video beside its traces. The frame is the very one the server decodes; a click into the traces goes to it.
const known = new WeakMap();
const LEFT = 58, RIGHT = 12, AXIS = 30, GAP = 16, CLICK = 4, SMALLEST_SPAN = 10;

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

function element(kind, name, within) {
  const made = document.createElement(kind);
  made.className = name;
  within?.append(made);
  return made;
}

function make(root) {
  const box = element("div", "traces", root), side = element("div", "side", box), plots = element("div", "plots", box);
  const screen = element("div", "screen", side), values = element("div", "values", side);
  const own = {
    box, plots, screen, values, shown: null, asked: null, view: null, drag: null, hover: null,
    image: element("canvas", "frame", screen), marks: shape("svg", { class: "marks", "aria-hidden": true }, screen),
    note: element("div", "note", screen), lines: element("canvas", "lines", plots), cursor: element("canvas", "cursor", plots),
    bar: element("div", "bar", box),
  };
  own.image.setAttribute("role", "img");
  own.controls = frameControls(root);
  own.controls.moved = (frame) => point(own, frame);
  own.bar.append(own.controls.box);
  own.speed = element("select", "speed", own.bar);
  own.speed.title = own.speed.ariaLabel = "Speed of playing";
  for (const speed of [0.1, 0.25, 0.5, 1, 2, 4]) own.speed.add(new Option(`${speed} x`, speed, speed === 1, speed === 1));
  own.all = element("button", "all", own.bar);
  own.all.textContent = "All frames";
  own.all.title = "Show all frames (double click into the traces)";

  own.loader = new Image();
  own.resized = new ResizeObserver(() => drawAll(own));
  own.resized.observe(plots);
  own.scheme = matchMedia("(prefers-color-scheme: dark)");
  own.recolor = () => setTimeout(() => drawAll(own), 300);
  own.scheme.addEventListener("change", own.recolor);

  own.speed.onchange = () => { own.controls.stop(); own.controls.data.fps = own.fps * Number(own.speed.value); };
  own.all.onclick = () => { own.view = [...own.whole]; drawAll(own); };
  own.cursor.ondblclick = own.all.onclick;
  own.cursor.onpointerdown = (event) => {
    own.drag = { from: event.offsetX, to: event.offsetX };
    own.cursor.setPointerCapture(event.pointerId);
  };
  own.cursor.onpointermove = (event) => {
    own.hover = event.offsetX;
    if (own.drag) own.drag.to = event.offsetX;
    drawCursor(own);
  };
  own.cursor.onpointerleave = () => { own.hover = null; drawCursor(own); };
  own.cursor.onpointercancel = () => { own.drag = null; };
  own.cursor.onpointerup = (event) => {
    const drag = own.drag;
    own.drag = null;
    if (!drag) return;
    if (Math.abs(event.offsetX - drag.from) < CLICK) {
      own.controls.stop();
      own.controls.go(frameAt(own, event.offsetX));
    } else {
      const [low, high] = [drag.from, event.offsetX].sort((a, b) => a - b).map((x) => frameAt(own, x));
      own.view = limited(own, low, high);
      drawAll(own);
    }
  };
  own.cursor.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const [low, high] = own.view, turned = event.deltaY || event.deltaX;
    if (event.shiftKey) {
      const by = Math.sign(turned) * Math.max(1, (high - low) / 8);
      own.view = moved(own, by);
    } else {
      const middle = frameAt(own, event.offsetX), factor = turned > 0 ? 1.25 : 0.8;
      own.view = limited(own, middle - (middle - low) * factor, middle + (high - middle) * factor);
    }
    drawAll(own);
  }, { passive: false });
  return own;
}

function limited(own, low, high) {
  const [first, last] = own.whole, lack = Math.max(0, Math.min(SMALLEST_SPAN, last - first) - (high - low)) / 2;
  return moved({ ...own, view: [Math.max(first, low - lack), Math.min(last, high + lack)] }, 0);
}

function moved(own, by) {
  const [low, high] = own.view, [first, last] = own.whole, shift = Math.min(Math.max(by, first - low), last - high);
  return [low + shift, high + shift];
}

const across = (own) => Math.max(1, own.plots.clientWidth - LEFT - RIGHT);
const placeOf = (own, frame) => LEFT + across(own) * (frame - own.view[0]) / Math.max(1e-9, own.view[1] - own.view[0]);

function frameAt(own, x) {
  const [low, high] = own.view, frame = Math.round(low + (high - low) * (x - LEFT) / across(own));
  return Math.min(Math.max(frame, own.whole[0]), own.whole[1]);
}

function say(own, text, late = false) {
  own.note.textContent = text;
  own.note.classList.toggle("late", late);
}

function point(own, frame) {
  own.frame = frame;
  if (own.data.video && own.shown !== frame) say(own, `Frame ${frame} is on its way.`, true);
  follow(own);
  drawCursor(own);
  drawValues(own);
}

// One image is asked for at a time; where the wish changes meanwhile, the last one is asked for next.
function show(own, frame) {
  point(own, frame);
  own.tellPython();
  if (!own.data.video) { answered(own); return; }
  own.wanted = frame;
  if (own.asked === null) ask(own);
}

function ask(own) {
  const { url } = own.data.video, frame = own.wanted, from = new URL(url, document.baseURI);
  from.searchParams.set("index", frame);
  own.asked = frame;
  const done = (failed) => {
    if (own.asked !== frame || own.data.video?.url !== url) { own.asked = null; if (own.data.video) ask(own); return; }
    own.asked = null;
    drawImage(own, frame, failed);
    if (own.wanted !== frame) ask(own); else answered(own);
  };
  own.loader = new Image();
  own.loader.src = from.href;
  own.loader.decode().then(() => done(false), () => done(true));
}

function answered(own) {
  own.controls.waits = 0;
  own.controls.tell();
}

function drawImage(own, frame, failed) {
  const { width, height, name } = own.data.video;
  own.shown = failed ? null : frame;
  if (failed || frame === own.frame) say(own, failed ? `Frame ${frame} is not in ${name}.` : "");
  own.image.dataset.frame = failed ? "" : frame;
  own.image.setAttribute("aria-label", `Frame ${frame} of ${name}`);
  const paint = own.image.getContext("2d");
  if (failed) paint.clearRect(0, 0, own.image.width, own.image.height);
  else {
    own.image.width = own.loader.naturalWidth;
    own.image.height = own.loader.naturalHeight;
    paint.drawImage(own.loader, 0, 0);
  }
  own.marks.setAttribute("viewBox", `-0.5 -0.5 ${width} ${height}`);
  drawMarks(own);
}

function drawMarks(own) {
  own.marks.replaceChildren();
  if (own.shown === null || !own.points) return;
  const { series, start, count, video } = own.data, at = own.shown - start, size = Math.max(video.width, video.height) / 110;
  if (at < 0 || at >= count) return;
  series.forEach((one, s) => {
    const x = own.points[2 * (s * count + at)], y = own.points[2 * (s * count + at) + 1];
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    const style = { cx: x, cy: y, fill: "none", "vector-effect": "non-scaling-stroke" };
    const dot = shape("g", {}, own.marks);
    shape("circle", { ...style, r: size, stroke: "#000", "stroke-width": 4, opacity: 0.6 }, dot);
    shape("circle", { ...style, r: size, stroke: one.color, "stroke-width": 2.2, "stroke-dasharray": one.dash.join(" ") }, dot);
    titled(dot, called(one));
  });
}

// The window goes along when the frame leaves it.
function follow(own) {
  const [low, high] = own.view;
  if (own.frame >= low && own.frame <= high) return;
  own.view = moved(own, own.frame - (own.frame < low ? low : high) + Math.sign(own.frame - low) * (high - low) / 4);
  if (own.frame < own.view[0] || own.frame > own.view[1]) own.view = [...own.whole];
  drawLines(own);
}

function drawAll(own) {
  if (!own.data || !own.plots.clientWidth) return;
  own.theme = getComputedStyle(own.box);
  drawLines(own);
  drawCursor(own);
  drawMarks(own);
}

function color(own, name) {
  return own.theme.getPropertyValue(`--st-${name}`).trim();
}

function fitted(own, canvas) {
  const scale = window.devicePixelRatio || 1, wide = own.plots.clientWidth, tall = own.tall;
  if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(tall * scale)) {
    canvas.width = Math.round(wide * scale);
    canvas.height = Math.round(tall * scale);
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${tall}px`;
  }
  const paint = canvas.getContext("2d");
  paint.setTransform(scale, 0, 0, scale, 0, 0);
  paint.clearRect(0, 0, wide, tall);
  return paint;
}

const called = (one) => one.table ? `${one.name}, ${one.table}` : one.name;
const value = (own, panel, s, at) => own.traces[(panel * own.data.series.length + s) * own.data.count + at];

function rangeOf(own, panel, from, to) {
  const { series, panels } = own.data;
  let low = Infinity, high = -Infinity;
  for (let s = 0; s < series.length; s++) {
    for (let at = from; at <= to; at++) {
      const each = value(own, panel, s, at);
      if (each < low) low = each;
      if (each > high) high = each;
    }
  }
  if (panels[panel].range) return panels[panel].range;
  if (low > high) return [0, 1];
  if (panels[panel].zero) low = Math.min(0, low);
  const more = (high - low || Math.abs(high) || 1) * 0.06;
  return [panels[panel].zero ? low : low - more, high + more];
}

function drawLines(own) {
  const { panels, series, start, count, height } = own.data, paint = fitted(own, own.lines);
  const text = color(own, "text-color"), font = `12px ${color(own, "font")}`, wide = own.plots.clientWidth;
  const from = Math.max(0, Math.floor(own.view[0] - start) - 1), to = Math.min(count - 1, Math.ceil(own.view[1] - start) + 1);
  paint.font = font;
  panels.forEach((panel, p) => {
    const top = p * height + GAP, bottom = (p + 1) * height - 4, [low, high] = rangeOf(own, p, from, to);
    const up = (each) => bottom - (bottom - top) * (each - low) / (high - low);
    paint.fillStyle = text;
    paint.textAlign = "left";
    paint.textBaseline = "alphabetic";
    paint.fillText(panel.axis, LEFT, top - 4);
    paint.textAlign = "right";
    paint.textBaseline = "middle";
    for (const tick of ticks(low, high, 3, false)) {
      line(paint, [[LEFT, up(tick)], [wide - RIGHT, up(tick)]], text, 1, [], 0.15);
      paint.fillText(tickText(tick), LEFT - 6, up(tick));
    }
    paint.save();
    paint.beginPath();
    paint.rect(LEFT, top - 2, wide - LEFT - RIGHT, bottom - top + 4);
    paint.clip();
    series.forEach((one, s) => drawTrace(own, paint, p, s, one, from, to, up));
    paint.restore();
  });
  const bottom = panels.length * height;
  paint.textAlign = "center";
  paint.textBaseline = "top";
  paint.fillStyle = text;
  for (const tick of ticks(own.view[0], own.view[1], Math.max(2, across(own) / 90), false)) {
    if (Number.isInteger(tick)) paint.fillText(String(tick), placeOf(own, tick), bottom + 1);
  }
  paint.fillText("Frame", LEFT + across(own) / 2, bottom + 15);
}

function drawTrace(own, paint, panel, s, one, from, to, up) {
  const { start } = own.data, dense = (to - from) / across(own) > 2;
  Object.assign(paint, { strokeStyle: one.color, fillStyle: one.color, lineWidth: 1.4, lineJoin: "round" });
  paint.setLineDash(dense ? [] : one.dash);
  paint.beginPath();
  let joined = false, column = null, low = 0, high = 0;
  const lone = [];
  for (let at = from; at <= to; at++) {
    const each = value(own, panel, s, at);
    if (Number.isNaN(each)) { joined = false; continue; }
    const x = placeOf(own, at + start);
    if (dense) {
      const here = Math.round(x);
      if (here !== column) {
        if (column !== null) { paint.moveTo(column, up(low)); paint.lineTo(column, up(high) - 0.7); }
        // Goes on from the last column, so that steep stretches have no gaps.
        const last = joined ? value(own, panel, s, at - 1) : each;
        [column, low, high] = [here, Math.min(each, last), Math.max(each, last)];
      } else { low = Math.min(low, each); high = Math.max(high, each); }
      joined = true;
      continue;
    }
    if (joined) paint.lineTo(x, up(each)); else {
      paint.moveTo(x, up(each));
      if (Number.isNaN(value(own, panel, s, at + 1 <= to ? at + 1 : at))) lone.push([x, up(each)]);
    }
    joined = true;
  }
  if (dense && column !== null) { paint.moveTo(column, up(low)); paint.lineTo(column, up(high) - 0.7); }
  paint.stroke();
  paint.setLineDash([]);
  for (const [x, y] of lone) paint.fillRect(x - 1.2, y - 1.2, 2.4, 2.4);
}

function drawCursor(own) {
  if (!own.data || !own.view) return;
  const paint = fitted(own, own.cursor), text = color(own, "text-color"), strong = color(own, "primary-color");
  const bottom = own.data.panels.length * own.data.height;
  if (own.drag && Math.abs(own.drag.to - own.drag.from) >= CLICK) {
    Object.assign(paint, { fillStyle: strong, globalAlpha: 0.18 });
    paint.fillRect(own.drag.from, 0, own.drag.to - own.drag.from, bottom);
    paint.globalAlpha = 1;
  } else if (own.hover !== null) {
    const frame = frameAt(own, own.hover), x = placeOf(own, frame), said = `${frame}${timeOf(own, frame)}`;
    line(paint, [[x, GAP - 4], [x, bottom]], text, 1, [3, 3], 0.7);
    paint.font = `12px ${color(own, "font")}`;
    const wide = paint.measureText(said).width + 10, left = Math.min(Math.max(x - wide / 2, LEFT), own.plots.clientWidth - wide);
    paint.fillStyle = text;
    paint.fillRect(left, 0, wide, 17);
    Object.assign(paint, { fillStyle: color(own, "background-color"), textAlign: "left", textBaseline: "middle" });
    paint.fillText(said, left + 5, 9);
  }
  if (own.frame < own.view[0] || own.frame > own.view[1]) return;
  const x = placeOf(own, own.frame);
  line(paint, [[x, GAP - 4], [x, bottom]], strong, 2, []);
}

function timeOf(own, frame) {
  return own.fps ? `, ${(frame / own.fps).toFixed(2)} s` : "";
}

// What the traces say of the frame, as a table that is their legend, too.
function drawValues(own) {
  const { panels, series, start, count } = own.data, at = own.frame - start;
  own.when.textContent = `Frame ${own.frame}${timeOf(own, own.frame)}`;
  series.forEach((_, s) => panels.forEach((panel, p) => {
    const each = at >= 0 && at < count ? value(own, p, s, at) : NaN;
    own.cells[s][p].textContent = Number.isFinite(each) ? each.toFixed(panel.decimals) : "–";
  }));
}

function makeValues(own) {
  const { panels, series } = own.data;
  own.values.replaceChildren();
  const table = element("table", "", own.values), head = element("tr", "", element("thead", "", table));
  const body = element("tbody", "", table);
  own.when = element("th", "when", head);
  for (const panel of panels) Object.assign(element("th", "", head), { textContent: panel.short, title: panel.axis });
  own.cells = series.map((one) => {
    const row = element("tr", "", body), name = element("th", "name", row);
    const swatch = shape("svg", { class: "swatch", viewBox: "0 0 22 8" }, name);
    shape("line", { x1: 0, y1: 4, x2: 22, y2: 4, stroke: one.color, "stroke-width": 3, "stroke-dasharray": one.dash.join(" ") }, swatch);
    name.append(one.name);
    if (one.table) element("div", "table", name).textContent = one.table;
    name.title = called(one);
    return panels.map(() => element("td", "", row));
  });
}

export default function ({ data, parentElement, setStateValue }) {
  const own = known.get(parentElement) ?? make(parentElement);
  const begins = !known.has(parentElement), before = own.data;
  known.set(parentElement, own);
  own.data = data;
  own.traces = floats(data.values);
  own.points = data.points ? floats(data.points) : null;
  own.fps = data.video?.fps ?? 0;
  own.whole = [data.first, data.last];
  own.tall = data.panels.length * data.height + AXIS;
  own.plots.style.height = `${own.tall}px`;
  own.screen.style.display = data.video ? "" : "none";
  if (data.video) own.screen.style.aspectRatio = `${data.video.width} / ${data.video.height}`;
  if (begins || before.recording !== data.recording) own.view = [...own.whole];
  own.view = limited(own, ...own.view);
  own.theme = getComputedStyle(own.box);
  makeValues(own);
  own.tellPython = () => {
    clearTimeout(own.telling);
    // Python keeps where one was; while frames follow one another it is left alone.
    own.telling = setTimeout(() => { if (own.controls.playing === null) setStateValue("frame", own.frame); }, 700);
  };
  const controls = own.controls, fps = (own.fps || 25) * Number(own.speed.value);
  controls.update(
    { frame: data.frame, count: data.last + 1, label: "Frame", first: 0, fps, keys: true, jumps: data.jumps },
    (_, [frame]) => show(own, frame),
  );
  if (!before || before.video?.url !== data.video?.url || own.frame !== controls.frame) show(own, controls.frame);
  else drawValues(own);
  drawAll(own);
  return () => {
    clearTimeout(own.telling);
    own.resized.disconnect();
    own.scheme.removeEventListener("change", own.recolor);
    controls.remove();
    own.box.remove();
    known.delete(parentElement);
  };
}
