// What the page knows: the counts, the images of the queue, and where the user is. Views listen for changes.

const events = new EventTarget();

export const NO_FILTERS = { source: "", query: "", licence: "", reason: "", text: "", predicted: "", min_size: "" };

export const store = {
  state: null, // the last /api/state
  seq: 0, // the last change that is known
  queue: "unreviewed",
  class: "", // "" shows all classes
  order: "suspicious",
  like: 0, // the image that others are compared with, for the order "similar"
  before: null, // the view before "similar", to go back to
  filters: { ...NO_FILTERS },
  items: new Map(), // id -> item
  ids: [], // the images of the grid, in its order
  places: new Map(), // id -> place in the list of the server, also of images that have left the grid since
  groups: [], // the groups of Duplicates or Conflicts
  isLoading: true,
  focus: 0, // index into ids
  selection: new Set(), // ids
};

/** Call `react` whenever one of these subjects changes. */
export function listen(subjects, react) {
  for (const subject of subjects.split(" ")) events.addEventListener(subject, react);
}

export const notify = (subject) => events.dispatchEvent(new Event(subject));

export const isGroupQueue = () => store.queue === "duplicates" || store.queue === "conflicts";
export const hasFilters = () => Object.values(store.filters).some(Boolean);
export const classNames = () => store.state.classes.map((each) => each.name);
export const focusedId = () => store.ids[store.focus];

/** Return what to ask the server for, to list the images of the view. */
export const listQuery = () => ({
  queue: store.queue, class: store.class, order: store.order, like: store.order === "similar" ? store.like : "", ...store.filters,
});

/** Return whether an image belongs to the queue and class on the screen. */
export function belongs(item) {
  if (item.state === "gone" || (store.class && item.class !== store.class)) return false;
  if (store.queue === "rejected") return item.state === "rejected";
  if (item.state !== "kept") return false;
  return store.queue === "all" || !item.reviewed;
}

/** Turn the columns of the server into items. */
export function readColumns(columns) {
  return columns.id.map((id, row) => ({
    id,
    class: columns.classes[columns.class[row]],
    state: columns.state[row],
    reviewed: Boolean(columns.reviewed[row]),
    rating: columns.rating[row],
    w: columns.w[row],
    h: columns.h[row],
    source: columns.source[row],
    reasons: columns.reasons[row] ?? [],
    predicted: columns.classes[columns.predicted[row]] ?? "",
    p: columns.p[row],
    v: columns.v[row],
  }));
}

/** Show another list: the images of a queue as the server orders them. */
export function replaceItems(columns) {
  const items = readColumns(columns);
  store.items = new Map(items.map((item) => [item.id, item]));
  store.ids = items.map((item) => item.id);
  store.places = new Map(store.ids.map((id, place) => [id, place]));
  store.seq = columns.seq;
  store.focus = 0;
  store.selection.clear();
}

/** Take out the images that no longer belong here, and return the new index of the image at `index`. */
export function removeJudged(index) {
  let position = 0;
  store.ids = store.ids.filter((id, at) => {
    const stays = belongs(store.items.get(id));
    if (stays && at < index) position += 1;
    return stays;
  });
  store.selection.clear();
  store.focus = Math.min(position, Math.max(0, store.ids.length - 1));
  return position;
}

/** Order the images as the server did; those that it did not list stay at the end. */
export function returnToPlaces() {
  const place = (id) => store.places.get(id) ?? Number.MAX_SAFE_INTEGER;
  store.ids.sort((one, other) => place(one) - place(other));
}

export function setFocus(index) {
  store.focus = Math.max(0, Math.min(store.ids.length - 1, index));
  notify("focus");
}

export function setSelection(ids) {
  store.selection = new Set(ids);
  notify("selection");
}
