// The review page: load the dataset, connect the views to the keys, and follow what changes elsewhere.

import { startBars } from "./bars.js";
import { redo, undo } from "./decisions.js";
import { byId } from "./elements.js";
import { openConfusion, startConfusion } from "./confusion.js";
import { drawEmpty, drawModelMissing } from "./empty.js";
import { takeFirst } from "./first_requests.js";
import { draw, relayout, startGrid } from "./grid.js";
import { gridCommands, loadLook } from "./grid_commands.js";
import { startPointer } from "./grid_pointer.js";
import { endFlicker, groupCommands, settleAs } from "./group_commands.js";
import { currentMember, goTo, place, readGroups, startGroups } from "./groups.js";
import { openHelp, startFirstCard } from "./help.js";
import { hideNotice } from "./announce.js";
import { informAbout } from "./information.js";
import { startKeys } from "./keys.js";
import { usePreferences } from "./keymap.js";
import { closeLoupe, isLoupeOpen, openLoupe, startLoupe } from "./loupe.js";
import { groupSequence, gridSequence, loupeCommands } from "./loupe_commands.js";
import { canOrder } from "./model.js";
import { loadUnsent, poll, whenSent } from "./outbox.js";
import { startPicker, pickClass } from "./picker.js";
import { clearFilters, startRail } from "./rail.js";
import { get } from "./server.js";
import { openSettings, startSettings } from "./settings.js";
import { NO_FILTERS, classNames, focusedId, isGroupQueue, listQuery, listen, notify, replaceItems, setSelection, store } from "./store.js";
import { texts } from "./texts.js";

const POLL_EVERY = 2000; // milliseconds
let request = 0;

/** Show another queue, class, order or filter. */
async function go(change) {
  if (change.order && change.order !== "similar") change.before = null;
  Object.assign(store, change);
  document.body.classList.remove("rail-open");
  await load();
}

/** Load what the view shows. Only the answer to the last request is used. */
async function load() {
  if (!isGroupQueue() && !canOrder()) return showMissing();
  const mine = (request += 1);
  store.isLoading = true;
  notify("view");
  const slow = setTimeout(drawView, 150);
  try {
    const reply = isGroupQueue()
      ? await get("/api/groups", { queue: store.queue })
      : await get("/api/items", listQuery());
    if (mine !== request) return;
    store.isLoading = false;
    if (isGroupQueue()) showGroups(reply);
    else showItems(reply);
  } catch (error) {
    if (mine === request) showFailure(error);
  } finally {
    clearTimeout(slow);
  }
}

/** Say what the order needs; the images come as soon as the server has it. */
function showMissing() {
  request += 1;
  store.isLoading = false;
  replaceItems({ id: [], seq: store.seq });
  notify("view");
  drawView();
}

function showItems(reply) {
  store.groups = [];
  replaceItems(reply);
  drawView();
  relayout(0);
  notify("view");
  notify("focus");
}

function showGroups(reply) {
  store.ids = [];
  store.selection.clear();
  readGroups(reply);
  drawView();
  notify("view");
  goTo(Math.min(place.group, store.groups.length - 1));
}

function showFailure(error) {
  byId("failure").hidden = false;
  document.body.classList.toggle("not-started", !store.state);
  byId("failure").querySelector("h2").textContent = texts.cannotStart;
  byId("failure").querySelector("p").textContent = error.status ? [error.message, error.hint || texts.cannotStartHint].join(" ") : texts.noAnswer;
  byId("loading").hidden = true;
  if (!store.state) byId("grid").hidden = true;
}

/** Show the view that fits: the grid, the groups, or the panel for an empty list. */
function drawView() {
  const isGroups = isGroupQueue();
  const isEmpty = !store.isLoading && (isGroups ? !store.groups.length : !store.ids.length);
  byId("failure").hidden = true;
  byId("loading").hidden = !store.isLoading;
  byId("grid").hidden = isGroups || isEmpty || store.isLoading;
  byId("groups").hidden = !isGroups || isEmpty || store.isLoading;
  byId("empty").hidden = !isEmpty;
  byId("grid").setAttribute("aria-label", texts.gridLabel(store.queue, store.class));
  byId("groups").setAttribute("aria-label", texts.groupsLabel(store.queue));
  if (isEmpty && !isGroups && !canOrder()) drawModelMissing(byId("empty"));
  else if (isEmpty) drawEmpty(byId("empty"), { go, clearFilters, nextClass: () => stepClass(1, true) });
  const { activeElement } = document;
  if (activeElement === document.body || activeElement.hidden || activeElement.closest("[hidden]")) focusView();
}

function focusView() {
  const view = [byId("grid"), byId("groups"), byId("empty")].find((each) => !each.hidden);
  view?.focus({ preventScroll: true });
}

function stepClass(by, hasWork = false) {
  const names = ["", ...classNames()];
  let at = names.indexOf(store.class);
  for (let tried = 0; tried < names.length; tried += 1) {
    at = (at + by + names.length) % names.length;
    const each = store.state.classes[at - 1];
    if (!hasWork || each?.unreviewed) return go({ class: names[at] });
  }
}

function open() {
  if (isGroupQueue()) return openLoupe(groupSequence);
  setSelection([]);
  openLoupe(gridSequence);
}

function pick(stays) {
  if (isGroupQueue()) return pickClass(texts.settleTitle, settleAs);
  const { length } = gridCommands.targets();
  if (length) pickClass(texts.pickerTitle(length), (name) => (isLoupeOpen() ? loupeCommands : gridCommands).moveTo(name, stays));
}

const inform = () => {
  const id = isGroupQueue() ? currentMember()?.id : focusedId();
  if (id !== undefined) informAbout(id);
};

