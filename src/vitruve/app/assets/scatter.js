// Two values a point, one a run. The picture of the point under the pointer is shown beside it.
const known = new WeakMap();
const LEFT = 64, RIGHT = 14, TOP = 14, BOTTOM = 50, RADIUS = 3.5, NEAR = 14, FLOOR = 1e-3, TIP = 300;

function make(root) {
  const own = { box: document.createElement("div"), canvas: document.createElement("canvas") };
  Object.assign(own, { tip: document.createElement("div"), legend: document.createElement("div") });
  Object.assign(own, { at: -1, view: null, drag: null });
  own.box.className = "scatter";
  own.tip.className = "tip";
  own.legend.className = "legend";
  own.canvas.tabIndex = 0;
  own.box.append(own.legend, own.canvas, own.tip);
  own.viewer = viewer(own.box);
  root.append(own.box);
  const ink = (name) => getComputedStyle(own.box).getPropertyValue(name).trim() || "#888";
  const scaled = (value) => (own.data.log ? Math.log10(Math.max(value, FLOOR)) : value);
  const back = (value) => (own.data.log ? 10 ** value : value);

  own.whole = () => {
    const all = own.data.points.flatMap(([x, y]) => [scaled(x), scaled(y)]);
    let low = Infinity, high = -Infinity;
    for (const value of all) { low = Math.min(low, value); high = Math.max(high, value); }
    if (!own.data.log) low = Math.min(0, low);
    const more = 0.03 * (high - low || 1);
    return { x: [low - (own.data.log ? more : 0), high + more], y: [low - (own.data.log ? more : 0), high + more] };
  };
  own.size = () => ({ w: own.width - LEFT - RIGHT, h: own.data.height - TOP - BOTTOM });
  own.placeX = (value) => LEFT + (scaled(value) - own.view.x[0]) / (own.view.x[1] - own.view.x[0]) * own.size().w;
  own.placeY = (value) => TOP + (1 - (scaled(value) - own.view.y[0]) / (own.view.y[1] - own.view.y[0])) * own.size().h;

  own.draw = () => {
    if (!own.view) return;
    const { w, h } = own.size(), ratio = window.devicePixelRatio || 1, pen = own.canvas.getContext("2d");
    own.canvas.width = own.width * ratio;
    own.canvas.height = own.data.height * ratio;
    own.canvas.style.height = `${own.data.height}px`;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = `13px ${ink("--st-font")}`;
    const text = ink("--st-text-color"), grid = ink("--st-border-color");
    pen.fillStyle = text;
    pen.lineWidth = 1;
    for (const value of ticks(back(own.view.x[0]), back(own.view.x[1]), Math.max(2, w / 90), own.data.log)) {
      const x = own.placeX(value);
      pen.strokeStyle = grid;
      pen.beginPath(); pen.moveTo(x, TOP); pen.lineTo(x, TOP + h); pen.stroke();
      pen.textAlign = "center";
      pen.fillText(tickText(value), x, TOP + h + 18);
    }
    for (const value of ticks(back(own.view.y[0]), back(own.view.y[1]), Math.max(2, h / 60), own.data.log)) {
      const y = own.placeY(value);
      pen.beginPath(); pen.moveTo(LEFT, y); pen.lineTo(LEFT + w, y); pen.stroke();
      pen.textAlign = "right";
      pen.fillText(tickText(value), LEFT - 6, y + 4);
    }
    pen.textAlign = "center";
    pen.fillText(own.data.axes[0], LEFT + w / 2, TOP + h + 40, w);
    pen.save();
    pen.translate(15, TOP + h / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(own.data.axes[1], 0, 0, h);
    pen.restore();
    pen.save();
    pen.beginPath(); pen.rect(LEFT, TOP, w, h); pen.clip();
    const low = back(Math.min(own.view.x[0], own.view.y[0])), high = back(Math.max(own.view.x[1], own.view.y[1]));
    pen.strokeStyle = text;
    pen.setLineDash([5, 5]);
    pen.beginPath(); pen.moveTo(own.placeX(low), own.placeY(low)); pen.lineTo(own.placeX(high), own.placeY(high)); pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = own.data.points.length > 2000 ? 0.35 : 0.6;
    for (const [x, y, , , group] of own.data.points) {
      pen.fillStyle = own.data.groups[group].color;
      pen.beginPath(); pen.arc(own.placeX(x), own.placeY(y), RADIUS, 0, 7); pen.fill();
    }
    pen.globalAlpha = 1;
    if (own.at >= 0) {
      const [x, y] = own.data.points[own.at];
      pen.strokeStyle = text;
      pen.lineWidth = 2;
      pen.beginPath(); pen.arc(own.placeX(x), own.placeY(y), RADIUS + 3, 0, 7); pen.stroke();
    }
    if (own.drag?.to) {
      const [a, b] = [own.drag.from, own.drag.to];
      pen.fillStyle = ink("--st-primary-color");
      pen.globalAlpha = 0.15;
      pen.fillRect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y));
    }
    pen.restore();
  };

  own.card = (index) => {
    const [x, y, place, mark] = own.data.points[index];
    if (place < 0) return [null, mark];
    const card = own.data.cards[place], said = (value) => `${Number(value.toPrecision(3))} ${own.data.unit}`.trim();
    return [{ ...card, lines: [mark, `right ${said(x)}, up ${said(y)}`, ...card.lines] }, mark];
  };
  own.point = (index) => {
    own.at = index;
    own.draw();
    own.tip.replaceChildren();
    own.tip.style.display = index < 0 ? "none" : "block";
    if (index < 0) return;
    const [x, y] = own.data.points[index], [card, mark] = own.card(index);
    if (card) captioned(card, own.tip, mark); else words(own.tip, "picture-title", mark);
    const left = own.placeX(x), right = left + TIP + 24 < own.width;
    own.tip.style.left = `${right ? left + 14 : Math.max(0, left - TIP - 14)}px`;
    own.tip.style.top = `${Math.max(0, Math.min(own.data.height - 280, own.placeY(y) - 120)) + own.canvas.offsetTop}px`;
  };
  own.nearest = (event) => {
    const box = own.canvas.getBoundingClientRect(), at = { x: event.clientX - box.left, y: event.clientY - box.top };
    let best = -1, least = NEAR * NEAR;
    own.data.points.forEach(([x, y], index) => {
      const away = (own.placeX(x) - at.x) ** 2 + (own.placeY(y) - at.y) ** 2;
      if (away < least) { least = away; best = index; }
    });
    return [best, at];
  };
  own.open = () => {
    if (own.at < 0) return;
    const [card, mark] = own.card(own.at);
    if (card) own.viewer.open([card], 0, mark);
  };

  own.canvas.onpointerdown = (event) => { own.drag = { from: own.nearest(event)[1], to: null }; };
  own.canvas.onpointermove = (event) => {
    const [best, at] = own.nearest(event);
    if (own.drag && event.buttons) {
      if (own.drag.to || Math.hypot(at.x - own.drag.from.x, at.y - own.drag.from.y) > 6) own.drag.to = at;
      own.draw();
    } else if (best !== own.at) own.point(best);
  };
  own.canvas.onpointerup = () => {
    const drag = own.drag;
    own.drag = null;
    if (!drag?.to) { own.open(); return; }
    const { w, h } = own.size(), { x, y } = own.view;
    const alongX = (at) => x[0] + Math.min(1, Math.max(0, (at.x - LEFT) / w)) * (x[1] - x[0]);
    const alongY = (at) => y[0] + Math.min(1, Math.max(0, 1 - (at.y - TOP) / h)) * (y[1] - y[0]);
    const sorted = (pair) => pair.sort((a, b) => a - b);
    const wanted = { x: sorted([alongX(drag.from), alongX(drag.to)]), y: sorted([alongY(drag.from), alongY(drag.to)]) };
    if (wanted.x[1] > wanted.x[0] && wanted.y[1] > wanted.y[0]) own.view = wanted;
    own.draw();
  };
  own.canvas.ondblclick = () => { own.viewer.close(); own.view = own.whole(); own.draw(); };
  own.canvas.onpointerleave = () => { own.drag = null; own.point(-1); };
  own.canvas.onpointerenter = () => own.draw();
  own.canvas.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], count = own.order.length;
    if (event.key === "Enter") own.open();
    if (step === undefined || !count) return;
    event.preventDefault();
    event.stopPropagation();
    const now = own.order.indexOf(own.at);
    own.point(own.order[now < 0 ? 0 : (now + step + count) % count]);
  };
  own.watch = new ResizeObserver(() => {
    own.width = own.box.clientWidth;
    own.canvas.style.width = `${own.width}px`;
    own.draw();
  });
  own.watch.observe(own.box);
  return own;
}

export default function ({ data, parentElement }) {
  const own = known.get(parentElement) ?? make(parentElement);
  known.set(parentElement, own);
  const said = JSON.stringify(data), changed = said !== own.said;
  Object.assign(own, { data, said });
  if (changed) {
    const away = ([x, y]) => (data.log ? Math.abs(Math.log(Math.max(x, FLOOR) / Math.max(y, FLOOR))) : Math.abs(x - y));
    own.order = data.points.map((_, index) => index).sort((a, b) => away(data.points[b]) - away(data.points[a]));
    own.view = data.points.length ? own.whole() : null;
    own.legend.replaceChildren(...data.groups.map(({ name, color }) => {
      const made = document.createElement("span"), dot = document.createElement("i");
      dot.style.background = color;
      made.append(dot, name);
      return made;
    }));
  }
  own.width = own.box.clientWidth;
  own.canvas.ariaLabel = `${data.axes[0]} against ${data.axes[1]}; left and right go through the points, the most different first`;
  own.point(-1);
  return () => {
    own.watch.disconnect();
    known.delete(parentElement);
    own.box.remove();
  };
}
