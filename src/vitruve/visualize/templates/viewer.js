// Frames to look through. `root` is the document, or what else holds viewer_body.html; `data` what viewer_data() gives,
// and `begin` the first one that is shown. The answer ends it.
function viewer(root, data, begin = 0) {
  const at = (id) => root.getElementById(id);
  const on = (id) => !at(id).closest("[hidden]") && at(id).checked;
  const LABEL = "#ff7a00", SEEN = "#00b4ff", HIGH = 5, ALARM = 10;
  const frames = data.frames, joints = data.names.length;
  const body = root.querySelector(".viewer"), ended = new AbortController();
  const listen = (to, kind, does, more = {}) => to.addEventListener(kind, does, { signal: ended.signal, ...more });
  let now = 0, playing = null, hover = null;
  const has = {
    views: frames.some((f) => f.images.length), labels: frames.some((f) => f.labels), reprojected: frames.some((f) => f.reprojected),
    space: frames.some((f) => f.points), areas: frames.some((f) => f.areas), boxes: frames.some((f) => f.boxes),
    bones: data.edges.length > 0, joints: joints > 0, fps: data.fps > 0,
  };
  root.querySelectorAll("[data-for], [data-not]").forEach((part) => {
    const of = (list) => (list ? list.split(" ") : []);
    part.hidden = !of(part.dataset.for).every((name) => has[name]) || of(part.dataset.not).some((name) => has[name]);
  });
  at("both").classList.toggle("single", !(has.views && has.space));
  // What people have chosen since stays chosen when other frames are shown.
  if (!body.dataset.begun) at("follow").checked = has.views && has.space;
  body.dataset.begun = "yes";
  // The page around says what is light and what is dark.
  const color = (name, otherwise) => getComputedStyle(body).getPropertyValue(name).trim() || otherwise;

  // Distances between labels and reprojections: [view][keypoint], null where either is missing.
  function distances(frame) {
    if (!frame.labels || !frame.reprojected) return [];
    return frame.labels.map((view, v) => view.map((p, k) => {
      const q = frame.reprojected[v][k];
      return p && q ? Math.hypot(p[0] - q[0], p[1] - q[1]) : null;
    }));
  }
  const median = (list) => {
    const sorted = [...list].sort((a, b) => a - b), m = sorted.length >> 1;
    return sorted.length % 2 ? sorted[m] : (sorted[m - 1] + sorted[m]) / 2;
  };
  const px = (value) => value.toFixed(value < 9.95 ? 1 : 0);
  const largest = frames.map((frame) => Math.max(0, ...known(distances(frame).flat())));

  // ---- views ----
  const boxes = [];
  at("views").replaceChildren();
  if (has.views) {
    (data.views.length ? data.views : [""]).forEach((name, v) => {
      const figure = document.createElement("figure");
      figure.className = "card";
      const canvas = document.createElement("canvas"), caption = document.createElement("figcaption");
      figure.append(canvas, caption);
      at("views").append(figure);
      listen(canvas, "mousemove", (event) => point(v, event));
      listen(canvas, "mouseleave", () => { hover = null; draw(); });
      boxes.push({ canvas, caption, places: [] });
    });
  }
  // As many pictures beside one another as are still large enough, and no row much emptier than the others.
  function arrange() {
    const room = at("views").clientWidth, gap = 12, least = Math.min(320, Math.max(200, 0.38 * room));
    const rows = Math.ceil(boxes.length / Math.max(1, Math.floor((room + gap) / (least + gap))));
    at("views").style.gridTemplateColumns = `repeat(${Math.ceil(boxes.length / rows)}, minmax(0, 1fr))`;
  }
  const pictures = new Map(), MOST = 400;
  function picture(source) {
    const image = pictures.get(source) || new Image();
    if (!image.src) {
      image.onload = image.onerror = () => { if (frames[now].images.includes(source)) draw(); };
      image.src = source;
    }
    pictures.delete(source);
    pictures.set(source, image);
    if (pictures.size > MOST) pictures.delete(pictures.keys().next().value);
    return image;
  }
  // Whether all pictures of a frame are there, or never will be.
  const ready = (frame) => frame.images.every((source) => !source || picture(source).complete);
  // Of the original image in pixels; a picture of unknown size is one.
  function sizeOf(frame, v) {
    if (frame.sizes) return frame.sizes[v];
    const image = picture(frame.images[v]);
    return image.naturalWidth ? [image.naturalWidth, image.naturalHeight] : null;
  }

  // The part of the original image that is shown: all of it, or the surroundings of what is marked.
  function area(frame, v) {
    if (frame.areas && frame.areas[v]) return frame.areas[v];
    const [width, height] = sizeOf(frame, v);
    const others = frame.more ? frame.more[v].flat() : [];
    const marked = [...(frame.labels ? frame.labels[v] : []), ...(frame.reprojected ? frame.reprojected[v] : []), ...others];
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
    const size = frame.images[v] ? sizeOf(frame, v) : null;
    const part = size ? area(frame, v) : [-0.5, -0.5, 4, 3];
    const [pen, width, height] = sharp(canvas, canvas.clientWidth * part[3] / part[2]);
    const scale = width / part[2];
    const place = (p) => [(p[0] - part[0]) * scale, (p[1] - part[1]) * scale];
    boxes[v].places = [];
    caption.replaceChildren();
    const title = document.createElement("b");
    title.textContent = data.views[v] ? data.views[v] + " " : "";
    caption.append(title);
    const image = frame.images[v] ? picture(frame.images[v]) : null;
    const lost = !image || (image.complete && !image.naturalWidth);
    if (lost || !size) {
      caption.append(lost ? "no image" : "");
      pen.fillStyle = "#8b98a5";
      pen.fillText(lost ? "no image" : "loading", 12, 20);
      if (!size) return;
    }
    if (!lost && image.complete) {
      const [left, top] = place([-0.5, -0.5]);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(image, left, top, size[0] * scale, size[1] * scale);
    }
    const labels = frame.labels ? frame.labels[v] : [], seen = frame.reprojected ? frame.reprojected[v] : [];
    const shown = on("labels") ? labels : on("reprojected") ? seen : [];
    const others = on("labels") && frame.more ? frame.more[v] : [];
    if (on("bones")) {
      pen.globalAlpha = 0.75;
      pen.lineWidth = 1.6;
      for (const each of [shown, ...others]) for (const [a, b] of data.edges) {
        if (!each[a] || !each[b]) continue;
        pen.strokeStyle = data.colors[b];
        line(pen, place(each[a]), place(each[b]));
      }
      pen.globalAlpha = 1;
    }
    if (on("boxes")) for (const [x1, y1, x2, y2, text] of (frame.boxes ? frame.boxes[v] : [])) {
      const [left, top] = place([x1, y1]), [right, bottom] = place([x2, y2]);
      pen.lineWidth = 3.4; pen.strokeStyle = "rgba(0,0,0,.45)"; pen.strokeRect(left, top, right - left, bottom - top);
      pen.lineWidth = 1.6; pen.strokeStyle = "#ffd23f"; pen.strokeRect(left, top, right - left, bottom - top);
      if (text) write(pen, [left - 6, top + 3], text, width);
    }
    for (const p of known(others.flat()).map(place)) { pen.lineWidth = 2; pen.strokeStyle = LABEL; ring(pen, p, 3.4); }
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
    const people = 1 + others.length, framed = frame.boxes ? frame.boxes[v].length : 0;
    let text = !joints || !frame.labels ? "" : `${count + known(others.flat()).length} of ${joints * people} labelled`;
    if (framed && !joints) text = `${framed} ${framed === 1 ? "box" : "boxes"}`;
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

  const drawSpace = spaceView(at("space"), at("grid"), data, {
    follow: () => on("follow"), names: () => on("names"), up: () => at("up").value, hover: () => (hover ? hover[1] : null), color,
  }, () => draw(), listen);

  // ---- the rest ----
  function drawStrip() {
    const [pen, width, height] = sharp(at("strip"), 30);
    const most = Math.max(ALARM, ...largest), each = width / frames.length;
    largest.forEach((value, n) => {
      pen.fillStyle = value >= ALARM ? "#d55e00" : value >= HIGH ? "#e69f00" : "#56b4e9";
      const tall = Math.max(2, (height - 2) * Math.sqrt(value / most));
      pen.fillRect(n * each, height - tall, Math.max(1, each - 1), tall);
    });
    pen.strokeStyle = color("--ink", "#1f2933"); pen.lineWidth = 2;
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
    if (has.views) arrange();
    boxes.forEach((_, v) => drawView(frame, v));
    if (has.space) drawSpace(frame);
  }
  function show(number) {
    now = Math.max(0, Math.min(frames.length - 1, number));
    hover = null;
    const frame = frames[now];
    at("slider").value = now;
    at("count").textContent = `${now + 1} / ${frames.length}`;
    const name = document.createElement("b");
    name.textContent = frame.name;
    at("said").replaceChildren(name, frame.note ? ` \u00b7 ${frame.note}` : "");
    draw();
    if (has.reprojected && has.labels) { drawStrip(); drawTable(frame); }
    ready(frames[(now + 1) % frames.length]);
  }
  const turn = (number) => show((number + frames.length) % frames.length);
  const SLOW = 1.7;
  function stop() {
    cancelAnimationFrame(playing);
    playing = null;
    at("play").textContent = "Play";
  }
  // In its own time; pictures that come later make it leave frames out, never show a pose over another's picture.
  function play() {
    if (playing !== null) { stop(); return; }
    const rate = data.fps ? data.fps * Number(at("speed").value) : SLOW;
    let from = now === frames.length - 1 ? 0 : now, since = performance.now(), wanted = from;
    if (from !== now) show(from);
    at("play").textContent = "Pause";
    const tick = (time) => {
      playing = requestAnimationFrame(tick);
      if (!ready(frames[wanted])) return;
      if (wanted !== now) show(wanted);
      const next = from + Math.floor((time - since) / 1000 * rate);
      if (next >= frames.length) { from = 0; since = time; }
      wanted = Math.max(0, Math.min(next >= frames.length ? 0 : next, frames.length - 1));
    };
    playing = requestAnimationFrame(tick);
  }
  const step = (number) => { stop(); turn(number); };
  at("slider").max = frames.length - 1;
  listen(at("slider"), "input", (e) => { stop(); show(Number(e.target.value)); });
  listen(at("back"), "click", () => step(now - 1));
  listen(at("next"), "click", () => step(now + 1));
  listen(at("play"), "click", play);
  listen(at("speed"), "change", () => { if (playing !== null) { stop(); play(); } });
  listen(at("strip"), "click", (e) => {
    const box = at("strip").getBoundingClientRect();
    stop();
    show(Math.min(frames.length - 1, Math.floor((e.clientX - box.left) / box.width * frames.length)));
  });
  root.querySelectorAll(".options input, .options select").forEach((each) => listen(each, "change", draw));
  const TYPED = "select, textarea, [contenteditable=''], [contenteditable=true], [role=slider], [role=combobox], [role=tab], [role=radio], "
    + "[role=radiogroup], [role=listbox], [role=menu], [role=dialog], [role=grid], input:not([type=range]):not([type=checkbox])";
  listen(document, "keydown", (e) => {
    const from = e.composedPath()[0];
    if (e.ctrlKey || e.altKey || e.metaKey || (from instanceof Element && from.closest(TYPED))) return;
    const far = e.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: now - far, ArrowRight: now + far, PageUp: now - 10, PageDown: now + 10 };
    const ends = { Home: 0, End: frames.length - 1 };
    // One step goes around from an end to the other, ten do not.
    if (e.key in steps) { e.preventDefault(); stop(); (Math.abs(steps[e.key] - now) > 1 ? show : turn)(steps[e.key]); }
    if (e.key in ends) { e.preventDefault(); stop(); show(ends[e.key]); }
    if (e.key === " " && !(from instanceof HTMLElement && from.matches("button, input[type=checkbox]"))) { e.preventDefault(); play(); }
  });
  const seen = new ResizeObserver(() => requestAnimationFrame(draw));
  seen.observe(body);
  stop();
  show(begin);
  return { now: () => now, draw, end: () => { stop(); seen.disconnect(); ended.abort(); } };
}
