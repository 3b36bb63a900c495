// The texts that the page writes; those that never change are in index.html, and those of the keys in keymap.js. Numbers have the separators of the reader's language.

const number = new Intl.NumberFormat();
export const count = (value) => number.format(value);
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
/** Return a name so that it keeps its own direction of writing, and the text around it keeps its order. */
export const isolate = (name) => (name ? `\u2068${name}\u2069` : "");
const images = (value) => (value === 1 ? "1 image" : `${count(value)} images`);

export const queues = {
  conflicts: "Conflicts",
  duplicates: "Duplicates",
  suspects: "Suspects",
  unreviewed: "Unreviewed",
  all: "All",
  rejected: "Rejected",
};

export const orders = {
  suspicious: "Suspicious first",
  rank: "Search rank",
  newest: "Newest first",
  name: "File name",
  odd: "Odd ones first",
  other: "Like another class",
  loss: "Highest loss first",
  similar: "Similar to an image",
};

const percent = new Intl.NumberFormat(undefined, { style: "percent" });

/** What is known about an image, in the order of the panel. */
export const facts = {
  class: "Class", file: "File", query: "Query", provider: "Source", rank: "Search rank", title: "Title",
  author: "Author", licence: "Licence", page: "Page", url: "Image", fetched: "Added", original_size: "Original",
  size: "In the dataset", reasons: "Suspect", copies: "Copies", near_duplicates: "Similar", predicted: "Model",
  decisions: "Decisions", content: "Content hash",
};

