// What the keys and buttons do in the grid.

import { announce } from "./announce.js";
import { decide, keepTargets, moveTargets, moveTargetsToNumber, rateTargets, rejectTargets, takeSuggestions, targets } from "./decisions.js";
import { SIZES, columnCount, gridLook, idsOnScreen, relayout, rowsOnScreen, screenRange, scrollToIndex } from "./grid.js";
import { getAnchor, selectRange, setAnchor } from "./grid_pointer.js";
import { notify, removeJudged, setFocus, setSelection, store } from "./store.js";
import { texts } from "./texts.js";

/** Return the images that Enter keeps: those on the screen that nobody has judged. */
export function undecidedOnScreen() {
  if (store.queue === "rejected") return [];
  return idsOnScreen().filter((id) => {
    const item = store.items.get(id);
    return item.state === "kept" && !item.reviewed;
  });
}

/** Keep what is unmarked on the screen, and show the next one. Judged images leave the queue only now. A selection is kept alone. */
function accept() {
  if (store.selection.size) return keepTargets(false);
  const ids = undecidedOnScreen();
  const next = screenRange()[1] + 1;
  if (ids.length) {
    decide("keep", ids);
    announce(texts.decided("keep", null, ids.length));
  }
  const leaves = store.queue === "unreviewed" || store.queue === "suspects";
  const first = leaves ? removeJudged(next) : Math.min(next, store.ids.length - 1);
  setSelection([]);
  setFocus(first);
  notify("items");
  scrollToIndex(store.focus);
}

/** Return whether a decision leaves the focus where it is: on the last tile of a screen that has other undecided ones, which Enter keeps. */
function endsScreen() {
  const isLast = !store.selection.size && store.focus === screenRange()[1];
  return isLast && undecidedOnScreen().some((id) => id !== store.ids[store.focus]);
}

function move(where, selects) {
  const step = { left: -1, right: 1, up: -columnCount(), down: columnCount() }[where];
  const screen = columnCount() * rowsOnScreen();
  const ends = { first: -Infinity, last: Infinity, pageUp: -screen, pageDown: screen };
  let to = store.focus + (step ?? ends[where]);
  // Up in the first row and down in the last stay in their column.
  if (["up", "down"].includes(where) && (to < 0 || to >= store.ids.length)) to = store.focus;
  if (!selects) {
    if (store.selection.size) setSelection([]);
    setFocus(to);
    setAnchor(store.focus);
    return;
  }
  if (!store.selection.size) setAnchor(store.focus);
  setFocus(to);
  selectRange(getAnchor(), store.focus);
}

function resize(by) {
  const names = Object.keys(SIZES);
  const at = names.indexOf(gridLook.size) + by;
  if (names[at]) setLook({ size: names[at] });
}

/** Change the size of the tiles, or whether images fill them, and remember it. */
export function setLook(change) {
  Object.assign(gridLook, change);
  try {
    localStorage.setItem("harvest-look", JSON.stringify(gridLook));
  } catch {
    // Without storage the look holds until the page is closed.
  }
  relayout();
  notify("look");
}

/** Load the look of the last visit. */
export function loadLook() {
  try {
    const { size, crops } = JSON.parse(localStorage.getItem("harvest-look") ?? "{}");
    if (SIZES[size]) gridLook.size = size;
    gridLook.crops = crops === true;
  } catch {
    // The look of a first visit is fine.
  }
}

export const gridCommands = {
  move,
  accept,
  reject: (stays) => rejectTargets(stays || endsScreen()),
  keep: (stays) => keepTargets(stays || endsScreen()),
  digit: (position, stays) => moveTargetsToNumber(position, stays || endsScreen()),
  moveTo: (name, stays) => moveTargets(name, stays || endsScreen()),
  rate: rateTargets,
  suggest: takeSuggestions,
  crop: () => setLook({ crops: !gridLook.crops }),
  larger: () => resize(1),
  smaller: () => resize(-1),
  selectAll: () => setSelection(store.ids),
  escape: () => setSelection([]),
  targets,
};
