// Runs model.onnx with onnxruntime-web, on one thread: more need headers that a static server does not send.

import * as ort from "./runtime/ort.wasm.min.mjs";

let model;
let session;

export async function load() {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = new URL("./runtime/", import.meta.url).href;
  const [description, weights] = await Promise.all([read("model.json"), read("model.onnx")]);
  model = await description.json();
  session = await ort.InferenceSession.create(await weights.arrayBuffer(), { executionProviders: ["wasm"] });
  return model;
}

async function read(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}

// Return the labels, the most probable first, and whether the image is like the training images, as `predict` does.
export async function classify(view) {
  const image = new ort.Tensor("uint8", view, [1, model.size, model.size, 3]);
  const { probability, similarity, nearest } = await session.run({ image });
  const ranked = model.labels.map((label, number) => ({ label, probability: probability.data[number] }));
  ranked.sort((one, other) => other.probability - one.probability);
  if (!similarity || model.threshold === null) return { ranked, known: true };
  return {
    ranked,
    known: similarity.data[0] >= model.threshold,
    similarity: similarity.data[0],
    nearest: model.images[Number(nearest.data[0])] ?? "",
  };
}
