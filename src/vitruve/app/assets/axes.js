// Ticks of an axis that read well: 1, 2 or 5 times a power of ten; powers of ten alone where an axis is logarithmic.
function ticks(low, high, count, log) {
  if (!(high > low)) return [low];
  const found = [];
  if (log) {
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
      for (const step of high / low < 30 ? [1, 2, 5] : [1]) {
        const value = step * 10 ** power;
        if (value >= low && value <= high) found.push(value);
      }
    }
    return found;
  }
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  for (let at = Math.ceil(low / step); at * step <= high; at++) found.push(at * step);
  // One number tells no scale.
  return found.length > 1 || count > 20 ? found : ticks(low, high, 2 * count, log);
}

function tickText(value) {
  return String(Number(value.toPrecision(6)));
}

function line(paint, points, style, width, dash, opacity = 1) {
  paint.save();
  Object.assign(paint, { strokeStyle: style, lineWidth: width, globalAlpha: opacity });
  paint.setLineDash(dash);
  paint.beginPath();
  for (const [x, y] of points) paint.lineTo(x, y);
  paint.stroke();
  paint.restore();
}

// Where several frames share a column of pixels, it shows the lowest and the highest of them: no peak is lost.
