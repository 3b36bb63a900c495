// The tiles of the grid: elements that are used again, each written to only where it differs.

import { byId, create } from "./elements.js";
import { store } from "./store.js";
import { texts } from "./texts.js";
import { forget } from "./thumbnails.js";

const tiles = new Map(); // id -> element
const pool = []; // hidden elements
let sheet, ring;

export function startTiles() {
  sheet = byId("sheet");
  ring = byId("ring");
}

/** Show the tiles of these images, id -> index, each at its place. `isStale` says that what they show may have changed. */
export function showTiles(wanted, layout, isStale) {
  const unused = [];
  for (const [id, tile] of tiles) {
    if (wanted.has(id)) continue;
    tiles.delete(id);
    unused.push(tile);
  }
  for (const [id, index] of wanted) {
    const known = tiles.get(id);
    const tile = known ?? assign(unused.pop() ?? pool.pop() ?? build(), id);
    place(tile, index, layout);
    if (isStale || !known) dress(tile, store.items.get(id), index);
  }
  for (const tile of unused) hide(tile);
  placeRing();
}

/** Move the ring to the focused tile: an outline of the tile itself would have the whole screen painted again. */
function placeRing() {
  const tile = tiles.get(store.ids[store.focus]);
  ring.hidden = !tile;
  if (!tile || (ring.index === tile.index && ring.layout === tile.layout)) return;
  Object.assign(ring, { index: tile.index, layout: tile.layout });
  ring.style.transform = `translate(${tile.x}px, ${tile.y}px)`;
  ring.style.width = `${tile.layout.width}px`;
  ring.style.height = `${tile.layout.height}px`;
}

export const tileOf = (id) => tiles.get(id);

/** Use a tile for another image. A tile on the screen is not hidden in between: to show it again costs a layout. */
function assign(tile, id) {
  tiles.set(id, tile);
  forget(tile);
  tile.id = `tile-${id}`;
  tile.dataset.id = id;
  tile.look = "";
  if (tile.hidden) tile.hidden = false;
  if (!tile.isConnected) sheet.append(tile);
  return tile;
}

function hide(tile) {
  forget(tile);
  tile.hidden = true;
  tile.removeAttribute("id");
  pool.push(tile);
}

function place(tile, index, layout) {
  if (tile.index === index && tile.layout === layout) return;
  Object.assign(tile, { index, layout, ...layout.position(index) });
  // Not by a transform: each one would be a piece that the browser paints and orders by itself.
  tile.style.left = `${tile.x}px`;
  tile.style.top = `${tile.y}px`;
  tile.style.width = `${layout.width}px`;
  tile.style.height = `${layout.height}px`;
}

function build() {
  return create("div", { role: "option", class: "tile" },
    create("img", { alt: "", draggable: "false", decoding: "async" }), create("span", { class: "badge" }));
}

/** Show the state of an image on its tile, and nothing twice: most draws change few tiles. */
function dress(tile, item, index) {
  const isSelected = store.selection.has(item.id);
  const isFocused = index === store.focus;
  const look = [item.state, item.reviewed, item.rating, item.class, item.v, item.reasons, item.predicted, store.class, store.order, isSelected, isFocused, index, store.ids.length].join("|");
  if (tile.look === look) return;
  tile.look = look;
  tile.setAttribute("aria-selected", isSelected);
  tile.setAttribute("aria-setsize", store.ids.length);
  tile.setAttribute("aria-posinset", index + 1);
  tile.setAttribute("aria-label", texts.tile(item, index + 1, store.ids.length));
  tile.classList.toggle("focused", isFocused);
  if (isFocused) ring.classList.toggle("selected", isSelected);
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
