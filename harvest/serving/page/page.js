// Values from outside (labels, names, error messages) are set as text, never as HTML.

const MOST_CARDS = 60;
const SMALLEST = 0.001; // smaller probabilities are shown as less than this
const tenths = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = (part) => (part < SMALLEST ? `< ${tenths.format(SMALLEST)}` : tenths.format(part));
const byId = (id) => document.getElementById(id);
const clone = (id) => byId(id).content.firstElementChild.cloneNode(true);
let largest = Infinity;
let canExplain = false;

function card(name, file) {
  const element = clone("card");
  element.querySelector("figcaption").textContent = name;
  if (file) {
    const image = element.querySelector(".photo");
    image.onload = () => (image.hidden = false); // an image that the browser cannot show stays hidden
    image.src = URL.createObjectURL(file);
  }
  byId("cards").prepend(element);
  while (byId("cards").children.length > MOST_CARDS) {
    const oldest = byId("cards").lastElementChild;
    for (const image of oldest.querySelectorAll("img")) URL.revokeObjectURL(image.src);
    oldest.remove();
  }
  return element;
}

function showError(element, message) {
  element.classList.add("bad");
  element.querySelector(".word").textContent = message;
}

function rank({ label, probability }) {
  const row = clone("rank");
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  return [row, probability];
}

function show(element, { ranked, known, nearest, similarity }) {
  if (known === false) {
    element.classList.add("unknown");
    element.querySelector(".word").textContent =
      `None of these: it is most like ${nearest}, but unlike all training images (similarity ${similarity.toFixed(2)}).`;
  } else {
    element.querySelector(".word").remove();
  }
  const rows = ranked.map(rank);
  element.querySelector(".ranks").append(...rows.map(([row]) => row));
  element.getBoundingClientRect(); // force a layout, so that the bars are animated
  for (const [row, probability] of rows) row.querySelector("i").style.width = `${probability * 100}%`;
}

const send = (path, type, body) => fetch(path, { method: "POST", headers: { "Content-Type": type }, body });
const SILENT = "The service does not answer. Is it still running?";

async function classify(element, type, body) {
  try {
    const response = await send("/classify", type, body);
    const result = await response.json();
    if (!response.ok) return showError(element, result.error);
    show(element, result);
    if (canExplain) offerExplanation(element, result.ranked[0].label, type, body);
  } catch {
    showError(element, SILENT);
  }
}

function offerExplanation(element, label, type, body) {
  const [button, heat, hint] = [".why", ".heat", ".hint"].map((each) => element.querySelector(each));
  hint.textContent = `The brighter a place, the more it speaks for ${label}.`;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const fault = heat.src ? "" : await fetchHeat(heat, type, body, button);
    element.querySelector(".fault").textContent = fault;
    if (fault) return;
    button.setAttribute("aria-pressed", element.classList.toggle("explained"));
    hint.hidden = !element.classList.contains("explained");
  });
}

async function fetchHeat(heat, type, body, button) {
  button.disabled = true;
  try {
    const response = await send("/explain", type, body);
    if (!response.ok) return (await response.json()).error;
    heat.src = URL.createObjectURL(await response.blob());
    return "";
  } catch {
    return SILENT;
  } finally {
    button.disabled = false;
  }
}

function classifyAll(files) {
  for (const file of [...files].reverse()) {
    const element = card(file.name || "pasted", file);
    if (file.size > largest) showError(element, `This file is too large: the limit is ${Math.floor(largest / 2 ** 20)} MB.`);
    else classify(element, "application/octet-stream", file); // the server detects the format
  }
  byId("cards").firstElementChild?.scrollIntoView({ block: "nearest" });
}

byId("files").addEventListener("change", () => {
  classifyAll(byId("files").files);
  byId("ask").reset();
});
byId("from").addEventListener("submit", (event) => {
  event.preventDefault();
  const url = byId("url").value.trim();
  classify(card(url), "application/json", JSON.stringify({ url }));
  byId("from").reset();
});
document.addEventListener("paste", (event) => classifyAll(event.clipboardData.files));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  classifyAll(event.dataTransfer.files);
});
byId("from").hidden = false;

const { model, labels, largest: most, explains } = await (await fetch("/health")).json();
const [name, ...run] = model.split("/");
const classes = labels.length > 12 ? `${labels.length} classes` : labels.join(", ");
largest = most;
canExplain = explains;
document.title = `${name} · harvest`;
byId("model").textContent = name;
byId("about").textContent = [...run, classes].join(" · ");
