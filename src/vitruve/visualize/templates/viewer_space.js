"use strict";
// Drawing on a canvas, and a skeleton in space that is turned with the pointer.
const known = (list) => list.filter((d) => d !== null);
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
function line(pen, a, b) { pen.beginPath(); pen.moveTo(...a); pen.lineTo(...b); pen.stroke(); }
function ring(pen, p, r) { pen.beginPath(); pen.arc(p[0], p[1], r, 0, 7); pen.stroke(); }
function cross(pen, p, r) { line(pen, [p[0] - r, p[1] - r], [p[0] + r, p[1] + r]); line(pen, [p[0] - r, p[1] + r], [p[0] + r, p[1] - r]); }
function write(pen, p, text, width, ink = "#fff", edge = "rgba(0,0,0,.8)") {
  pen.font = "600 11px system-ui, sans-serif";
  const x = Math.max(2, Math.min(p[0] + 8, width - pen.measureText(text).width - 4));
  const y = Math.max(12, p[1] - 6);
  pen.lineWidth = 3; pen.strokeStyle = edge; pen.strokeText(text, x, y);
  pen.fillStyle = ink; pen.fillText(text, x, y);
}

// `asked` gives what people have chosen: follow, names, up (an axis such as "+z"), hover (number of a keypoint), color(name, otherwise).
// `turned` is called when it must be drawn anew, `listen` as addEventListener, but for as long as it is shown.
function spaceView(canvas, said, data, asked, turned, listen) {
  const frames = data.frames;
  const space = canvas.turned ??= { azimuth: 0.6, elevation: 0.4, zoom: 1 };
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
    const chosen = asked.up();
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
    const ink = asked.color("--ink", "#1f2933"), paper = asked.color("--floor", "#f7f9fa");
    const height = Math.min(canvas.clientWidth, window.innerHeight - 160);
    const [pen, width] = sharp(canvas, Math.max(height, 260));
    const tall = Math.max(height, 260);
    const points = frame.points || [], there = known(points);
    const middle = asked.follow() && there.length ? extent(there).middle : everywhere.middle;
    const radius = asked.follow() ? largestBody : everywhere.radius;
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
    const floor = asked.follow() && there.length ? Math.min(...there.map((p) => dot(p, up))) : ground(up);
    const wanted = 2.6 * radius / 8, power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((s) => s * power).reduce((a, b) => (Math.abs(a - wanted) < Math.abs(b - wanted) ? a : b));
    const origin = mix(middle, up, floor - dot(middle, up));
    pen.strokeStyle = asked.color("--grid", "#d3dae0");
    pen.lineWidth = 1;
    for (let n = -4; n <= 4; n++) {
      for (const [one, other] of [[east, north], [north, east]]) {
        const start = mix(origin, one, n * step);
        const a = project(mix(start, other, -4 * step)), b = project(mix(start, other, 4 * step));
        line(pen, a.slice(0, 2), b.slice(0, 2));
      }
    }
    said.textContent = `Squares of ${step >= 1 ? step : step.toPrecision(1)} mm.`;
    const flat = points.map((p) => p && project(p));
    // Shadows on the floor show heights.
    pen.fillStyle = asked.color("--shadow", "rgba(31,41,51,.16)");
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
        pen.lineWidth = 4.2 * near; pen.strokeStyle = asked.color("--edge", "rgba(31,41,51,.55)"); line(pen, flat[a].slice(0, 2), flat[b].slice(0, 2));
        pen.lineWidth = 2.8 * near; pen.strokeStyle = data.colors[b]; line(pen, flat[a].slice(0, 2), flat[b].slice(0, 2));
      } else {
        pen.beginPath(); pen.arc(flat[a][0], flat[a][1], 5 * near, 0, 7);
        pen.fillStyle = data.colors[a]; pen.fill();
        pen.lineWidth = 1.2; pen.strokeStyle = ink; pen.stroke();
      }
    }
    flat.forEach((p, k) => {
      if (p && (asked.names() || (asked.hover() === k))) write(pen, p, data.names[k], width, ink, paper);
    });
    if (!there.length) { pen.fillStyle = ink; pen.font = "14px system-ui"; pen.fillText("no point in space", 14, 24); }
  }
  let last = null;
  listen(canvas, "pointerdown", (e) => { last = [e.clientX, e.clientY]; canvas.setPointerCapture(e.pointerId); });
  listen(canvas, "pointerup", () => { last = null; });
  listen(canvas, "pointermove", (e) => {
    if (!last) return;
    space.azimuth -= (e.clientX - last[0]) * 0.01;
    space.elevation = Math.max(-1.5, Math.min(1.5, space.elevation + (e.clientY - last[1]) * 0.01));
    last = [e.clientX, e.clientY];
    turned();
  });
  listen(canvas, "wheel", (e) => {
    e.preventDefault();
    space.zoom = Math.max(0.2, Math.min(12, space.zoom * Math.exp(-e.deltaY * 0.0015)));
    turned();
  }, { passive: false });
  return drawSpace;
}
