// The confusion matrix of the newest training run, as a filter: a cell shows its images.

import { byId, create } from "./elements.js";
import { get } from "./server.js";
import { NO_FILTERS, store } from "./store.js";
import { count, texts } from "./texts.js";

let go = () => {};

/** `change` shows another view. */
export function startConfusion(change) {
  go = change;
  byId("matrix").addEventListener("keydown", moveBetweenCells);
}

/** Load the matrix and show it. */
export async function openConfusion() {
  const dialog = byId("confusion");
  byId("matrix").replaceChildren();
  byId("confusion-text").textContent = texts.loading;
  if (!dialog.open) dialog.showModal();
  try {
    draw(await get("/api/confusion"));
  } catch (error) {
    byId("confusion-text").textContent = [error.message, error.hint].filter(Boolean).join(" ");
  }
}

function draw({ run, classes, cells, hidden }) {
  if (!cells.length) {
    byId("confusion-text").replaceChildren(texts.noMatrix, " ", create("code", {}, store.state.model.train));
    return;
  }
  byId("confusion-text").textContent = texts.matrix(run, hidden);
  const counts = new Map(cells.map(([actual, predicted, amount]) => [`${actual}-${predicted}`, amount]));
  const most = Math.max(...cells.filter(([actual, predicted]) => actual !== predicted).map(([, , amount]) => amount), 1);
  byId("matrix").replaceChildren(
    create("thead", {}, create("tr", {}, create("th", { scope: "col" }, texts.matrixCorner),
      classes.map((name) => create("th", { scope: "col" }, create("span", {}, name))))),
    create("tbody", {}, classes.map((name, row) => create("tr", {},
      create("th", { scope: "row" }, name),
      classes.map((predicted, column) => cell(name, predicted, counts.get(`${row}-${column}`) ?? 0, most))))));
  byId("matrix").querySelector("button")?.focus();
}

function cell(actual, predicted, amount, most) {
  if (!amount) return create("td", {}, "");
  const share = actual === predicted ? 0 : Math.ceil((4 * amount) / most);
  const button = create("button", { type: "button", "data-share": share, "aria-label": texts.matrixCell(amount, actual, predicted) }, count(amount));
  button.addEventListener("click", () => {
    byId("confusion").close();
    go({ queue: "all", class: actual, order: "loss", filters: { ...NO_FILTERS, predicted } });
  });
  return create("td", {}, button);
}

/** The arrows go to the next cell with images, Tab through all of them. */
function moveBetweenCells(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const here = event.target.closest("td");
  if (!step || !here) return;
  event.preventDefault();
  const rows = byId("matrix").tBodies[0].rows;
  let [row, column] = [here.parentElement.sectionRowIndex, here.cellIndex];
  do {
    row += step[0];
    column += step[1];
  } while (rows[row]?.cells[column] && !rows[row].cells[column].firstElementChild);
  rows[row]?.cells[column]?.querySelector("button")?.focus();
}
