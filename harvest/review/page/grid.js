// The grid: only the tiles near the screen exist, and they are used again, so that 50,000 images scroll like 50.

import { byId, setAttribute } from "./elements.js";
import { listen, store } from "./store.js";
import { requestThumbnails } from "./thumbnails.js";
import { showTiles, startTiles, tileOf } from "./tiles.js";

export const SIZES = { S: 120, M: 168, L: 240 };
const GAP = 8;
const PADDING = 16;
const RATIO = 3 / 4;
const SPARE_ROWS = 2;
const FLING = 4000; // pixels a second: faster than this an image is on the screen for a fifth of a second, so no thumbnail is requested
const SETTLED = 90; // milliseconds
const PHONE = matchMedia("(max-width: 640px)");

let box, sheet;
let layout = { columns: 1, width: SIZES.M, height: SIZES.M * RATIO, rowHeight: 1, gap: GAP, padding: PADDING };
// The part of the sheet on the screen. To ask the box in the middle of a draw would make the browser compute the layout.
const view = { top: 0, width: 0, height: 0 };
let sheetHeight = 0;
let frame = 0;
let isStale = true; // whether tiles that exist may show something old
let lastTime = 0;
let settleTimer = 0;
let isFast = false;
export const gridLook = { size: "M", crops: false };

export function startGrid() {
  box = byId("grid");
  sheet = byId("sheet");
  startTiles();
  box.addEventListener("scroll", onScroll, { passive: true });
  new ResizeObserver(() => relayout()).observe(box);
  listen("items selection", draw);
  listen("focus", () => { reveal(store.focus); draw(); });
}

/** Measure the columns again, and keep the first visible image where it is, or show another one first. */
export function relayout(first = firstVisible()) {
  Object.assign(view, { width: box.clientWidth, height: box.clientHeight });
  if (!view.width) return;
  const isPhone = PHONE.matches;
  const [gap, padding] = isPhone ? [3, 3] : [GAP, PADDING];
  const room = view.width - 2 * padding;
  const columns = isPhone ? 3 : Math.max(1, Math.round((room + gap) / (SIZES[gridLook.size] + gap)));
  const width = (room - gap * (columns - 1)) / columns;
  const height = Math.round(width * (isPhone ? 1 : RATIO));
  layout = { columns, width, height, rowHeight: height + gap, gap, padding, position };
  sheet.classList.toggle("crops", gridLook.crops);
  scrollToIndex(first);
  drawNow();
}

const rowOf = (index) => Math.floor(index / layout.columns);
const rowTop = (row) => layout.padding + row * layout.rowHeight;
const position = (index) => ({ x: layout.padding + (index % layout.columns) * (layout.width + layout.gap), y: rowTop(rowOf(index)) });
const firstVisible = () => Math.max(0, Math.round((view.top - layout.padding + layout.gap) / layout.rowHeight)) * layout.columns;

/** Return the first and the last index whose row is entirely on the screen; at least one row. */
export function screenRange() {
  const first = Math.max(0, Math.ceil((view.top - layout.padding - layout.gap - 1) / layout.rowHeight));
  const last = Math.floor((view.top + view.height - layout.padding + layout.gap + 1) / layout.rowHeight) - 1;
  const end = (Math.max(first, last) + 1) * layout.columns - 1;
  return [first * layout.columns, Math.min(store.ids.length - 1, end)];
}

export const idsOnScreen = () => {
  const [first, last] = screenRange();
  return store.ids.slice(first, last + 1);
};

export const columnCount = () => layout.columns;
export const rowsOnScreen = () => Math.max(1, Math.floor(view.height / layout.rowHeight));

/** Scroll so that the row of an image is the first one. */
export function scrollToIndex(index) {
  const top = rowOf(index) * layout.rowHeight;
  if (Math.abs(view.top - top) > 1) setTop(top);
  draw();
}

/** Scroll by as little as is needed to show the row of an image entirely. */
export function reveal(index) {
  const top = rowTop(rowOf(index)) - layout.padding;
  const bottom = top + layout.height + 2 * layout.padding;
  if (top < view.top) setTop(top);
  else if (bottom > view.top + view.height) setTop(bottom - view.height);
}

function setTop(top) {
  resizeSheet();
  box.scrollTop = top;
  view.top = box.scrollTop; // the browser stops at the ends
}

/** Give the sheet the height of all rows. */
function resizeSheet() {
  const rows = Math.ceil(store.ids.length / layout.columns);
  const height = rows * layout.rowHeight - layout.gap + 2 * layout.padding;
  if (height === sheetHeight) return;
  sheetHeight = height;
  sheet.style.height = `${height}px`;
  view.top = box.scrollTop; // it may have become too short
}

function onScroll() {
  const now = performance.now();
  const { scrollTop } = box;
  const speed = (Math.abs(scrollTop - view.top) / Math.max(1, now - lastTime)) * 1000;
  view.top = scrollTop;
  lastTime = now;
  isFast = speed > FLING;
  clearTimeout(settleTimer);
  if (isFast) settleTimer = setTimeout(() => { isFast = false; schedule(); }, SETTLED);
  schedule();
}

/** Draw in the next frame, also what changed on the tiles that exist. */
export function draw() {
  isStale = true;
  schedule();
}

function schedule() {
  frame ||= requestAnimationFrame(drawNow);
}

function drawNow() {
  cancelAnimationFrame(frame);
  frame = 0;
  if (!view.width || box.hidden) return;
  resizeSheet();
  const from = Math.max(0, Math.floor(view.top / layout.rowHeight) - SPARE_ROWS) * layout.columns;
  const to = (Math.ceil((view.top + view.height) / layout.rowHeight) + SPARE_ROWS) * layout.columns;
  const wanted = new Map(store.ids.slice(from, to).map((id, at) => [id, from + at]));
  // The focused tile always exists, because aria-activedescendant names it.
  const focused = store.ids[store.focus];
  if (focused !== undefined) wanted.set(focused, store.focus);
  showTiles(wanted, layout, isStale);
  isStale = false;
  if (!isFast) requestThumbnails(inOrderOfNeed(wanted));
  if (focused === undefined) box.removeAttribute("aria-activedescendant");
  else setAttribute(box, "aria-activedescendant", `tile-${focused}`);
  box.dispatchEvent(new Event("draw"));
}

/** Return the tiles with their images: those on the screen from its top, then the others. */
function inOrderOfNeed(wanted) {
  const [near, far] = [[], []];
  for (const [id, index] of wanted) {
    const top = rowTop(rowOf(index));
    const isOnScreen = top + layout.height > view.top && top < view.top + view.height;
    (isOnScreen ? near : far).push([tileOf(id), store.items.get(id)]);
  }
  return [...near, ...far];
}

/** Return the ids of the tiles that a rectangle of the sheet touches. */
export function idsInside({ left, top, right, bottom }) {
  const found = [];
  const step = layout.width + layout.gap;
  const rowAt = (y) => Math.max(0, Math.floor((y - layout.padding) / layout.rowHeight));
  for (let row = rowAt(top); row <= rowAt(bottom); row += 1) {
    for (let column = 0; column < layout.columns; column += 1) {
      const [x, y] = [layout.padding + column * step, rowTop(row)];
      const touches = x < right && x + layout.width > left && y < bottom && y + layout.height > top;
      const id = store.ids[row * layout.columns + column];
      if (touches && id !== undefined) found.push(id);
    }
  }
  return found;
}
