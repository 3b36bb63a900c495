// The class picker: type to find a class, or name a new one.

import { byId, create } from "./elements.js";
import { classNames } from "./store.js";
import { texts } from "./texts.js";

const MOST_OPTIONS = 50;
// What most often makes a name unfit for a folder; the server checks the rest.
const UNFIT = /[\\/:*?"<>|\p{C}]|^[.\- ]|[. ]$/u;
let dialog, input, list;
let choose = () => {};
let options = [];
let at = 0;

export function startPicker() {
  [dialog, input, list] = ["picker", "picker-input", "picker-list"].map(byId);
  input.addEventListener("input", () => filter());
  input.addEventListener("keydown", onKey);
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(options[Number(option.dataset.at)]);
  });
}

/** Ask for a class; `react` gets its name. */
export function pickClass(title, react) {
  choose = react;
  byId("picker-title").textContent = title;
  input.value = "";
  dialog.showModal();
  input.focus();
  filter();
}

function filter() {
  const words = input.value.trim().toLowerCase();
  const names = classNames();
  options = names.filter((name) => name.toLowerCase().includes(words)).slice(0, MOST_OPTIONS).map((name) => ({ name, label: name, digit: names.indexOf(name) + 1 }));
  const typed = input.value.trim();
  const isUnfit = UNFIT.test(typed);
  if (typed && !isUnfit && !names.includes(typed)) options.push({ name: typed, label: texts.newClass(typed) });
  // The best match comes first: names that start with the words.
  options.sort((a, b) => Number(b.name.toLowerCase().startsWith(words)) - Number(a.name.toLowerCase().startsWith(words)) || Number(!b.digit) * -1 + Number(!a.digit));
  at = 0;
  draw();
  if (isUnfit && !options.length) list.replaceChildren(create("p", {}, texts.unfitName));
}

function draw() {
  list.replaceChildren(...options.map((option, index) =>
    create("div", { role: "option", id: `pick-${index}`, "data-at": index, "aria-selected": String(index === at) },
      create("span", {}, option.label),
      option.digit && option.digit <= 9 ? create("kbd", {}, String(option.digit)) : "")));
  input.setAttribute("aria-activedescendant", options.length ? `pick-${at}` : "");
  byId(`pick-${at}`)?.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length) {
    at = (at + step + options.length) % options.length;
    draw();
  } else if (event.key === "Enter" && !event.isComposing) take(options[at]);
  else return;
  event.preventDefault();
}

function take(option) {
  if (!option) return;
  dialog.close();
  choose(option.name);
}
