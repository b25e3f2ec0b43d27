// Asks how something stands, draws how far it is, and tells Python when what is drawn of it no longer holds.
const watches = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const watch = watches.get(parentElement) ?? watched(parentElement);
  watches.set(parentElement, watch);
  watch.update(data, setTriggerValue);
  return () => {
    watch.end();
    watches.delete(parentElement);
  };
}

function watched(parent) {
  const lines = parent.querySelector(".bars");
  let data, tell, timer, told, toldAt = 0, asking = false;

  async function look() {
    // A page that nobody sees need not know.
    if (asking || !data.address || document.hidden) return;
    asking = true;
    try {
      const answer = await fetch(data.address);
      if (answer.ok) show(await answer.json());
    } catch {
      // The server is gone; it may come again.
    } finally {
      asking = false;
    }
  }

  function show(now) {
    draw(now.bars);
    if (now.version === data.version) return;
    // What was told once and had no effect was lost on the way.
    if (now.version === told && performance.now() - toldAt < 10_000) return;
    told = now.version;
    toldAt = performance.now();
    tell("changed", now.version);
  }

  function draw(bars) {
    while (lines.children.length > bars.length) lines.lastChild.remove();
    bars.forEach((bar, place) => {
      const line = lines.children[place] ?? lines.appendChild(newLine());
      const [text, track] = line.children;
      text.textContent = bar.text;
      track.hidden = bar.share === null;
      if (bar.share === null) return;
      track.setAttribute("aria-valuenow", Math.round(100 * bar.share));
      track.setAttribute("aria-label", bar.text);
      track.firstChild.style.width = `${100 * bar.share}%`;
    });
  }

  document.addEventListener("visibilitychange", look);
  return {
    update(given, setTriggerValue) {
      data = given;
      tell = setTriggerValue;
      draw(data.bars);
      clearInterval(timer);
      timer = data.address ? setInterval(look, 1000 * data.every) : undefined;
    },
    end() {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", look);
    },
  };
}

function newLine() {
  const line = document.createElement("div");
  const text = document.createElement("div");
  const track = document.createElement("div");
  track.className = "track";
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-valuemin", 0);
  track.setAttribute("aria-valuemax", 100);
  track.append(document.createElement("div"));
  line.append(text, track);
  return line;
}
