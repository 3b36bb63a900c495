// Values from outside (labels, names) are set as text, never as HTML.

import { classify, load } from "./classifier.js";
import { readView } from "./read_view.js";

const MOST_CARDS = 60;
const SHOWN = 5; // labels
const SMALLEST = 0.001; // smaller probabilities are shown as less than this
const tenths = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = (part) => (part < SMALLEST ? `< ${tenths.format(SMALLEST)}` : tenths.format(part));
const byId = (id) => document.getElementById(id);
const clone = (id) => byId(id).content.firstElementChild.cloneNode(true);

function addCard(file) {
  const element = clone("card");
  element.querySelector("figcaption").textContent = file.name || "pasted";
  const image = element.querySelector("img");
  image.onload = () => (image.hidden = false); // an image that the browser cannot show stays hidden
  image.src = URL.createObjectURL(file);
  byId("cards").prepend(element);
  while (byId("cards").children.length > MOST_CARDS) {
    const oldest = byId("cards").lastElementChild;
    URL.revokeObjectURL(oldest.querySelector("img").src);
    oldest.remove();
  }
  return element;
}

function showError(element, message) {
  element.classList.add("bad");
  element.querySelector(".word").textContent = message;
}

function rankRow({ label, probability }) {
  const row = clone("rank");
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  row.querySelector("i").style.width = `${probability * 100}%`;
  return row;
}

function show(element, { ranked, known, nearest, similarity }) {
  const word = element.querySelector(".word");
  if (known) word.remove();
  else {
    element.classList.add("unknown");
    const like = nearest ? ` It is most like ${nearest}, but unlike all training images` : " It is unlike all training images";
    word.textContent = `None of these.${like} (similarity ${similarity.toFixed(2)}).`;
  }
  element.querySelector(".ranks").append(...ranked.slice(0, SHOWN).map(rankRow));
}

async function answer(element, file) {
  let view;
  try {
    view = await readView(file, model);
  } catch {
    return showError(element, "This browser cannot read the file as an image.");
  }
  try {
    show(element, await classify(view));
  } catch (error) {
    showError(element, `The classifier failed: ${error.message ?? error}`);
  }
}

async function answerAll(files) {
  const pairs = [...files].reverse().map((file) => [addCard(file), file]);
  byId("cards").firstElementChild?.scrollIntoView({ block: "nearest" });
  for (const [element, file] of pairs.reverse()) await answer(element, file); // one at a time: memory stays flat
}

for (const id of ["camera", "files"]) {
  byId(id).addEventListener("change", () => {
    const files = [...byId(id).files];
    byId(id).value = ""; // so that the same image can be chosen again
    answerAll(files);
  });
}
document.addEventListener("paste", (event) => answerAll(event.clipboardData.files));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  answerAll(event.dataTransfer.files);
});

// The service worker keeps all files for use without a network; a page from a folder of files has none.
navigator.serviceWorker?.register("service-worker.js").catch(() => {});

let model;
try {
  model = await load();
  document.title = model.name;
  byId("model").textContent = model.name;
  byId("about").textContent = model.labels.length > 12 ? `${model.labels.length} classes` : model.labels.join(", ");
  byId("state").remove();
  for (const id of ["camera", "files"]) byId(id).disabled = false;
} catch (error) {
  byId("state").className = "bad";
  byId("state").textContent = `The classifier cannot be loaded: ${error.message ?? error}. Reload the page with a network.`;
}
