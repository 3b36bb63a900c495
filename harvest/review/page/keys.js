// Key presses become commands of the topmost layer: a dialog, the loupe, or the view below.

import { isTyping } from "./elements.js";
import { commandOf, digitOf, preferences } from "./keymap.js";

const MOVES = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  PageUp: "pageUp", PageDown: "pageDown", Home: "first", End: "last",
};

/** Handle the keys of the page. `layers` returns the commands of the topmost layer, or null for a plain dialog. */
export function startKeys(layers) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const commands = layers();
    if (!commands || isTyping(event.target)) return;
    if (run(commands, event)) event.preventDefault();
  });
  document.addEventListener("keyup", (event) => {
    if (commandOf(event) === "flicker") layers()?.flickerEnd?.();
  });
}

function run(commands, event) {
  if ((event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph")) return runWithControl(commands, event);
  if (event.altKey && !event.getModifierState("AltGraph")) return false;
  const move = MOVES[event.key];
  const isOnControl = event.target.closest?.("button, a, summary, input, [role=slider]");
  if (isOnControl && (event.key === "Enter" || event.key === " " || event.key.startsWith("Arrow"))) return false;
  if (move) return call(commands, "move", move, event.shiftKey);
  if (event.key === "Escape") return call(commands, "escape");
  const digit = digitOf(event);
  if (digit !== null) return runDigit(commands, digit, event);
  const name = commandOf(event);
  if (event.repeat && !["reject", "keep", "accept"].includes(name)) return Boolean(name);
  return name !== null && call(commands, name, event.shiftKey);
}

function runWithControl(commands, event) {
  const key = event.key.toLowerCase();
  if (event.altKey) return false;
  if (key === "z") return call(commands, event.shiftKey ? "redo" : "undo");
  if (key === "y" && !event.shiftKey) return call(commands, "redo");
  if (key === "a" && !event.shiftKey) return call(commands, "selectAll");
  return false;
}

function runDigit(commands, digit, event) {
  if (event.repeat) return true;
  const rates = event.shiftKey !== (preferences.digits === "ratings");
  // Groups have no ratings: there a digit without Shift is a class with both settings.
  if (rates && (commands.rate || event.shiftKey)) return call(commands, "rate", digit);
  if (!commands.rate && event.shiftKey) return false;
  return digit > 0 && call(commands, "digit", digit, false);
}

function call(commands, name, ...values) {
  if (!commands[name]) return false;
  commands[name](...values);
  return true;
}