export const texts = {
  title: (dataset) => `${dataset} · harvest review`,
  size: (width, height) => (width && height ? `${width} × ${height}` : "size unknown"),
  images,

  // Grid
  gridLabel: (queue, className) => `${queues[queue]}: images of ${className || "all classes"}`,
  tile: (item, position, total) =>
    [`${count(position)} of ${count(total)}`, item.class, item.source, tileState(item),
      item.rating ? `rating ${item.rating}` : "",
      item.predicted && item.predicted !== item.class ? texts.says(item) : "",
      item.state === "kept" && !item.reviewed && item.reasons.length ? `suspect: ${item.reasons.join(", ")}` : "",
    ].filter(Boolean).join(", "),
  onScreen: (shown, marked) =>
    `${count(shown)} on screen${marked ? `, ${count(marked)} rejected` : ""}`,
  keepRest: (value) => (value ? `Keep ${value === 1 ? "1" : `these ${count(value)}`}` : "Next screen"),
  selected: (value) => `${count(value)} selected`,
  moved: (className) => `→ ${className}`,
  gone: "deleted",
  more: (amount) => `and ${count(amount)} more`,
  loading: "Loading…",

  // Decisions, as the live region reads them
  decision: ({ at, by, action, to, value }) =>
    [texts.time(at), decisionWords(action, to, value), by === "page" ? "" : deciders[by] ?? by].filter(Boolean).join(" · "),
  decided: (action, value, amount, position, total) =>
    `${{ reject: "rejected", restore: "restored", keep: "kept", move: `moved to ${value}`,
      rate: value ? `rated ${value}` : "rating cleared", settle: "settled", distinct: "marked as different",
    }[action]}${amount > 1 ? ` ${images(amount)}` : ""}${position ? `, ${count(position)} of ${count(total)}` : ""}`,
  undoName: (name) => (name ? `Undo: ${name}` : "Nothing to undo"),
  redoName: (name) => (name ? `Redo: ${name}` : "Nothing to redo"),
  undone: (name) => `undone: ${name}`,
  redone: (name) => `redone: ${name}`,
  keysNotSaved: (why) => ["The keys are not saved, and hold until this page is closed.", why].filter(Boolean).join(" "),
  failed: (amount, why) => `${images(amount)} not changed: ${why}`,
  refused: (message, hint) => `Not saved: ${message}${hint ? ` ${hint}` : ""}`,
  noSuggestion: "There is no suggestion of a model for this image.",
  suggestionsOf: (most) => `Select at most ${most} images to take the suggestions of the model.`,
  notUndone: "Not undone: harvest review has stopped.",

  // Server
  silent: (unsent) =>
    `harvest review has not answered for some seconds. ${unsent ? `${unsent === 1 ? "1 decision is" : `${count(unsent)} decisions are`} not saved yet. Leave this page open: ${unsent === 1 ? "it is" : "they are"} saved when it answers.` : "This page continues when it does."}`,
  stopped: (unsent) =>
    `harvest review has stopped. ${unsent ? `${unsent === 1 ? "1 decision is" : `${count(unsent)} decisions are`} not saved. Start it again and leave this page open: ${unsent === 1 ? "it is" : "they are"} sent then.` : "Start it again in the terminal; this page continues by itself."}`,
  expired: (unsent) =>
    `harvest review was started again. Open the link that it printed in this browser${unsent ? `: ${unsent === 1 ? "1 unsent decision is" : `${count(unsent)} unsent decisions are`} sent then.` : "."}`,
  serverSays: (message, hint) => [message, hint].filter(Boolean).join(" "),
  missing: (what) => `${what}. Nothing was recorded. If a drive was detached, attach it again: this page continues by itself. If you deleted them, stop harvest review and run harvest status with --accept-missing.`,
  cannotStart: "The page cannot load the dataset.",
  cannotStartHint: "Open the link that harvest review printed in the terminal.",
  noAnswer: "harvest review does not answer. Start it again in the terminal, and open the link that it prints.",

  // Classes and filters
  allClasses: "All classes",
  classTitle: (each) =>
    `${each.name}: ${count(each.kept)} kept, ${count(each.unreviewed)} not reviewed, ${count(each.rejected)} rejected`,
  anySource: "Any source",
  anyQuery: "Any query",
  anyLicence: "Any licence",
  anyReason: "Any reason",
  anyPredicted: "Any class",
  anySize: "Any size",
  unknownLicence: "Licence unknown",
  atLeast: (pixels) => `At least ${pixels} px`,

  // Training runs
  says: (item) => `model: ${item.predicted} ${percent.format(item.p)}`,
  noRun: "There is no training run yet. This order needs one.",
  noRunHint: "Train in the terminal. The run is found without a reload of this page.",
  noPredictions: (run) => `The run ${run} has no predictions yet.`,
  featuresMissing: (amount, run) => `${images(amount)} without features. The network of ${run} can compute them.`,
  computing: (done, total) => (done ? `Computing features: ${count(done)} of ${count(total)}` : "Loading the network to compute features…"),
  computingHint: "You can go on reviewing in another order.",
  notComputed: (why) => `The features are not computed: ${why}`,
  compute: "Compute",
  matrix: (run, hidden) => `Rows are the classes of the images, columns what ${run} predicts for them without having seen them. Choose a cell to see its images.${hidden ? ` ${count(hidden)} classes with fewer wrong predictions are not shown.` : ""}`,
  matrixCorner: "Class",
  matrixCell: (amount, actual, predicted) => (actual === predicted
    ? `${images(amount)} of ${actual}, predicted as such` : `${images(amount)} of ${actual}, predicted as ${predicted}`),
  noMatrix: "There are no predictions yet. Train in the terminal:",

  // Class picker
  pickerTitle: (amount) => (amount === 1 ? "Move to class" : `Move ${images(amount)} to class`),
  settleTitle: "Keep as class",
  newClass: (name) => `New class “${name}”`,
  noClass: "No class has this name.",
  unfitName: "A class is a folder: its name cannot contain / \\ : * ? \" < > | or begin or end with a dot.",

  // Loupe
  loupeLabel: (item, position, total) => `${count(position)} of ${count(total)}, ${item.class}, ${tileState(item)}`,
  loupePosition: (position, total) => `${count(position)} of ${count(total)}`,

  // Groups
  groupsLabel: (queue) => `${queues[queue]}: groups of images`,
  groupTitle: (position, total, amount) => `${count(position)} of ${count(total)} · ${images(amount)}`,
  conflictTitle: "The same image is in more than one class. Choose its class.",
  proposal: (kept, why) => `Keeps ${images(kept)}${why ? ` · ${why}` : ""}`,
  noProposal: (why) => ["Probably copies: reject some with X, or press A if all are different", why].filter(Boolean).join(" · "),
  nothingKept: "Keeps none of them",
  memberKept: "keep",
  memberRejected: "reject",
  memberOpen: "undecided",
  keptByYou: "kept by you",
  memberName: (member, position, total, mark) =>
    `${position} of ${total}, ${member.class}, ${texts.size(member.w, member.h)}, ${member.licence || "licence unknown"}, ${member.source}, ${mark}${member.kept_by_you ? ", kept by you" : ""}`,
  groupSettled: (kept, rejected) => `Kept ${count(kept)}, rejected ${count(rejected)}`,
  groupDistinct: "All different",
  accept: "Accept",
  neither: "In none",
  rejectAll: "Reject all",
  chooseCopies: "Nothing is proposed for images that only may be copies. Reject some with X, or press A if all are different.",
  chooseClass: "Choose a class for this image first, or none.",

  // Done and empty
  doneTitle: "Everything is reviewed",
  doneText: (kept, rejected) => `${images(kept)} in the dataset, ${count(rejected)} rejected.`,
  doneNext: "Next step, in the terminal",
  copy: "Copy",
  copied: "Copied",
  doneColumns: ["Class", "Kept", "Rejected"],
  clearFilters: "Clear filters",
  pressKey: "Press a key…",
  noKey: "no key",
  changeKey: (what, keys) => `${what}: ${keys}. Press to change.`,
  warnings: "Before you train",
  remaining: (queue, amount) => `${queues[queue]}: ${count(amount)} left`,
  emptyFilter: "No image matches these filters.",
  emptyClass: (name) => `${isolate(name)} has no images in this queue.`,
  emptyQueue: {
    conflicts: "No image is in two classes.",
    duplicates: "No duplicates are left to decide.",
    suspects: "No suspicious images are left.",
    searching: "Suspicious images are being searched for.",
    unreviewed: "Every image is reviewed.",
    all: "The dataset has no images yet.",
    rejected: "No image is rejected.",
  },
  emptyHint: {
    conflicts: "The same image in two class folders would appear here.",
    duplicates: "Probable copies of the same photograph would appear here.",
    searching: "They appear here when all images are measured.",
    suspects: "Blurred, tiny, empty or otherwise unusual images would appear here.",
    all: "Run harvest to fetch some. They appear here while it runs.",
    rejected: "What you reject comes here, and can be restored.",
    unreviewed: "",
  },
  emptyHintClass: "Choose another class, or show all.",
  nextClassButton: "Next class with work",
  goTo: (queue) => `Go to ${queues[queue]}`,

  pace: ({ images: amount, seconds }) => (amount ? `${images(amount)} reviewed in ${duration(seconds)}` : ""),

  /** Write a time of the server in the reader's zone and language; a ledger may have any text there. */
  time: (text) => {
    const time = new Date(text);
    return Number.isNaN(time.getTime()) ? String(text) : moment.format(time);
  },
};

const deciders = { files: "in the folder", cli: "by a command" };

function decisionWords(action, to, value) {
  const rating = Number(value) ? `rated ${value}` : "rating cleared";
  return { reject: "rejected", restore: "restored", keep: "kept", move: `moved to ${className(to ?? value)}`, rate: rating,
    edit: "edited", distinct: "marked as different", settle: "chosen from a group", skip: value }[action] ?? action;
}

const className = (path) => String(path).split("/")[0];

export function tileState(item) {
  if (item.state === "gone") return "deleted from the folder";
  if (item.state === "rejected") return "rejected";
  return item.reviewed ? "kept" : "not reviewed";
}

/** Write seconds as "2 min 10 s". */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
}
