// The upload page: images are sent to the service, which classifies them and shows what decided.

import { addCard, byId, showAnswer, showError, showModel, takePastedAndDropped } from "./cards.js";

let largest = Infinity;
let canExplain = false;

const send = (path, type, body) => fetch(path, { method: "POST", headers: { "Content-Type": type }, body });
const SILENT = "The service does not answer. Is it still running?";

async function classify(element, type, body) {
  try {
    const response = await send("/classify", type, body);
    const result = await response.json();
    if (!response.ok) return showError(element, result.error);
    showAnswer(element, result);
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
    const element = addCard(file.name || "pasted", file);
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
  classify(addCard(url), "application/json", JSON.stringify({ url }));
  byId("from").reset();
});
takePastedAndDropped(classifyAll);
byId("from").hidden = false;

const { model, labels, largest: most, explains } = await (await fetch("/health")).json();
const [name, ...run] = model.split("/");
largest = most;
canExplain = explains;
document.title = `${name} · harvest`;
showModel(name, labels, run);
