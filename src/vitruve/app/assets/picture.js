// A part of an image with marks on it, as SVG. The middle of the image's first pixel is (0, 0).
const SVG_SPACE = "http://www.w3.org/2000/svg";

function shape(kind, set, within) {
  const made = document.createElementNS(SVG_SPACE, kind);
  for (const [name, value] of Object.entries(set)) made.setAttribute(name, value);
  within?.append(made);
  return made;
}

function titled(element, text) {
  if (text) shape("title", {}, element).textContent = text;
  return element;
}

// `only` names the marks that are drawn strongly; the others become faint.
function picture(card, only = null) {
  const [x1, y1, x2, y2] = card.box, wide = x2 - x1, tall = y2 - y1, unit = Math.max(wide, tall) / 100;
  const svg = shape("svg", { viewBox: `${x1} ${y1} ${wide} ${tall}`, class: "picture", role: "img" });
  svg.setAttribute("aria-label", card.title);
  shape("image", { href: card.url, x: -0.5, y: -0.5, width: card.width, height: card.height, preserveAspectRatio: "none" }, svg);
  for (const mark of card.marks) {
    const style = { stroke: mark.color, fill: "none", "vector-effect": "non-scaling-stroke" };
    const group = shape("g", { opacity: only === null || mark.name === only ? 1 : 0.25 }, svg);
    titled(group, mark.text || mark.name);
    if (mark.kind === "box") {
      const place = { x: mark.x, y: mark.y, width: mark.x2 - mark.x, height: mark.y2 - mark.y };
      shape("rect", { ...place, ...style, stroke: "#000", "stroke-width": 4, opacity: 0.45 }, group);
      shape("rect", { ...place, ...style, "stroke-width": 2, "stroke-dasharray": mark.dashed ? "6 4" : "none" }, group);
    } else if (mark.kind === "line") {
      const place = { x1: mark.x, y1: mark.y, x2: mark.x2, y2: mark.y2 };
      shape("line", { ...place, ...style, "stroke-width": 1.5, opacity: 0.85 }, group);
    } else if (mark.kind === "ring") {
      shape("circle", { cx: mark.x, cy: mark.y, r: 1.9 * unit, ...style, stroke: "#000", "stroke-width": 3.5 }, group);
      shape("circle", { cx: mark.x, cy: mark.y, r: 1.9 * unit, ...style, "stroke-width": 2 }, group);
    } else {
      shape("circle", { cx: mark.x, cy: mark.y, r: 1.2 * unit, ...style, fill: mark.color, stroke: "#000", "stroke-width": 1 }, group);
    }
  }
  return svg;
}

function words(within, kind, text) {
  const made = document.createElement("div");
  made.className = kind;
  made.textContent = text;
  within.append(made);
}

function captioned(card, within, only = null) {
  within.append(picture(card, only));
  words(within, "picture-title", card.title);
  for (const line of card.lines) words(within, "picture-line", line);
}

// Shows one of several pictures large, over the page; the arrow keys go on to the next.
function viewer(root) {
  const dialog = document.createElement("dialog");
  dialog.className = "picture-large";
  let cards = [], only = null, at = 0;
  const show = (place) => {
    at = (place + cards.length) % cards.length;
    dialog.replaceChildren();
    captioned(cards[at], dialog, only);
    if (cards.length > 1) words(dialog, "picture-line", `${at + 1} of ${cards.length}: left and right for the others`);
    if (!dialog.open) dialog.showModal();
  };
  dialog.onclick = () => dialog.close();
  dialog.onkeydown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    show(at + step);
  };
  root.append(dialog);
  return {
    open: (all, place = 0, strong = null) => { cards = all; only = strong; show(place); },
    close: () => dialog.close(),
  };
}
