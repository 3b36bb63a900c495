// The grid: only the tiles near the screen exist, and they are used again, so that 50,000 images scroll like 50.

import { byId, create } from "./elements.js";
import { thumbnail } from "./server.js";
import { listen, store } from "./store.js";
import { texts } from "./texts.js";

export const SIZES = { S: 120, M: 168, L: 240 };
const GAP = 8;
const PADDING = 16;
const RATIO = 3 / 4;
const SPARE_ROWS = 2;
const FLING = 12_000; // pixels a second; faster than this no thumbnail can be seen, so none is requested
const SETTLED = 90; // milliseconds
const PHONE = "(max-width: 640px)";

const tiles = new Map(); // id -> element
const pool = [];
let box, sheet;
let layout = { columns: 1, width: SIZES.M, height: SIZES.M * RATIO, rowHeight: 1 };
let frame = 0;
let lastTop = 0;
let lastTime = 0;
let settleTimer = 0;
let isFast = false;
export const gridLook = { size: "M", crops: false };

export function startGrid() {
  box = byId("grid");
  sheet = byId("sheet");
  box.addEventListener("scroll", onScroll, { passive: true });
  new ResizeObserver(relayout).observe(box);
  listen("items selection", draw);
  listen("focus", () => { reveal(store.focus); draw(); });
}

/** Measure the columns again, and keep the first visible image where it is. */
export function relayout() {
  if (!box.clientWidth) return;
  const first = firstVisible();
  const width = box.clientWidth - 2 * padding();
  const isPhone = matchMedia(PHONE).matches;
  const columns = isPhone ? 3 : Math.max(1, Math.round((width + gap()) / (SIZES[gridLook.size] + gap())));
  const tile = (width - gap() * (columns - 1)) / columns;
  const height = Math.round(tile * (isPhone ? 1 : RATIO));
  layout = { columns, width: tile, height, rowHeight: height + gap() };
  sheet.classList.toggle("crops", gridLook.crops);
  drawNow();
  scrollToIndex(first);
}

const gap = () => (matchMedia(PHONE).matches ? 3 : GAP);
const padding = () => (matchMedia(PHONE).matches ? 3 : PADDING);
const rowOf = (index) => Math.floor(index / layout.columns);
const rowTop = (row) => padding() + row * layout.rowHeight;
const firstVisible = () => Math.max(0, Math.round((box.scrollTop - padding() + gap()) / layout.rowHeight)) * layout.columns;

/** Return the first and the last index whose row is entirely on the screen; at least one row. */
export function screenRange() {
  const first = Math.max(0, Math.ceil((box.scrollTop - padding() - gap() - 1) / layout.rowHeight));
  const last = Math.floor((box.scrollTop + box.clientHeight - padding() + gap() + 1) / layout.rowHeight) - 1;
  const end = (Math.max(first, last) + 1) * layout.columns - 1;
  return [first * layout.columns, Math.min(store.ids.length - 1, end)];
}

export const idsOnScreen = () => {
  const [first, last] = screenRange();
  return store.ids.slice(first, last + 1);
};

export const columnCount = () => layout.columns;
export const rowsOnScreen = () => Math.max(1, Math.floor(box.clientHeight / layout.rowHeight));

/** Scroll so that the row of an image is the first one. */
export function scrollToIndex(index) {
  const top = rowOf(index) * layout.rowHeight;
  if (Math.abs(box.scrollTop - top) > 1) box.scrollTop = top;
  draw();
}

/** Scroll by as little as is needed to show the row of an image entirely. */
export function reveal(index) {
  const top = rowTop(rowOf(index)) - padding();
  const bottom = top + layout.height + 2 * padding();
  if (top < box.scrollTop) box.scrollTop = top;
  else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
}

function onScroll() {
  const now = performance.now();
  const speed = (Math.abs(box.scrollTop - lastTop) / Math.max(1, now - lastTime)) * 1000;
  lastTop = box.scrollTop;
  lastTime = now;
  isFast = speed > FLING;
  clearTimeout(settleTimer);
  settleTimer = setTimeout(() => { isFast = false; draw(); }, SETTLED);
  draw();
}

/** Draw in the next frame. */
export function draw() {
  frame ||= requestAnimationFrame(drawNow);
}

