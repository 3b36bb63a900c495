// Which key does what. The tables of the help and of the settings are made from this list.

import { showNotice } from "./announce.js";
import { post } from "./server.js";
import { texts } from "./texts.js";

/** `views` says in words what a command does in the grid, the loupe and the groups; "" where it does nothing. */
export const COMMANDS = [
  { name: "accept", keys: ["Enter"], views: ["keep the selection, else what is unmarked on this screen, and go on", "keep, next", "accept the proposal, or what you marked, next"] },
  { name: "reject", keys: ["x", "d", "Delete", "Backspace"], views: ["reject, next (again: restore)", "reject, next (again: restore)", "reject this one"] },
  { name: "keep", keys: ["k", "p"], views: ["keep, next", "keep, next", "keep this one too"] },
  { name: "pick", keys: ["m"], views: ["move to a class by its name", "move to a class by its name", "keep, as the class of that name"] },
  { name: "suggest", keys: ["a"], views: ["take the suggestion of the model", "take the suggestion of the model", "all different: never asked again"] },
  { name: "open", keys: [" "], views: ["open the image", "back", "open the image"] },
  { name: "undo", keys: ["u"], views: ["undo, also Ctrl+Z", "undo, also Ctrl+Z", "undo, also Ctrl+Z"] },
  { name: "redo", keys: ["y"], views: ["redo, also Ctrl+Shift+Z", "redo, also Ctrl+Shift+Z", "redo, also Ctrl+Shift+Z"] },
  { name: "inform", keys: ["i"], views: ["why is this image here", "why is this image here", "why is this image here"] },
  { name: "similar", keys: ["l"], views: ["images similar to this one", "images similar to this one", ""] },
  { name: "confusion", keys: ["v"], views: ["confusion matrix of the newest run", "", ""] },
  { name: "crop", keys: ["c"], views: ["fill the tiles, or show whole images", "", ""] },
  { name: "zoom", keys: ["z"], views: ["", "actual size", ""] },
  { name: "larger", keys: ["+", "="], views: ["larger tiles", "", ""] },
  { name: "smaller", keys: ["-"], views: ["smaller tiles", "", ""] },
  { name: "flicker", keys: ["f"], views: ["", "full screen", "hold: compare with the kept image"] },
  { name: "skip", keys: ["s"], views: ["", "", "skip this group"] },
  { name: "none", keys: ["n"], views: ["", "", "reject the whole group"] },
  { name: "previousClass", keys: ["["], views: ["previous class", "", "previous class"] },
  { name: "nextClass", keys: ["]"], views: ["next class", "", "next class"] },
  { name: "filter", keys: ["/"], views: ["search the texts", "", ""] },
  { name: "help", keys: ["?"], views: ["all keys", "all keys", "all keys"] },
];

/** Keys that are fixed: they do what they do everywhere. */
export const FIXED = [
  { keys: ["←", "→", "↑", "↓"], views: ["move", "← → previous, next", "↑ ↓ group, ← → choose the image to keep"] },
  { keys: ["PgUp", "PgDn", "Home", "End"], views: ["move by a screen, to the ends", "Home, End: to the ends", "move by a screen, to the ends"] },
  { keys: ["1–9"], views: ["move to that class", "move to that class", "keep, as that class"] },
  { keys: ["Shift+1–9", "Shift+0"], views: ["rate, clear the rating", "rate, clear the rating", ""] },
  { keys: ["Shift+↑ ↓ ← →", "Ctrl+A"], views: ["select more, select all", "", ""] },
  { keys: ["Esc"], views: ["select none; leave similar images", "back", ""] },
  { keys: ["Shift+letter"], views: ["decide and stay on the image", "decide and stay on the image", ""] },
];

const NAMED = { " ": "Space", Delete: "Del", Backspace: "⌫", Enter: "Enter" };
export const keyLabel = (key) => NAMED[key] ?? (key.length === 1 ? key.toUpperCase() : key);

/** The user's choices: `keys` by command name, letters on or off, and what digits mean. */
export const preferences = { keys: {}, letters: true, digits: "classes" };

/** Use the choices that the server keeps for every dataset and port. */
export function usePreferences(stored) {
  const isKnown = ([name]) => COMMANDS.some((command) => command.name === name);
  Object.assign(preferences, stored, { keys: Object.fromEntries(Object.entries(stored.keys).filter(isKnown)) });
}

let saving = Promise.resolve();

/** Save the choices; if that fails, they hold until the page is closed. One request at a time: the last choice wins. */
export function savePreferences() {
  saving = saving.then(async () => {
    try {
      await post("/api/preferences", preferences);
    } catch (error) {
      showNotice(texts.keysNotSaved(error.status ? error.message : ""), true);
    }
  });
}

export const keysOf = (command) => preferences.keys[command.name] ?? command.keys;

/** Give a key to a command, and take it from the command that had it. */
export function assignKey(name, key) {
  for (const command of COMMANDS) {
    const keys = keysOf(command);
    if (command.name !== name && keys.includes(key)) preferences.keys[command.name] = keys.filter((each) => each !== key);
  }
  preferences.keys[name] = [key];
  savePreferences();
}

/** Return the command of a key event, or null. Letters are compared as typed, digits by their place. */
export function commandOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = /^\p{L}$/u.test(key);
  if (isLetter && !preferences.letters) return null;
  const found = COMMANDS.find((command) => keysOf(command).includes(key));
  return found?.name ?? null;
}

/** Return the digit of a key event by the place of the key, as on keyboards whose digits need Shift. */
export function digitOf(event) {
  const match = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return match && !(event.code.startsWith("Numpad") && event.key.length > 1) ? Number(match[1]) : null;
}
