// Reads an image as the network sees it, with the arithmetic of Pillow that `harvest predict` uses: upright, on white,
// its shorter side resized to `side` pixels by a triangle filter, and the middle `size` × `size` pixels as RGB bytes.

const GAP = 3; // Pillow's reducing_gap: images over six times too large are averaged in blocks first
const MOST_PIXELS = 16_000_000; // of a canvas on iOS

export async function readView(file, { size, side }) {
  const image = await decode(file, side);
  const short = Math.min(image.width, image.height);
  const scaled = Math.floor((side * Math.max(image.width, image.height)) / short);
  const [wide, high] = image.width <= image.height ? [side, scaled] : [scaled, side];
  const reduced = reduce(image, wide, high);
  const across = weights(reduced.width, image.width / reduced.factorX / wide, (wide - size) >> 1, size);
  const down = weights(reduced.height, image.height / reduced.factorY / high, (high - size) >> 1, size);
  return resizeRows(resizeColumns(reduced, across, size), down, size);
}

async function decode(file, side) {
  let bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    const shrink = Math.max(Math.sqrt(MOST_PIXELS / (width * height)), side / Math.min(width, height));
    const [resizeWidth, resizeHeight] = [width, height].map((edge) => Math.max(1, Math.floor(edge * shrink)));
    const smaller = await createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: "high" });
    bitmap.close();
    bitmap = smaller;
  }
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Average blocks of pixels, as Image.reduce does.
function reduce(image, wide, high) {
  const factorX = Math.floor(image.width / wide / GAP) || 1;
  const factorY = Math.floor(image.height / high / GAP) || 1;
  if (factorX === 1 && factorY === 1) return { ...pick(image), factorX, factorY };
  const [width, height] = [Math.ceil(image.width / factorX), Math.ceil(image.height / factorY)];
  const data = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    const bottom = Math.min((y + 1) * factorY, image.height);
    for (let x = 0; x < width; x++) {
      const right = Math.min((x + 1) * factorX, image.width);
      let [red, green, blue, count] = [0, 0, 0, 0];
      for (let row = y * factorY; row < bottom; row++) {
        for (let at = (row * image.width + x * factorX) * 4; at < (row * image.width + right) * 4; at += 4) {
          red += image.data[at];
          green += image.data[at + 1];
          blue += image.data[at + 2];
          count++;
        }
      }
      const to = (y * width + x) * 4;
      data[to] = Math.floor(red / count + 0.5);
      data[to + 1] = Math.floor(green / count + 0.5);
      data[to + 2] = Math.floor(blue / count + 0.5);
    }
  }
  return { width, height, data, factorX, factorY };
}

const pick = ({ width, height, data }) => ({ width, height, data });

// Return the first input pixel and the weights of each of `count` output pixels from `first` on.
function weights(length, scale, first, count) {
  const support = Math.max(scale, 1);
  return Array.from({ length: count }, (_, number) => {
    const center = (first + number + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(length, Math.trunc(center + support + 0.5));
    const parts = [];
    for (let at = start; at < end; at++) parts.push(Math.max(0, 1 - Math.abs((at - center + 0.5) / support)));
    const total = parts.reduce((sum, part) => sum + part, 0);
    return { start, parts: parts.map((part) => part / total) };
  });
}

// Rows first, and rounded to bytes between the passes, as Pillow does.
function resizeColumns({ width, height, data }, across, size) {
  const result = new Uint8ClampedArray(height * size * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < size; x++) {
      const { start, parts } = across[x];
      let [red, green, blue, at] = [0, 0, 0, (y * width + start) * 4];
      for (const part of parts) {
        red += data[at] * part;
        green += data[at + 1] * part;
        blue += data[at + 2] * part;
        at += 4;
      }
      store(result, (y * size + x) * 3, red, green, blue);
    }
  }
  return result;
}

function resizeRows(data, down, size) {
  const result = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const { start, parts } = down[y];
    for (let x = 0; x < size; x++) {
      let [red, green, blue, at] = [0, 0, 0, (start * size + x) * 3];
      for (const part of parts) {
        red += data[at] * part;
        green += data[at + 1] * part;
        blue += data[at + 2] * part;
        at += size * 3;
      }
      store(result, (y * size + x) * 3, red, green, blue);
    }
  }
  return result;
}

function store(result, at, red, green, blue) {
  result[at] = Math.floor(red + 0.5);
  result[at + 1] = Math.floor(green + 0.5);
  result[at + 2] = Math.floor(blue + 0.5);
}
