// Labels, names and error messages are set as text, never as HTML.

const MOST_CARDS = 60;
const SMALLEST = 0.001;
const tenths = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = (part) => (part < SMALLEST ? `< ${tenths.format(SMALLEST)}` : tenths.format(part));
const at = (id) => document.getElementById(id);
const copyTemplate = (id) => at(id).content.firstElementChild.cloneNode(true);
let largest = Infinity;

function card(name, picture) {
  const made = copyTemplate("card");
  made.querySelector("figcaption").textContent = name;
  if (picture) {
    const image = made.querySelector("img");
    image.onload = () => (image.hidden = false); // what the browser cannot show stays hidden
    image.src = URL.createObjectURL(picture);
  }
  at("cards").prepend(made);
  while (at("cards").children.length > MOST_CARDS) {
    const oldest = at("cards").lastElementChild;
    URL.revokeObjectURL(oldest.querySelector("img").src);
    oldest.remove();
  }
  return made;
}

function say(made, words) {
  made.classList.add("bad");
  made.querySelector(".word").textContent = words;
}

function rank({ label, probability }) {
  const row = copyTemplate("rank");
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  return [row, probability];
}

function show(made, ranked) {
  made.querySelector(".word").remove();
  const rows = ranked.map(rank);
  made.querySelector(".ranks").append(...rows.map(([row]) => row));
  made.getBoundingClientRect(); // so that the bars are animated
  for (const [row, probability] of rows) row.querySelector("i").style.width = `${probability * 100}%`;
}

async function classify(made, kind, body) {
  try {
    const answer = await fetch("/classify", { method: "POST", headers: { "Content-Type": kind }, body });
    const result = await answer.json();
    if (answer.ok) show(made, result);
    else say(made, result.error);
  } catch {
    say(made, "The service does not answer. Is it still running?");
  }
}

function classifyAll(files) {
  for (const file of [...files].reverse()) {
    const made = card(file.name || "pasted", file);
    if (file.size > largest) say(made, `The file is too large: the limit is ${Math.floor(largest / 2 ** 20)} MB.`);
    else classify(made, "application/octet-stream", file); // the service detects the format from the bytes
  }
  at("cards").firstElementChild?.scrollIntoView({ block: "nearest" });
}

at("files").addEventListener("change", () => {
  classifyAll(at("files").files);
  at("ask").reset();
});
at("from").addEventListener("submit", (event) => {
  event.preventDefault();
  const url = at("url").value.trim();
  classify(card(url), "application/json", JSON.stringify({ url }));
  at("from").reset();
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
at("from").hidden = false;

const { model, labels, largest: most } = await (await fetch("/health")).json();
const [name, ...run] = model.split("/");
const classes = labels.length > 12 ? `${labels.length} classes` : labels.join(", ");
largest = most;
document.title = `${name} · harvest`;
at("model").textContent = name;
at("about").textContent = [...run, classes].join(" · ");
