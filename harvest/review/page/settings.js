// Settings of the keys: letters on or off, what digits mean, and another key for each command.

import { byId, create } from "./elements.js";
import { COMMANDS, assignKey, keyLabel, keysOf, preferences, savePreferences } from "./keymap.js";
import { texts } from "./texts.js";

let waiting = null; // the button that waits for a key

export function startSettings() {
  byId("letters").addEventListener("change", (event) => {
    preferences.letters = event.target.checked;
    savePreferences();
  });
  byId("digits").addEventListener("change", (event) => {
    preferences.digits = event.target.value;
    savePreferences();
  });
  byId("reset-keys").addEventListener("click", () => {
    preferences.keys = {};
    savePreferences();
    draw();
  });
  byId("settings").addEventListener("keydown", onKey, true);
  byId("settings").addEventListener("close", () => (waiting = null));
}

export function openSettings() {
  byId("letters").checked = preferences.letters;
  byId("digits").value = preferences.digits;
  draw();
  byId("settings").showModal();
}

function draw() {
  waiting = null;
  byId("key-list").replaceChildren(...COMMANDS.map((command) => {
    const what = command.views.find(Boolean);
    const keys = keysOf(command).map(keyLabel).join(", ") || texts.noKey;
    const button = create("button", { type: "button", class: "key", "aria-label": texts.changeKey(what, keys) }, keys);
    button.addEventListener("click", () => wait(button, command.name));
    return create("li", {}, create("span", {}, what), button);
  }));
}

function wait(button, name) {
  draw();
  // Drawing made new buttons.
  waiting = { button: byId("key-list").children[COMMANDS.findIndex((command) => command.name === name)].lastChild, name };
  waiting.button.textContent = texts.pressKey;
  waiting.button.classList.add("waits");
  waiting.button.focus();
}

function onKey(event) {
  if (!waiting || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
  event.preventDefault();
  event.stopPropagation();
  const { name } = waiting;
  const isFree = !event.ctrlKey && !event.altKey && !event.metaKey && !/^(Escape|Arrow.*|Page.*|Home|End|\d)$/.test(event.key);
  if (isFree) assignKey(name, event.key.length === 1 ? event.key.toLowerCase() : event.key);
  draw();
  byId("key-list").children[COMMANDS.findIndex((command) => command.name === name)].lastChild.focus();
}
