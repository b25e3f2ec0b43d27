// Slider, buttons, number and keys that choose a frame. `moved` hears of each choice; `send` is told [frame, serial], and the
// next one when `waits` is 0 again.
const SHAPES = {
  back: "M15 4 L5 10 L15 16 Z", next: "M5 4 L15 10 L5 16 Z", play: "M5 3 L17 10 L5 17 Z", pause: "M5 3 H8 V17 H5 Z M12 3 H15 V17 H12 Z",
};
const PATIENCE = 3000, STRIDE = 10;

function icon(button, shape) {
  button.innerHTML = `<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${SHAPES[shape]}"/></svg>`;
}

function frameControls(root) {
  const box = document.createElement("div");
  box.className = "stepper";
  const add = (tag, set) => Object.assign(box.appendChild(document.createElement(tag)), set);
  const own = {
    box, frame: 0, told: null, waits: 0, playing: null, jumps: null, serial: 0,
    label: add("span", { className: "label" }),
    back: add("button", { title: "One back (left; ten back with shift)", ariaLabel: "One frame back" }),
    play: add("button", { title: "Play or pause (space)", ariaLabel: "Play or pause" }),
    next: add("button", { title: "One on (right; ten on with shift)", ariaLabel: "One frame on" }),
    range: add("input", { type: "range", min: 0, step: 1 }),
    number: add("input", { type: "number", step: 1 }),
    of: add("span", { className: "of" }),
  };
  icon(own.back, "back"); icon(own.next, "next"); icon(own.play, "play");
  root.append(box);

  own.draw = () => {
    const { count, first } = own.data;
    own.range.max = count - 1;
    own.range.value = own.frame;
    own.range.style.setProperty("--share", `${count > 1 ? 100 * own.frame / (count - 1) : 0}%`);
    own.range.ariaValueText = String(own.frame + first);
    own.number.min = first;
    own.number.max = count - 1 + first;
    if (root.activeElement !== own.number) own.number.value = own.frame + first;
    own.of.textContent = `/ ${count - 1 + first}`;
    own.back.disabled = own.frame <= 0;
    own.next.disabled = own.frame >= count - 1;
  };
  own.busy = () => own.waits > 0 && performance.now() - own.waits < PATIENCE;
  own.tell = () => {
    if (own.frame === own.told || own.busy()) return;
    own.told = own.frame;
    own.waits = performance.now();
    own.send("step", [own.frame, Date.now() * 1000 + (own.serial++ % 1000)]);
  };
  own.go = (frame) => {
    own.frame = Math.max(0, Math.min(own.data.count - 1, Math.round(frame)));
    own.draw();
    own.moved?.(own.frame);
    own.tell();
  };
  own.stop = () => {
    clearInterval(own.playing);
    own.playing = null;
    icon(own.play, "play");
  };
  own.toggle = () => {
    if (own.playing !== null) { own.stop(); return; }
    if (own.frame >= own.data.count - 1) own.go(0);
    icon(own.play, "pause");
    const from = own.frame, since = performance.now();
    own.playing = setInterval(() => {
      if (own.frame !== own.told || own.busy()) { own.tell(); return; }
      // Slower than wanted where the answers are: frames are then left out.
      const wanted = from + Math.floor((performance.now() - since) / 1000 * own.data.fps);
      if (wanted <= own.frame) return;
      own.go(wanted);
      if (own.frame >= own.data.count - 1) own.stop();
    }, Math.max(15, 500 / own.data.fps));
  };
  own.back.onclick = () => { own.stop(); own.go(own.frame - 1); };
  own.next.onclick = () => { own.stop(); own.go(own.frame + 1); };
  own.play.onclick = own.toggle;
  own.range.oninput = () => { own.stop(); own.go(Number(own.range.value)); };
  own.number.onchange = () => { own.stop(); own.go((Number(own.number.value) || 0) - own.data.first); };
  own.number.onblur = () => own.draw();

  own.key = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const from = event.composedPath()[0], mine = root.contains(from);
    if (!mine && (!own.data.keys || !box.checkVisibility() || takesKeys(from))) return;
    if (mine && from === own.number) return;
    const stride = event.shiftKey ? STRIDE : 1, last = own.data.count - 1;
    const steps = { ArrowLeft: own.frame - stride, ArrowRight: own.frame + stride, Home: 0, End: last };
    if (event.key in steps) {
      event.preventDefault();
      own.stop();
      own.go(steps[event.key]);
    } else if (event.key === " " && own.data.fps && !(from instanceof HTMLButtonElement)) {
      event.preventDefault();
      own.toggle();
    }
  };
  own.update = (data, send) => {
    const begins = own.told === null;
    Object.assign(own, { data, send, waits: 0 });
    own.label.textContent = data.label;
    own.range.ariaLabel = own.number.ariaLabel = data.label;
    own.play.style.display = data.fps ? "" : "none";
    if (begins || own.jumps !== data.jumps || own.frame > data.count - 1) {
      own.stop();
      own.frame = own.told = data.frame;
    }
    own.jumps = data.jumps;
    own.draw();
    own.tell();
  };
  own.remove = () => {
    own.stop();
    document.removeEventListener("keydown", own.key);
    box.remove();
  };
  document.addEventListener("keydown", own.key);
  return own;
}

function takesKeys(element) {
  const wants = "input, textarea, select, [contenteditable=''], [contenteditable=true], [role=slider], [role=combobox], [role=listbox], "
    + "[role=tab], [role=radio], [role=radiogroup], [role=menu], [role=dialog], [role=grid], [data-testid=stDataFrame]";
  return element instanceof Element && element.closest(wants) !== null;
}
