// The page of an exported model: images are classified on this device.

import { addCard, byId, showAnswer, showError, showModel, takePastedAndDropped } from "./cards.js";
import { classify, load } from "./classifier.js";
import { readView } from "./read_view.js";

const SHOWN = 5; // labels

async function answer(element, file) {
  let view;
  try {
    view = await readView(file, model);
  } catch {
    return showError(element, "This browser cannot read the file as an image.");
  }
  try {
    const result = await classify(view);
    showAnswer(element, { ...result, ranked: result.ranked.slice(0, SHOWN) });
  } catch (error) {
    showError(element, `The classifier failed: ${error.message ?? error}`);
  }
}

async function answerAll(files) {
  const pairs = [...files].reverse().map((file) => [addCard(file.name || "pasted", file), file]);
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
takePastedAndDropped(answerAll);

// The service worker keeps all files for use without a network; a page from a folder of files has none.
navigator.serviceWorker?.register("service-worker.js").catch(() => {});

let model;
try {
  model = await load();
  document.title = model.name;
  showModel(model.name, model.labels);
  byId("state").remove();
  for (const id of ["camera", "files"]) byId(id).disabled = false;
} catch (error) {
  byId("state").className = "bad";
  byId("state").textContent = `The classifier cannot be loaded: ${error.message ?? error}. Reload the page with a network.`;
}
