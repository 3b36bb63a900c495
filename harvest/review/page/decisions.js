// Decisions: the page shows them at once, sends them, and takes back what the server refuses.

import { announce, showNotice } from "./announce.js";
import { pendingIds, send, setHandlers } from "./outbox.js";
import { get } from "./server.js";
import { classNames, focusedId, isGroupQueue, notify, returnToPlaces, setFocus, setSelection, store } from "./store.js";
import { texts } from "./texts.js";

const MOST_SUGGESTIONS = 50;
const CHANGES = {
  reject: () => ({ state: "rejected", reviewed: true }),
  restore: () => ({ state: "kept", reviewed: true }),
  keep: () => ({ state: "kept", reviewed: true }),
  move: (value) => ({ class: value, state: "kept", reviewed: true }),
  rate: (value) => ({ rating: value ?? 0 }),
};

const settledAs = (isKept, className) => (isKept ? (className ? CHANGES.move(className) : CHANGES.keep()) : CHANGES.reject());

/** Decide about images by id. One call is one step of undo. */
export function decide(action, ids, value = null, more = {}) {
  if (!ids.length) return;
  const before = new Map();
  const change = CHANGES[action]?.(value);
  for (const id of ids) {
    const item = store.items.get(id);
    if (!item) continue;
    before.set(id, { ...item });
    if (change) Object.assign(item, change);
    if (more.keep) Object.assign(item, settledAs(more.keep.includes(id), value));
  }
  notify("items");
  send("/api/decide", { action, ids, value, ...more }, (refused) => {
    for (const id of refused) if (before.has(id)) Object.assign(store.items.get(id) ?? {}, before.get(id));
    notify("items");
  });
}

setHandlers({
  onRefusal(refusal, { path }) {
    if (path !== "/api/decide" && !refusal.status) showNotice(texts.notUndone, true);
    else showNotice(texts.refused(refusal.message, refusal.hint), true);
    if (isGroupQueue()) notify("reload");
  },
  onReply(failed, decision, reverted) {
    // Whoever goes on before the answer is there, stays there.
    if (reverted.length && !isGroupQueue() && !pendingIds().size) focusReverted(reverted);
    // What is undone may open a group again.
    if (isGroupQueue() && (failed.length || decision.path !== "/api/decide")) notify("reload");
    if (!failed.length) return;
    decision.restore(failed.map(({ id }) => id).filter((id) => !pendingIds().has(id)));
    showNotice(texts.failed(failed.length, failed[0].why), true);
  },
});

/** Put the images of an undo or redo back into their places, and the focus on the first of them. */
function focusReverted(ids) {
  returnToPlaces();
  const reverted = new Set(ids);
  const first = store.ids.findIndex((id) => reverted.has(id));
  notify("items");
  if (first >= 0) setFocus(first);
}

export function undo() {
  revert("undo", texts.undone);
}

export function redo() {
  revert("redo", texts.redone);
}

function revert(which, describe) {
  const name = store.state[which];
  if (!name && !pendingIds().size) return;
  if (name) announce(describe(name));
  send(`/api/${which}`, {});
}

/** Return what a key acts on: the selection in the order of the grid, else the focused image. */
export function targets() {
  if (!store.selection.size) return focusedId() === undefined ? [] : [focusedId()];
  return store.ids.filter((id) => store.selection.has(id));
}

const isRejected = (id) => store.items.get(id).state === "rejected";
const isPresent = (id) => store.items.get(id).state !== "gone";

/** Reject the targets, or restore them when all of them are rejected. */
export function rejectTargets(stays) {
  const ids = targets().filter(isPresent);
  const restores = ids.every(isRejected);
  act(restores ? "restore" : "reject", restores ? ids : ids.filter((id) => !isRejected(id)), null, stays);
}

export function keepTargets(stays) {
  const ids = targets().filter(isPresent);
  const restores = ids.length > 0 && ids.every(isRejected);
  act(restores ? "restore" : "keep", ids, null, stays);
}

export function moveTargets(name, stays) {
  act("move", targets().filter(isPresent), name, stays);
}

export function moveTargetsToNumber(position, stays) {
  const name = classNames()[position - 1];
  if (name !== undefined) moveTargets(name, stays);
}

export function rateTargets(rating) {
  act("rate", targets().filter(isPresent), rating || null, true);
}

function act(action, ids, value, stays) {
  if (!ids.length) return;
  const last = store.selection.size ? store.ids.lastIndexOf(ids.at(-1)) : store.focus;
  decide(action, ids, value);
  announce(texts.decided(action, value, ids.length, last + 1, store.ids.length));
  if (stays) return;
  if (store.selection.size) setSelection([]);
  setFocus(last + 1);
}

/** Move the targets to the classes that the model predicts for them. */
export async function takeSuggestions(stays) {
  const ids = targets().filter(isPresent);
  if (ids.length > MOST_SUGGESTIONS) return showNotice(texts.suggestionsOf(MOST_SUGGESTIONS));
  const byClass = new Map();
  try {
    for (const item of await Promise.all(ids.map((id) => get(`/api/item/${id}`)))) {
      const name = item.predicted?.class;
      if (name) byClass.set(name, [...(byClass.get(name) ?? []), item.id]);
    }
  } catch (error) {
    return showNotice(texts.refused(error.message, error.hint), true);
  }
  if (!byClass.size) return showNotice(texts.noSuggestion);
  for (const [name, members] of byClass) act("move", members, name, stays);
}
