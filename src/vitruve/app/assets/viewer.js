// The viewer of frames, which stands before this file, on a page of the app.
const shown = new WeakMap();

export default function ({ data, parentElement }) {
  const before = shown.get(parentElement);
  if (before && before.data === data) {
    // The theme has changed.
    before.viewer.draw();
    return before.remove;
  }
  const name = before ? before.data.frames[before.viewer.now()].name : null;
  before?.viewer.end();
  // Other parts or views of the same frames are shown where the ones before were.
  const begin = Math.max(0, data.frames.findIndex((frame) => frame.name === name));
  const own = { data, viewer: viewer(parentElement, data, begin) };
  own.remove = () => {
    shown.get(parentElement)?.viewer.end();
    shown.delete(parentElement);
  };
  shown.set(parentElement, own);
  return own.remove;
}
