// The thumbnails of the tiles: the nearest first and few at a time, so that one out of sight never delays one on the screen.

import { thumbnail } from "./server.js";

const MOST = 12; // requests at a time: twice the connections of a browser, so that none waits for the page
const loading = new Set(); // tiles
let waiting = []; // [tile, address], the next one at the end

/** Request the thumbnails of these [tile, item], in this order; what was asked for before and has not begun is dropped. */
export function requestThumbnails(wanted) {
  waiting = wanted.map(([tile, item]) => [tile, thumbnail(item)]).filter(([tile, address]) => tile.address !== address).reverse();
  requestNext();
}

/** Show no thumbnail on a tile, and cancel its request. */
export function forget(tile) {
  loading.delete(tile);
  if (!tile.address) return;
  tile.address = "";
  tile.firstChild.removeAttribute("src"); // else the old image stays until the new one has arrived
  tile.classList.remove("loaded", "broken");
}

function requestNext() {
  while (loading.size < MOST && waiting.length) {
    const [tile, address] = waiting.pop();
    const image = tile.firstChild;
    tile.address = address;
    loading.add(tile);
    image.onload = () => end(tile, address, "loaded");
    image.onerror = () => end(tile, address, "broken");
    image.src = address;
  }
}

function end(tile, address, name) {
  if (tile.address !== address) return; // the tile has another image by now
  loading.delete(tile);
  tile.classList.add(name);
  requestNext();
}