/** Show the images that resemble the focused one, of all classes; Esc goes back. */
function showSimilar() {
  const id = focusedId();
  if (id === undefined || isGroupQueue()) return;
  if (isLoupeOpen()) closeLoupe();
  const { queue, class: name, order, filters } = store;
  const before = store.before ?? { queue, class: name, order, filters };
  go({ queue: queue === "rejected" ? queue : "all", class: "", order: "similar", like: id, filters: { ...NO_FILTERS }, before });
}

/** Close the notice, and select nothing; with nothing selected, go back from similar images. */
function escape() {
  hideNotice();
  if (store.selection.size || !store.before || store.order !== "similar") return gridCommands.escape();
  go({ ...store.before, before: null });
}

// What also works while images are loaded, and where there are none.
const withoutImages = {
  undo, redo, help: openHelp, settings: openSettings, hideNotice, confusion: openConfusion,
  previousClass: () => stepClass(-1),
  nextClass: () => stepClass(1),
  filter: () => { byId("filter-text").focus(); byId("filter-text").select(); },
  rail: () => document.body.classList.toggle("rail-open"),
};
const shared = { ...withoutImages, open, pick, inform };
const grid = { ...gridCommands, similar: showSimilar, escape };

/** Return the commands of the topmost layer; a dialog other than the loupe has none. */
function layers() {
  const top = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (top?.id === "information") return informationCommands(top);
  if (top && top.id !== "loupe") return null;
  if (top) return { ...shared, ...loupeCommands, open: loupeCommands.close, ...(isGroupQueue() ? {} : { similar: showSimilar }) };
  if (store.isLoading || !byId("empty").hidden) return { ...withoutImages, escape };
  return { ...shared, ...(isGroupQueue() ? groupCommands : grid) };
}

/** Return the commands behind the panel about an image: it follows the arrows, and its own key closes it. */
function informationCommands(panel) {
  const behind = isLoupeOpen() ? loupeCommands : isGroupQueue() ? groupCommands : gridCommands;
  const move = (where) => { behind.move(where, false); inform(); };
  return { move, inform: () => panel.close() };
}

/** Run a command for a button, and give the focus back to the view. */
function run(name, stays, value) {
  const all = { ...shared, ...(isGroupQueue() ? groupCommands : grid), ...layers() };
  if (name === "settleAs") settleAs(value);
  else all[name]?.(stays);
}

function follow() {
  setInterval(() => document.visibilityState === "visible" && poll(), POLL_EVERY);
  addEventListener("focus", () => poll());
  listen("items", () => {
    if (isGroupQueue() || store.isLoading) return;
    if (byId("grid").hidden === Boolean(store.ids.length)) { drawView(); draw(); }
  });
  listen("groups-done reload", () => whenSent().then(load));
  let couldOrder = canOrder();
  listen("state view", () => {
    const isNew = canOrder() && !couldOrder && !isGroupQueue();
    couldOrder = canOrder();
    if (isNew && !store.isLoading) load();
    else if (!byId("empty").hidden) drawView();
  });
}

async function start() {
  const handOver = keepKeys();
  try {
    loadLook();
    startGrid();
    showFirstScreen(await takeFirst("items"));
    store.state = await takeFirst("state");
    usePreferences(await takeFirst("preferences"));
  } catch (error) {
    handOver(); // nobody listens yet
    return showFailure(error);
  }
  startGroups();
  startPointer(open);
  startLoupe(loupeCommands.swipes(pick));
  startPicker();
  startSettings();
  startFirstCard();
  startRail(go);
  startBars(go, run);
  startConfusion(go);
  startKeys(layers);
  addEventListener("blur", endFlicker);
  const flicker = document.querySelector("[data-hold=flicker]");
  flicker.addEventListener("pointerdown", groupCommands.flicker);
  for (const name of ["pointerup", "pointerleave", "pointercancel"]) flicker.addEventListener(name, endFlicker);
  notify("state");
  follow();
  store.isLoading = false;
  drawView();
  notify("view");
  notify("focus");
  loadUnsent();
  handOver();
}

/** Show the images before anything else is known, so that their thumbnails are requested first. */
function showFirstScreen(items) {
  replaceItems(items);
  if (!store.ids.length) return;
  byId("loading").hidden = true;
  byId("grid").hidden = false;
  relayout(0);
}

/** Keep the keys that are pressed while the page starts; returns a function that hands them over. */
function keepKeys() {
  const pressed = [];
  const keep = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab") return; // the browser's own
    pressed.push(event);
    event.preventDefault();
  };
  document.addEventListener("keydown", keep);
  return () => {
    document.removeEventListener("keydown", keep);
    for (const event of pressed) document.activeElement.dispatchEvent(new KeyboardEvent(event.type, event));
  };
}

document.addEventListener("pointerup", () => setTimeout(() => {
  // After a click on a button the keys belong to the images again; a select keeps the focus while it is open.
  if (document.activeElement?.closest("nav, footer, #classes, .look")) focusView();
}));
document.addEventListener("pointerdown", (event) => {
  // On a narrow window the rail lies over the images, and a touch beside it closes it.
  if (!event.target.closest("#rail, #rail-button")) document.body.classList.remove("rail-open");
});
document.addEventListener("pointerdown", ({ target, clientX, clientY }) => {
  if (!target.matches("dialog.sheet")) return;
  const { left, right, top, bottom } = target.getBoundingClientRect();
  if (clientX < left || clientX > right || clientY < top || clientY > bottom) target.close(); // a click beside it
});
byId("retry").addEventListener("click", () => location.reload());
start();
