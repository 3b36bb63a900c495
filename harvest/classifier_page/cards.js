// A card for each image, and what it says. Values from outside (labels, names, messages) are set as text, never as HTML.

const MOST_CARDS = 60;
const SMALLEST = 0.001; // smaller probabilities are shown as less than this
const tenths = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = (part) => (part < SMALLEST ? `< ${tenths.format(SMALLEST)}` : tenths.format(part));
const clone = (id) => byId(id).content.firstElementChild.cloneNode(true);

export const byId = (id) => document.getElementById(id);

/** Add a card before the others, with the image of a file if there is one. */
export function addCard(name, file) {
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

export function showError(element, message) {
  element.classList.add("bad");
  element.querySelector(".word").textContent = message;
}

/** Show the labels of an image with their probabilities, and whether the image is like the training images. */
export function showAnswer(element, { ranked, known, nearest, similarity }) {
  const word = element.querySelector(".word");
  if (known === false) {
    element.classList.add("unknown");
    const like = nearest ? `It is most like ${nearest}, but unlike all training images` : "It is unlike all training images";
    word.textContent = `None of these. ${like} (similarity ${similarity.toFixed(2)}).`;
  } else {
    word.remove();
  }
  const rows = ranked.map(makeRow);
  element.querySelector(".ranks").append(...rows);
  element.getBoundingClientRect(); // force a layout, so that the bars are animated
  rows.forEach((row, at) => (row.querySelector("i").style.width = `${ranked[at].probability * 100}%`));
}

function makeRow({ label, probability }) {
  const row = clone("rank");
  row.querySelector(".label").textContent = label;
  row.querySelector(".percent").textContent = percent(probability);
  return row;
}

/** Call `take` with the files that are pasted, or dropped anywhere on the page. */
export function takePastedAndDropped(take) {
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
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
    take(event.dataTransfer.files);
  });
}

/** Write the name of the model and its classes at the top. */
export function showModel(name, labels, more = []) {
  byId("model").textContent = name;
  const classes = labels.length > 12 ? `${labels.length} classes` : labels.join(", ");
  byId("about").textContent = [...more, classes].join(" · ");
}
