// Merge what the server says has changed: by this page, another tab, the command line or the file manager.

import { NO_FILTERS, belongs, notify, readColumns, store } from "./store.js";

/** Merge a reply. Images in `pending` have a newer decision on the way and are left as they are. */
export function applyReply(reply, pending = new Set()) {
  if (reply.seq < store.seq) return;
  store.seq = reply.seq;
  if (reply.items) mergeItems(readColumns(reply.items), pending);
  for (const id of reply.gone ?? []) {
    const item = store.items.get(id);
    if (item && !pending.has(id)) item.state = "gone";
  }
  if (reply.state) replaceState(reply.state);
  if (reply.items?.id.length || reply.gone?.length) notify("items");
}

function mergeItems(changed, pending) {
  const takesNew = Object.keys(NO_FILTERS).every((name) => name === "source" || !store.filters[name]);
  let listed = null; // made only for an image that may have to be listed: most changes are those of this page
  for (const item of changed) {
    const known = store.items.get(item.id);
    if (known && !pending.has(item.id)) Object.assign(known, { ...item, reasons: item.reasons.length ? item.reasons : known.reasons });
    if (!known) store.items.set(item.id, item);
    const fits = takesNew && store.queue !== "suspects" && (!store.filters.source || store.filters.source === item.source);
    // New images go to the end: nothing moves under the pointer. Those that were listed before may come back.
    if (!belongs(item) || !(fits || store.places.has(item.id))) continue;
    listed ??= new Set(store.ids);
    if (!listed.has(item.id)) store.ids.push(item.id);
  }
}

/** Replace the counts, and say so only when they differ. */
export function replaceState(state) {
  const before = JSON.stringify(store.state);
  store.state = state;
  if (JSON.stringify(state) !== before) notify("state");
}
