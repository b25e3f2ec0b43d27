// Pictures in a grid; one that is clicked is shown large.
const known = new WeakMap();

function make(root) {
  const box = document.createElement("div"), grid = document.createElement("div");
  grid.className = "pictures";
  box.append(grid);
  root.append(box);
  return { box, grid, viewer: viewer(box) };
}

export default function ({ data, parentElement }) {
  const own = known.get(parentElement) ?? make(parentElement);
  known.set(parentElement, own);
  own.grid.style.setProperty("--least", `${data.least}px`);
  own.grid.replaceChildren(...data.cards.map((card, place) => {
    const button = document.createElement("button");
    button.className = "card";
    button.onclick = () => own.viewer.open(data.cards, place);
    captioned(card, button);
    return button;
  }));
  return () => {
    known.delete(parentElement);
    own.box.remove();
  };
}
