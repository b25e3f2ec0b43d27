// Chooses a frame. Python is told [frame, serial]; the next frame is told when it has answered the last one.
const known = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const controls = known.get(parentElement) ?? frameControls(parentElement);
  known.set(parentElement, controls);
  controls.update(data, setStateValue);
  return () => {
    controls.remove();
    known.delete(parentElement);
  };
}