function drawNow() {
  cancelAnimationFrame(frame);
  frame = 0;
  if (!box.clientWidth || box.hidden) return;
  const rows = Math.ceil(store.ids.length / layout.columns);
  sheet.style.height = `${rows * layout.rowHeight - gap() + 2 * padding()}px`;
  const from = Math.max(0, Math.floor(box.scrollTop / layout.rowHeight) - SPARE_ROWS);
  const to = Math.ceil((box.scrollTop + box.clientHeight) / layout.rowHeight) + SPARE_ROWS;
  const wanted = new Map();
  for (let index = from * layout.columns; index < Math.min(store.ids.length, to * layout.columns); index += 1) {
    wanted.set(store.ids[index], index);
  }
  // The focused tile always exists, because aria-activedescendant names it.
  if (store.ids.length) wanted.set(store.ids[store.focus], store.focus);
  for (const [id, tile] of tiles) if (!wanted.has(id)) recycle(id, tile);
  for (const [id, index] of wanted) place(id, index);
  if (store.ids.length) box.setAttribute("aria-activedescendant", `tile-${store.ids[store.focus]}`);
  else box.removeAttribute("aria-activedescendant");
  box.dispatchEvent(new Event("draw"));
}

function recycle(id, tile) {
  tiles.delete(id);
  tile.hidden = true;
  tile.classList.remove("loaded");
  tile.removeAttribute("id");
  pool.push(tile);
}

function place(id, index) {
  const item = store.items.get(id);
  let tile = tiles.get(id);
  if (!tile) {
    tile = pool.pop() ?? build();
    tile.hidden = false;
    tile.id = `tile-${id}`;
    tile.dataset.id = id;
    tile.look = "";
    tile.firstChild.removeAttribute("src");
    tile.classList.remove("loaded", "broken");
    tiles.set(id, tile);
    if (!tile.isConnected) sheet.append(tile);
  }
  const [row, column] = [rowOf(index), index % layout.columns];
  tile.style.transform = `translate(${padding() + column * (layout.width + gap())}px, ${rowTop(row)}px)`;
  tile.style.width = `${layout.width}px`;
  tile.style.height = `${layout.height}px`;
  if (!isFast && tile.firstChild.getAttribute("src") !== thumbnail(item)) tile.firstChild.src = thumbnail(item);
  dress(tile, item, index);
}

function build() {
  const image = create("img", { alt: "", draggable: "false", decoding: "async" });
  const tile = create("div", { role: "option", class: "tile" }, image, create("span", { class: "badge" }));
  image.onload = () => tile.classList.add("loaded");
  image.onerror = () => tile.classList.add("broken");
  return tile;
}

/** Show the state of an image on its tile, and nothing twice: most frames change no tile. */
function dress(tile, item, index) {
  const isSelected = store.selection.has(item.id);
  const isFocused = index === store.focus;
  const look = [item.state, item.reviewed, item.rating, item.class, item.v, item.reasons, item.predicted, store.order, isSelected, isFocused, index, store.ids.length].join("|");
  if (tile.look === look) return;
  tile.look = look;
  tile.setAttribute("aria-selected", isSelected);
  tile.setAttribute("aria-setsize", store.ids.length);
  tile.setAttribute("aria-posinset", index + 1);
  tile.setAttribute("aria-label", texts.tile(item, index + 1, store.ids.length));
  tile.classList.toggle("focused", isFocused);
  tile.dataset.mark = mark(item);
  tile.lastChild.textContent = badge(item);
}

function mark(item) {
  if (item.state !== "kept") return item.state;
  return item.reviewed ? "kept" : "";
}

function badge(item) {
  if (item.state === "gone") return texts.gone;
  if (item.rating) return `★ ${item.rating}`;
  if (store.class && item.class !== store.class) return texts.moved(item.class);
  if (item.predicted && (store.order === "loss" || (store.order === "other" && item.predicted !== item.class))) return texts.says(item);
  return item.state === "kept" && !item.reviewed ? item.reasons.join(" · ") : "";
}

/** Return the index of the image at a place of the sheet, also between tiles. */
export function indexAt(x, y) {
  const column = Math.max(0, Math.min(layout.columns - 1, Math.floor((x - padding()) / (layout.width + gap()))));
  const row = Math.max(0, Math.floor((y - padding()) / layout.rowHeight));
  return Math.min(store.ids.length - 1, row * layout.columns + column);
}

/** Return the ids of the tiles that a rectangle of the sheet touches. */
export function idsInside({ left, top, right, bottom }) {
  const found = [];
  const step = layout.width + gap();
  const rowAt = (y) => Math.max(0, Math.floor((y - padding()) / layout.rowHeight));
  for (let row = rowAt(top); row <= rowAt(bottom); row += 1) {
    for (let column = 0; column < layout.columns; column += 1) {
      const [x, y] = [padding() + column * step, rowTop(row)];
      const touches = x < right && x + layout.width > left && y < bottom && y + layout.height > top;
      const id = store.ids[row * layout.columns + column];
      if (touches && id !== undefined) found.push(id);
    }
  }
  return found;
}
