// The table of all keys, and the card of the first visit.

import { byId, create } from "./elements.js";
import { COMMANDS, FIXED, keyLabel, keysOf } from "./keymap.js";

const SEEN = "harvest-first-card";

export function openHelp() {
  const rows = [
    ...FIXED.slice(0, 2).map((each) => row(each.keys, each.views)),
    ...COMMANDS.map((command) => row(keysOf(command).map(keyLabel), command.views)),
    ...FIXED.slice(2).map((each) => row(each.keys, each.views)),
  ];
  byId("key-rows").replaceChildren(...rows);
  byId("help").showModal();
}

function row(keys, views) {
  return create("tr", {},
    create("th", { scope: "row" }, keys.length ? keys.map((key) => create("kbd", {}, key)) : "–"),
    views.map((text) => create("td", {}, text)));
}

/** Show the card of the first visit until it is closed once. Below it no key decides about images that it covers. */
export function startFirstCard() {
  const card = byId("first-card");
  byId("first-card-close").addEventListener("click", () => card.close());
  byId("first-card-keys").addEventListener("click", () => {
    card.close();
    openHelp();
  });
  card.addEventListener("close", () => {
    byId("grid").focus();
    try {
      localStorage.setItem(SEEN, "1");
    } catch {
      // It appears again on the next visit.
    }
  });
  try {
    if (localStorage.getItem(SEEN) === null) card.showModal();
  } catch {
    // Without storage it would appear on every visit.
  }
}
