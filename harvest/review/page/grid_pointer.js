// The grid by mouse and touch: click, drag a frame, hold to select, and the cross of the tile under the pointer.

import { decide } from "./decisions.js";
import { byId } from "./elements.js";
import { idsInside } from "./grid.js";
import { setFocus, setSelection, store } from "./store.js";

const DRAG_AFTER = 6; // pixels
const HOLD = 450; // milliseconds
const EDGE = 36; // pixels from the edge where a drag scrolls
const CROSS = 28; // pixels, as in page.css

let box, sheet, band, cross;
let press = null;
let anchor = 0;

/** Listen to the pointer; `open` shows the focused image in the loupe. */
export function startPointer(open) {
  [box, sheet, band, cross] = ["grid", "sheet", "band", "cross"].map(byId);
  box.addEventListener("pointerdown", onDown);
  box.addEventListener("pointermove", onMove);
  box.addEventListener("pointerup", (event) => onUp(event, open));
  box.addEventListener("pointercancel", endPress);
  box.addEventListener("dblclick", (event) => indexOf(event) !== null && open());
  box.addEventListener("contextmenu", (event) => press?.type === "touch" && event.preventDefault());
  box.addEventListener("pointerover", showCross);
  box.addEventListener("pointerleave", () => (cross.hidden = true));
  box.addEventListener("draw", () => { if (!cross.matches(":hover")) cross.hidden = true; });
  cross.addEventListener("pointerdown", onCross);
}

function indexOf(event) {
  const tile = event.target.closest(".tile");
  return tile ? store.ids.indexOf(Number(tile.dataset.id)) : null;
}

function place(event) {
  const { left, top } = sheet.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}

function onDown(event) {
  if (event.button !== 0) return;
  const adds = event.ctrlKey || event.metaKey;
  press = { type: event.pointerType, at: place(event), index: indexOf(event), adds, before: adds ? [...store.selection] : [], drags: false };
  if (event.pointerType === "touch") press.timer = setTimeout(holdToSelect, HOLD);
}

function holdToSelect() {
  if (press?.index === null || !press) return;
  press.held = true;
  toggle(press.index);
}

function onMove(event) {
  if (!press) return;
  const { x, y } = place(event);
  const far = Math.hypot(x - press.at.x, y - press.at.y) > DRAG_AFTER;
  if (press.type === "touch") {
    if (far) clearTimeout(press.timer);
    return;
  }
  if (!press.drags && !far) return;
  if (!press.drags) box.setPointerCapture(event.pointerId);
  press.drags = true;
  drawBand(x, y);
  scrollAtEdge(event.clientY);
}

function drawBand(x, y) {
  const frame = {
    left: Math.min(x, press.at.x), right: Math.max(x, press.at.x),
    top: Math.min(y, press.at.y), bottom: Math.max(y, press.at.y),
  };
  band.hidden = false;
  Object.assign(band.style, {
    left: `${frame.left}px`, top: `${frame.top}px`,
    width: `${frame.right - frame.left}px`, height: `${frame.bottom - frame.top}px`,
  });
  setSelection([...press.before, ...idsInside(frame)]);
}

function scrollAtEdge(y) {
  const { top, bottom } = box.getBoundingClientRect();
  if (y < top + EDGE) box.scrollTop -= EDGE / 2;
  else if (y > bottom - EDGE) box.scrollTop += EDGE / 2;
}

function onUp(event, open) {
  if (!press) return;
  const { drags, held, index, type, adds } = press;
  endPress();
  if (drags || held) return;
  if (index === null) return setSelection([]);
  if (type === "touch" && !store.selection.size) {
    setFocus(index);
    open();
  } else if (event.shiftKey) {
    setFocus(index);
    selectRange(anchor, index);
  } else if (adds || type === "touch") toggle(index);
  else {
    anchor = index;
    if (store.selection.size) setSelection([]);
    setFocus(index);
  }
}

function endPress() {
  clearTimeout(press?.timer);
  press = null;
  band.hidden = true;
}

function toggle(index) {
  const id = store.ids[index];
  const ids = new Set(store.selection);
  if (!ids.delete(id)) ids.add(id);
  anchor = index;
  setFocus(index);
  setSelection(ids);
}

/** Select from one index to another, both included. */
export function selectRange(from, to) {
  setSelection(store.ids.slice(Math.min(from, to), Math.max(from, to) + 1));
}

export const setAnchor = (index) => (anchor = index);
export const getAnchor = () => anchor;

// One cross moves to the tile under the pointer: a button in each tile would be thousands of nodes.
function showCross(event) {
  const tile = event.target.closest(".tile");
  if (event.pointerType === "touch" || !tile || press?.drags) return;
  cross.hidden = false;
  cross.dataset.id = tile.dataset.id;
  cross.dataset.mark = tile.dataset.mark;
  cross.style.transform = `translate(${tile.x + tile.layout.width - CROSS - 6}px, ${tile.y + 6}px)`;
}

function onCross(event) {
  event.stopPropagation();
  event.preventDefault();
  const id = Number(cross.dataset.id);
  const isRejected = store.items.get(id)?.state === "rejected";
  decide(isRejected ? "restore" : "reject", [id]);
  cross.dataset.mark = isRejected ? "" : "rejected";
}
