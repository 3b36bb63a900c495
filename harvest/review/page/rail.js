// The rail: the classes with their progress, the order, the filters and the look of the tiles.

import { byId, create, setAttribute, setText } from "./elements.js";
import { gridLook } from "./grid.js";
import { setLook } from "./grid_commands.js";
import { drawModelNote } from "./model.js";
import { NO_FILTERS, classNames, isGroupQueue, listen, store } from "./store.js";
import { count, orders, texts } from "./texts.js";

const SIZES = [100, 200, 300, 500, 1000]; // pixels of the shorter side
const UNKNOWN = "unknown"; // licence
let onChange = () => {};
let drawn = "";

/** `change` shows another view: {class}, {order} or {filters}. */
export function startRail(change) {
  onChange = change;
  byId("classes").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) onChange({ class: button.dataset.class });
  });
  byId("order").replaceChildren(...Object.entries(orders).map(([value, label]) => create("option", { value }, label)));
  byId("order").addEventListener("change", (event) => onChange({ order: event.target.value }));
  for (const name of ["source", "query", "licence", "reason", "predicted", "min_size"]) {
    byId(`filter-${name}`).addEventListener("change", (event) => filter(name, event.target.value));
  }
  let timer = 0;
  byId("filter-text").addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => filter("text", event.target.value.trim()), 250);
  });
  byId("filter-text").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && event.key !== "Enter") return;
    event.target.blur(); // the grid cannot have the focus where it is empty
    byId("grid").focus();
  });
  byId("clear-filters").addEventListener("click", clearFilters);
  for (const button of document.querySelectorAll("[data-size]")) button.addEventListener("click", () => setLook({ size: button.dataset.size }));
  byId("crop").addEventListener("click", () => setLook({ crops: !gridLook.crops }));
  listen("state view", draw);
  listen("look", drawLook);
  drawLook();
}

const filter = (name, value) => onChange({ filters: { ...store.filters, [name]: value } });

export function clearFilters() {
  onChange({ filters: { ...NO_FILTERS } });
}

function draw() {
  drawClasses();
  const { sources, queries, licences, reasons } = store.state;
  drawModelNote();
  const predicted = store.state.model.has_predictions ? classNames() : [];
  const look = JSON.stringify([predicted, sources, queries, licences, reasons, store.filters, store.order, store.queue]);
  if (look === drawn) return;
  drawn = look;
  fill("source", texts.anySource, sources);
  fill("query", texts.anyQuery, queries);
  fill("licence", texts.anyLicence, licences.map((each) => each ?? UNKNOWN), (value) => (value === UNKNOWN ? texts.unknownLicence : value));
  fill("reason", texts.anyReason, reasons);
  fill("predicted", texts.anyPredicted, predicted);
  fill("min_size", texts.anySize, SIZES.map(String), (value) => texts.atLeast(count(Number(value))));
  if (document.activeElement !== byId("filter-text")) byId("filter-text").value = store.filters.text;
  byId("order").value = store.order;
  byId("order").querySelector("[value=similar]").hidden = store.order !== "similar";
  byId("clear-filters").hidden = !Object.values(store.filters).some(Boolean);
  byId("grid-options").hidden = isGroupQueue();
}

function fill(name, any, values, label = (value) => value) {
  const select = byId(`filter-${name}`);
  const options = ["", ...values];
  if (store.filters[name] && !options.includes(store.filters[name])) options.push(store.filters[name]);
  select.replaceChildren(...options.map((value) => create("option", { value }, value ? label(value) : any)));
  select.value = store.filters[name];
  select.closest("label").hidden = !values.length;
  select.classList.toggle("set", Boolean(store.filters[name]));
}

function drawClasses() {
  const list = byId("classes");
  const { classes } = store.state;
  const wanted = [{ name: "", label: texts.allClasses, ...sum(classes) }, ...classes.map((each) => ({ ...each, label: each.name }))];
  while (list.children.length > wanted.length) list.lastElementChild.remove();
  wanted.forEach((each, index) => {
    if (!list.children[index]) list.append(classRow());
    dress(list.children[index].firstElementChild, each, index);
  });
}

const sum = (classes) => ({
  kept: classes.reduce((total, each) => total + each.kept, 0),
  unreviewed: classes.reduce((total, each) => total + each.unreviewed, 0),
  rejected: classes.reduce((total, each) => total + each.rejected, 0),
});

const classRow = () => create("li", {}, create("button", { type: "button" },
  create("kbd", { "aria-hidden": "true" }), create("span", { class: "name" }), create("span", { class: "left" }),
  create("progress", { max: "1", "aria-hidden": "true" })));

function dress(button, each, index) {
  const [key, name, left, bar] = button.children;
  const title = texts.classTitle({ ...each, name: each.label });
  setAttribute(button, "data-class", each.name);
  setAttribute(button, "aria-current", store.class === each.name);
  setAttribute(button, "title", title);
  setAttribute(button, "aria-label", title);
  setText(key, index >= 1 && index <= 9 ? String(index) : "");
  setText(name, each.label);
  setText(left, count(each.kept));
  setAttribute(bar, "value", each.kept ? (each.kept - each.unreviewed) / each.kept : 1);
}

function drawLook() {
  for (const button of document.querySelectorAll("[data-size]")) button.setAttribute("aria-pressed", button.dataset.size === gridLook.size);
  byId("crop").setAttribute("aria-pressed", gridLook.crops);
}
