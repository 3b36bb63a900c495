// What a training run adds to the page: orders of the images, and what to do where there is no run yet.

import { showNotice } from "./announce.js";
import { byId, create } from "./elements.js";
import { post } from "./server.js";
import { notify, store } from "./store.js";
import { texts } from "./texts.js";

export const FEATURE_ORDERS = ["odd", "other", "similar"];
const isModelOrder = (order) => FEATURE_ORDERS.includes(order) || order === "loss";

/** Return whether the server can order the images as the view asks. */
export function canOrder() {
  const { model } = store.state;
  if (!isModelOrder(store.order)) return true;
  return store.order === "loss" ? model.has_predictions : model.has_features;
}

/** Return what is missing for the order of the view, in words; "" where nothing is. */
export function describeMissing() {
  const { model } = store.state;
  if (!isModelOrder(store.order)) return "";
  if (!model.run) return texts.noRun;
  if (store.order === "loss") return model.has_predictions ? "" : texts.noPredictions(model.run);
  const { is_running: isRunning, done, total, error } = model.computation;
  if (isRunning) return texts.computing(done, total);
  if (error) return texts.notComputed(error);
  return model.missing ? texts.featuresMissing(model.missing, model.run) : "";
}

/** Return whether the features that are missing can be computed now. */
export const canCompute = () =>
  FEATURE_ORDERS.includes(store.order) && store.state.model.run && store.state.model.missing > 0 && !store.state.model.computation.is_running;

/** Ask the server to compute the features; it goes on in the background. */
export async function computeFeatures() {
  try {
    store.state = await post("/api/features", {});
    notify("state");
  } catch (error) {
    showNotice(texts.refused(error.message, error.hint).replace(/^Not saved: /, ""), true);
  }
}

/** Return the button that computes the features. */
export const computeButton = (className) => create("button", { type: "button", class: className, onclick: computeFeatures }, texts.compute);

/** Show below the order what is missing for it. */
export function drawModelNote() {
  const note = byId("model-note");
  const text = describeMissing();
  const look = `${text}|${canCompute()}`;
  if (note.dataset.look === look) return;
  note.dataset.look = look;
  note.hidden = !text;
  note.replaceChildren(create("span", {}, text), canCompute() ? computeButton("") : "");
}
