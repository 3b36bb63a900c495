// One image, large, on neutral grey. It shows the images of the grid, or those of a group.

import { byId, setText } from "./elements.js";
import { startSwipes } from "./swipe.js";
import { fullImage, thumbnail } from "./server.js";
import { listen, store } from "./store.js";
import { texts, tileState } from "./texts.js";

const NEIGHBOURS = 4; // on each side are loaded ahead
const ahead = new Map(); // address -> Image, so that the browser keeps them decoded

let dialog, stage, preview, image;
let source = null; // {ids, index, go}
let shown = "";

/** Prepare the loupe; `swipes` are the commands for the swipes of a phone. */
export function startLoupe(swipes) {
  dialog = byId("loupe");
  [stage, preview, image] = [".stage", ".preview", ".full"].map((each) => dialog.querySelector(each));
  image.onload = () => stage.classList.add("loaded");
  image.onerror = () => stage.classList.add("broken");
  dialog.addEventListener("close", () => { shown = ""; ahead.clear(); });
  stage.addEventListener("dblclick", toggleZoom);
  startPan();
  startSwipes(stage, () => !stage.classList.contains("zoomed"), swipes);
  new ResizeObserver(fit).observe(stage);
  listen("focus items look", () => dialog.open && show());
}

/** Open the loupe on a sequence of images. */
export function openLoupe(sequence) {
  source = sequence;
  if (!source.ids().length) return;
  dialog.showModal();
  show();
}

export const closeLoupe = () => dialog.close();
export const isLoupeOpen = () => dialog.open;
export const loupeId = () => source.ids()[source.index()];
export const stepLoupe = (by) => source.go(source.index() + by);
export const goToEnd = (isLast) => source.go(isLast ? source.ids().length - 1 : 0);

/** Show the current image; nothing moves when only its state has changed. */
export function show() {
  const ids = source.ids();
  const item = store.items.get(ids[source.index()]);
  if (!item) return closeLoupe();
  const [position, total] = [source.index() + 1, ids.length];
  setText(dialog.querySelector(".position"), texts.loupePosition(position, total));
  setText(dialog.querySelector(".class"), item.class);
  setText(dialog.querySelector(".state"), tileState(item) + (item.rating ? ` · ★ ${item.rating}` : ""));
  setText(dialog.querySelector(".facts"), [texts.size(item.w, item.h), item.source, ...item.reasons].join(" · "));
  stage.dataset.mark = item.state === "kept" ? (item.reviewed ? "kept" : "") : item.state;
  dialog.setAttribute("aria-label", texts.loupeLabel(item, position, total));
  if (shown === fullImage(item)) return;
  shown = fullImage(item);
  stage.classList.remove("loaded", "broken", "zoomed");
  preview.src = thumbnail(item);
  image.src = shown;
  image.alt = item.class;
  fit();
  loadNeighbours(ids, source.index());
}

function loadNeighbours(ids, index) {
  const wanted = new Set();
  for (let by = 1; by <= NEIGHBOURS; by += 1) {
    for (const id of [ids[index + by], ids[index - by]]) if (store.items.has(id)) wanted.add(fullImage(store.items.get(id)));
  }
  for (const address of ahead.keys()) if (!wanted.has(address)) ahead.delete(address);
  for (const address of wanted) {
    if (ahead.has(address)) continue;
    const next = new Image();
    next.src = address;
    ahead.set(address, next);
  }
}

// The box has its final size before the image arrives, so that nothing jumps.
function fit() {
  if (!dialog.open) return;
  const item = store.items.get(loupeId());
  if (!item) return;
  const [width, height] = [item.w || 4, item.h || 3];
  const style = getComputedStyle(stage);
  const roomX = stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const roomY = stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  // Small images are enlarged at most twice: more shows only blur.
  const scale = stage.classList.contains("zoomed") ? 1 : Math.min(roomX / width, roomY / height, 2);
  Object.assign(stage.firstElementChild.style, { width: `${width * scale}px`, height: `${height * scale}px` });
}

/** Switch between the whole image and its actual size. */
export function toggleZoom() {
  const zoomed = stage.classList.toggle("zoomed");
  byId("loupe-zoom").setAttribute("aria-pressed", zoomed);
  fit();
  if (zoomed) {
    stage.scrollLeft = (stage.scrollWidth - stage.clientWidth) / 2;
    stage.scrollTop = (stage.scrollHeight - stage.clientHeight) / 2;
  }
}

export function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else dialog.requestFullscreen?.().catch(() => {});
}

function startPan() {
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch" || !stage.classList.contains("zoomed")) return;
    from = { x: event.clientX + stage.scrollLeft, y: event.clientY + stage.scrollTop };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    stage.scrollLeft = from.x - event.clientX;
    stage.scrollTop = from.y - event.clientY;
  });
  for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, () => (from = null));
}
