"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const on = (id) => at(id) !== null && at(id).checked;
  const LABEL = "#ff7a00", SEEN = "#00b4ff", HIGH = 5, ALARM = 10;
  const frames = data.frames, joints = data.names.length;
  let now = 0, playing = null, hover = null;

  // Distances between labels and reprojections: [view][keypoint], null where either is missing.
  function distances(frame) {
    if (!frame.labels || !frame.reprojected) return [];
    return frame.labels.map((view, v) => view.map((p, k) => {
      const q = frame.reprojected[v][k];
      return p && q ? Math.hypot(p[0] - q[0], p[1] - q[1]) : null;
    }));
  }
  const known = (list) => list.filter((d) => d !== null);
  const median = (list) => {
    const sorted = [...list].sort((a, b) => a - b), m = sorted.length >> 1;
    return sorted.length % 2 ? sorted[m] : (sorted[m - 1] + sorted[m]) / 2;
  };
  const px = (value) => value.toFixed(value < 9.95 ? 1 : 0);
  const largest = frames.map((frame) => Math.max(0, ...known(distances(frame).flat())));

  function sharp(canvas, height) {
    const width = canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + "px";
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return [pen, width, height];
  }

  // ---- views ----
  const boxes = [];
  if (at("views")) {
    data.views.forEach((name, v) => {
      const figure = document.createElement("figure");
      figure.className = "card";
      const canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      figure.append(canvas, caption);
      at("views").append(figure);
      canvas.addEventListener("mousemove", (event) => point(v, event));
      canvas.addEventListener("mouseleave", () => { hover = null; draw(); });
      boxes.push({ canvas, caption, places: [] });
    });
  }
  const pictures = new Map();
  function picture(source) {
    if (!pictures.has(source)) {
      const image = new Image();
      image.onload = draw;
      image.src = source;
      pictures.set(source, image);
    }
    return pictures.get(source);
  }

  // The part of the original image that is shown: all of it, or the surroundings of what is marked.
  function area(frame, v) {
    const [width, height] = frame.sizes[v];
    const marked = [...(frame.labels ? frame.labels[v] : []), ...(frame.reprojected ? frame.reprojected[v] : [])];
    const inside = known(marked).filter((p) => p[0] > -0.5 && p[1] > -0.5 && p[0] < width && p[1] < height);
    if (!on("zoom") || inside.length < 2) return [-0.5, -0.5, width, height];
    const xs = inside.map((p) => p[0]), ys = inside.map((p) => p[1]);
    const low = [Math.min(...xs), Math.min(...ys)], high = [Math.max(...xs), Math.max(...ys)];
    const shape = 0.85, least = 24, room = 1.35;
    const wide = Math.max(least, room * (high[0] - low[0]), room * (high[1] - low[1]) / shape), tall = shape * wide;
    if (wide >= width && tall >= height) return [-0.5, -0.5, width, height];
    return [(low[0] + high[0] - wide) / 2, (low[1] + high[1] - tall) / 2, wide, tall];
  }

  function drawView(frame, v) {
    const { canvas, caption } = boxes[v];
    const part = area(frame, v);
    const [pen, width, height] = sharp(canvas, canvas.clientWidth * part[3] / part[2]);
    const scale = width / part[2];
    const place = (p) => [(p[0] - part[0]) * scale, (p[1] - part[1]) * scale];
    boxes[v].places = [];
    caption.replaceChildren();
    const title = document.createElement("b");
    title.textContent = data.views[v] ? data.views[v] + ": " : "";
    caption.append(title);
    if (!frame.images[v]) {
      caption.append("no image");
      pen.fillStyle = "#8b98a5";
      pen.fillText("no image", 12, 20);
      return;
    }
    const image = picture(frame.images[v]);
    if (image.complete && image.naturalWidth) {
      const [left, top] = place([-0.5, -0.5]);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(image, left, top, frame.sizes[v][0] * scale, frame.sizes[v][1] * scale);
    }
    const labels = frame.labels ? frame.labels[v] : [], seen = frame.reprojected ? frame.reprojected[v] : [];
    const shown = on("labels") ? labels : on("reprojected") ? seen : [];
    if (on("bones")) {
      pen.globalAlpha = 0.75;
      pen.lineWidth = 1.6;
      for (const [a, b] of data.edges) {
        if (!shown[a] || !shown[b]) continue;
        pen.strokeStyle = data.colors[b];
        line(pen, place(shown[a]), place(shown[b]));
      }
      pen.globalAlpha = 1;
    }
    for (let k = 0; k < joints; k++) {
      const p = on("labels") && labels[k] ? place(labels[k]) : null, q = on("reprojected") && seen[k] ? place(seen[k]) : null;
      if (p && q) { pen.strokeStyle = "#ff2d55"; pen.lineWidth = 1.6; line(pen, p, q); }
      if (p) {
        pen.lineWidth = 4; pen.strokeStyle = "rgba(0,0,0,.55)"; ring(pen, p, 4.6);
        pen.lineWidth = 2; pen.strokeStyle = LABEL; ring(pen, p, 4.6);
      }
      if (q) {
        pen.lineWidth = 3.4; pen.strokeStyle = "rgba(0,0,0,.55)"; cross(pen, q, 3.4);
        pen.lineWidth = 1.8; pen.strokeStyle = SEEN; cross(pen, q, 3.4);
      }
      const spot = p || q;
      if (spot) boxes[v].places.push([k, ...spot]);
      if (spot && (on("names") || (hover && hover[0] === v && hover[1] === k))) write(pen, spot, data.names[k], width);
    }
    const away = known(distances(frame)[v] || []);
    const count = known(labels).length;
    let text = `${count} of ${joints} labelled`;
    if (away.length) {
      const worst = (distances(frame)[v]).indexOf(Math.max(...away));
      text += `; off by ${px(median(away))} px (median), ${px(Math.max(...away))} px (${data.names[worst]})`;
    }
    if (hover && hover[0] === v) {
      const d = (distances(frame)[v] || [])[hover[1]];
      text = data.names[hover[1]] + (d === null || d === undefined ? "" : `, off by ${d.toFixed(2)} px`);
    }
    caption.append(text);
  }
  function line(pen, a, b) { pen.beginPath(); pen.moveTo(...a); pen.lineTo(...b); pen.stroke(); }
  function ring(pen, p, r) { pen.beginPath(); pen.arc(p[0], p[1], r, 0, 7); pen.stroke(); }
  function cross(pen, p, r) { line(pen, [p[0] - r, p[1] - r], [p[0] + r, p[1] + r]); line(pen, [p[0] - r, p[1] + r], [p[0] + r, p[1] - r]); }
  function write(pen, p, text, width, ink = "#fff", edge = "rgba(0,0,0,.8)") {
    pen.font = "600 11px system-ui, sans-serif";
    const x = Math.max(2, Math.min(p[0] + 8, width - pen.measureText(text).width - 4));
    pen.lineWidth = 3; pen.strokeStyle = edge; pen.strokeText(text, x, p[1] - 6);
    pen.fillStyle = ink; pen.fillText(text, x, p[1] - 6);
  }
  function point(v, event) {
    const box = boxes[v].canvas.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 14;
    for (const [k, px_, py] of boxes[v].places) {
      const d = Math.hypot(px_ - x, py - y);
      if (d < least) { least = d; best = k; }
    }
    hover = best === null ? null : [v, best];
    draw();
  }

  // ---- space ----
  const space = { azimuth: 0.6, elevation: 0.4, zoom: 1 };
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const mix = (a, b, s) => [a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]];
  const times = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const unit = (a) => { const n = Math.hypot(...a) || 1; return a.map((x) => x / n); };
  function share(values, part) { const s = [...values].sort((a, b) => a - b); return s[Math.round(part * (s.length - 1))]; }
  function extent(points) {
    if (!points.length) return { middle: [0, 0, 0], radius: 1 };
    const middle = [0, 1, 2].map((c) => (share(points.map((p) => p[c]), 0.01) + share(points.map((p) => p[c]), 0.99)) / 2);
    return { middle, radius: Math.max(1, share(points.map((p) => Math.hypot(...mix(p, middle, -1))), 0.99)) };
  }
  const everywhere = extent(known(frames.flatMap((f) => f.points || [])));
  const largestBody = frames.reduce((most, f) => Math.max(most, extent(known(f.points || [])).radius), 1);
  function upward() {
    const chosen = at("up") ? at("up").value : "";
    if (!chosen) return data.up;
    const axis = [0, 0, 0];
    axis["xyz".indexOf(chosen[1])] = chosen[0] === "-" ? -1 : 1;
    return axis;
  }
  const grounds = new Map();
  function ground(up) {
    const key = up.join();
    if (!grounds.has(key)) {
      const heights = known(frames.flatMap((f) => f.points || [])).map((p) => dot(p, up));
      grounds.set(key, share(heights.length ? heights : [0], 0.005));
    }
    return grounds.get(key);
  }
  function drawSpace(frame) {
    const canvas = at("space");
    const height = Math.min(canvas.clientWidth, window.innerHeight - 160);
    const [pen, width] = sharp(canvas, Math.max(height, 260));
    const tall = Math.max(height, 260);
    const points = frame.points || [], there = known(points);
    const middle = on("follow") && there.length ? extent(there).middle : everywhere.middle;
    const radius = on("follow") ? largestBody : everywhere.radius;
    const up = unit(upward());
    const thin = [0, 1, 2].reduce((a, b) => (Math.abs(up[b]) < Math.abs(up[a]) ? b : a), 0);
    const east = unit(times([0, 1, 2].map((c) => (c === thin ? 1 : 0)), up)), north = times(up, east);
    const ca = Math.cos(space.azimuth), sa = Math.sin(space.azimuth), ce = Math.cos(space.elevation), se = Math.sin(space.elevation);
    const away = mix(mix(mix([0, 0, 0], east, ce * ca), north, ce * sa), up, se);
    const right = unit(times(up, away)), above = times(away, right);
    const far = 5 * radius, focal = 0.44 * Math.min(width, tall) * far / radius * space.zoom;
    const project = (p) => {
      const d = mix(p, middle, -1), depth = far - dot(d, away);
      return [width / 2 + focal * dot(d, right) / depth, tall / 2 - focal * dot(d, above) / depth, depth];
    };
    // Floor below the lowest point of all framesets.
    const floor = on("follow") && there.length ? Math.min(...there.map((p) => dot(p, up))) : ground(up);
    const wanted = 2.6 * radius / 8, power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((s) => s * power).reduce((a, b) => (Math.abs(a - wanted) < Math.abs(b - wanted) ? a : b));
    const origin = mix(middle, up, floor - dot(middle, up));
    pen.strokeStyle = "#d3dae0";
    pen.lineWidth = 1;
    for (let n = -4; n <= 4; n++) {
      for (const [one, other] of [[east, north], [north, east]]) {
        const start = mix(origin, one, n * step);
        const a = project(mix(start, other, -4 * step)), b = project(mix(start, other, 4 * step));
        line(pen, a.slice(0, 2), b.slice(0, 2));
      }
    }
    at("grid").textContent = `Squares of ${step >= 1 ? step : step.toPrecision(1)} mm.`;
    const flat = points.map((p) => p && project(p));
    // Shadows on the floor show heights.
    pen.fillStyle = "rgba(31,41,51,.16)";
    for (const p of there) {
      const s = project(mix(p, up, floor - dot(p, up)));
      pen.beginPath(); pen.arc(s[0], s[1], 3, 0, 7); pen.fill();
    }
    const items = [];
    for (const [a, b] of data.edges) if (flat[a] && flat[b]) items.push([(flat[a][2] + flat[b][2]) / 2, a, b]);
    flat.forEach((p, k) => p && items.push([p[2] - 1e-3, k]));
    items.sort((a, b) => b[0] - a[0]);
    for (const [depth, a, b] of items) {
      const near = far / depth;
      if (b !== undefined) {
        pen.lineCap = "round";
        pen.lineWidth = 4.2 * near; pen.strokeStyle = "rgba(31,41,51,.55)"; line(pen, flat[a].slice(0, 2), flat[b].slice(0, 2));
        pen.lineWidth = 2.8 * near; pen.strokeStyle = data.colors[b]; line(pen, flat[a].slice(0, 2), flat[b].slice(0, 2));
      } else {
        pen.beginPath(); pen.arc(flat[a][0], flat[a][1], 5 * near, 0, 7);
        pen.fillStyle = data.colors[a]; pen.fill();
        pen.lineWidth = 1.2; pen.strokeStyle = "#1f2933"; pen.stroke();
      }
    }
    flat.forEach((p, k) => {
      if (p && (on("names") || (hover && hover[1] === k))) write(pen, p, data.names[k], width, "#1f2933", "rgba(255,255,255,.9)");
    });
    if (!there.length) { pen.fillStyle = "#52606d"; pen.font = "14px system-ui"; pen.fillText("no point in space", 14, 24); }
  }
  if (at("space")) {
    const canvas = at("space");
    let last = null;
    canvas.addEventListener("pointerdown", (e) => { last = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointerup", () => { last = null; });
    canvas.addEventListener("pointermove", (e) => {
      if (!last) return;
      space.azimuth -= (e.clientX - last[0]) * 0.01;
      space.elevation = Math.max(-1.5, Math.min(1.5, space.elevation + (e.clientY - last[1]) * 0.01));
      last = [e.clientX, e.clientY];
      draw();
    });
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      space.zoom = Math.max(0.2, Math.min(12, space.zoom * Math.exp(-e.deltaY * 0.0015)));
      draw();
    }, { passive: false });
  }

  // ---- the rest ----
  function drawStrip() {
    const [pen, width, height] = sharp(at("strip"), 30);
    const most = Math.max(ALARM, ...largest), each = width / frames.length;
    largest.forEach((value, n) => {
      pen.fillStyle = value >= ALARM ? "#d55e00" : value >= HIGH ? "#e69f00" : "#56b4e9";
      const tall = Math.max(2, (height - 2) * Math.sqrt(value / most));
      pen.fillRect(n * each, height - tall, Math.max(1, each - 1), tall);
    });
    pen.strokeStyle = "#1f2933"; pen.lineWidth = 2;
    pen.strokeRect(now * each + 1, 1, Math.max(2, each - 2), height - 2);
  }
  function drawTable(frame) {
    const table = document.createElement("table"), off = distances(frame);
    const cell = (row, kind, text, name) => {
      const c = document.createElement(kind);
      c.textContent = text;
      if (name) c.className = name;
      row.append(c);
    };
    const head = table.createTHead().insertRow();
    cell(head, "th", "Keypoint");
    data.views.forEach((name) => cell(head, "th", name));
    const body = table.createTBody();
    data.names.forEach((name, k) => {
      const row = body.insertRow();
      cell(row, "th", name);
      data.views.forEach((_, v) => {
        const d = off[v] ? off[v][k] : null;
        cell(row, "td", d === null ? "\u2013" : d.toFixed(1), d >= ALARM ? "alarm" : d >= HIGH ? "high" : "");
      });
    });
    at("rest").replaceChildren(table);
  }

  function draw() {
    const frame = frames[now];
    boxes.forEach((_, v) => drawView(frame, v));
    if (at("space")) drawSpace(frame);
  }
  function show(number) {
    now = (number + frames.length) % frames.length;
    hover = null;
    const frame = frames[now];
    at("slider").value = now;
    at("count").textContent = `${now + 1} / ${frames.length}`;
    const name = document.createElement("b");
    name.textContent = frame.name;
    at("said").replaceChildren(name, frame.note ? ` \u00b7 ${frame.note}` : "");
    draw();
    if (at("strip")) drawStrip();
    if (at("rest")) drawTable(frame);
    for (const source of (frames[(now + 1) % frames.length].images || [])) if (source) picture(source);
  }
  function play() {
    if (playing !== null) { clearInterval(playing); playing = null; } else playing = setInterval(() => show(now + 1), data.fps ? 1000 / data.fps : 600);
    at("play").textContent = playing === null ? "Play" : "Pause";
  }
  at("slider").max = frames.length - 1;
  at("slider").addEventListener("input", (e) => show(Number(e.target.value)));
  at("back").addEventListener("click", () => show(now - 1));
  at("next").addEventListener("click", () => show(now + 1));
  at("play").addEventListener("click", play);
  if (at("strip")) at("strip").addEventListener("click", (e) => {
    const box = at("strip").getBoundingClientRect();
    show(Math.min(frames.length - 1, Math.floor((e.clientX - box.left) / box.width * frames.length)));
  });
  document.querySelectorAll(".options input, .options select").forEach((each) => each.addEventListener("change", draw));
  document.addEventListener("keydown", (e) => {
    if (e.target.tagName === "SELECT") return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    if (e.key in steps) { e.preventDefault(); show(now + steps[e.key]); }
    if (e.key === " ") { e.preventDefault(); play(); }
  });
  window.addEventListener("resize", () => show(now));
  show(0);
})();
