// What is shown instead of images: all is reviewed, the queue is empty, or the filters match nothing.

import { byId, create } from "./elements.js";
import { canCompute, computeButton, describeMissing } from "./model.js";
import { hasFilters, store } from "./store.js";
import { count, queues, texts } from "./texts.js";

/** Draw the panel. `go` changes the view, `nextClass` goes to a class with work left. */
export function drawEmpty(panel, { go, clearFilters, nextClass }) {
  const { state, queue } = store;
  if (hasFilters()) return fill(panel, texts.emptyFilter, "", [button(texts.clearFilters, clearFilters)]);
  if (queue === "unreviewed" && !state.queues.unreviewed && state.queues.all) return drawDone(panel, go);
  if (store.class) {
    return fill(panel, texts.emptyClass(store.class), texts.emptyHintClass, [
      state.classes.some((each) => each.unreviewed) && button(texts.nextClassButton, nextClass),
      button(texts.allClasses, () => go({ class: "" })),
    ]);
  }
  const next = Object.keys(queues).find((name) => name !== queue && name !== "rejected" && state.queues[name]);
  const found = queue === "suspects" && state.is_searching ? "searching" : queue;
  fill(panel, texts.emptyQueue[found], texts.emptyHint[found], [next && button(texts.goTo(next), () => go({ queue: next }))]);
}

/** Say what the order of the view needs: a training run, or features of its network. */
export function drawModelMissing(panel) {
  const { model } = store.state;
  const [title, ...hints] = model.run ? [describeMissing(), model.computation.is_running ? texts.computingHint : ""] : [texts.noRun, texts.noRunHint];
  const look = `${title}|${canCompute()}`;
  if (panel.firstChild?.dataset?.look === look) return; // the focus stays on the button
  panel.replaceChildren(create("div", { class: "message", "data-look": look },
    create("h2", {}, title), create("p", {}, hints.join(" ")),
    canCompute() ? create("div", { class: "buttons" }, computeButton("primary")) : "",
    model.run ? "" : command(model.train)));
}

const button = (label, react) => create("button", { type: "button", class: "primary", onclick: react }, label);

function fill(panel, title, hint, buttons) {
  panel.replaceChildren(create("div", { class: "message" },
    create("h2", {}, title), create("p", {}, hint), create("div", { class: "buttons" }, buttons.filter(Boolean))));
}

function drawDone(panel, go) {
  const { state } = store;
  const left = Object.keys(queues).filter((name) => ["conflicts", "duplicates", "suspects"].includes(name) && state.queues[name]);
  panel.replaceChildren(create("div", { class: "done" },
    create("h2", {}, texts.doneTitle),
    create("p", { class: "lead" }, [texts.doneText(state.queues.all, state.queues.rejected), texts.pace(state.pace)].filter(Boolean).join(" ")),
    table(state.classes),
    left.length ? create("p", { class: "buttons" }, left.map((name) =>
      create("button", { type: "button", onclick: () => go({ queue: name }) }, texts.remaining(name, state.queues[name])))) : "",
    state.done.warnings.length ? create("section", {}, create("h3", {}, texts.warnings),
      create("ul", { class: "warnings" }, state.done.warnings.map((text) => create("li", {}, text)))) : "",
    create("section", {}, create("h3", {}, texts.doneNext), command(state.done.next))));
}

function table(classes) {
  const most = Math.max(1, ...classes.map((each) => each.kept));
  return create("table", { class: "numbers" },
    create("thead", {}, create("tr", {}, texts.doneColumns.map((label) => create("th", { scope: "col" }, label)))),
    create("tbody", {}, classes.map((each) => create("tr", {},
      create("th", { scope: "row" }, each.name),
      create("td", {}, bar(each.kept / most), count(each.kept)),
      create("td", {}, count(each.rejected))))));
}

function bar(share) {
  return create("meter", { min: "0", max: "1", value: String(share), "aria-hidden": "true", tabindex: "-1" });
}

function command(text) {
  const code = create("code", {}, text);
  const copy = create("button", { type: "button" }, texts.copy);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = texts.copied;
    } catch {
      getSelection().selectAllChildren(code); // no clipboard without HTTPS: the user copies the selected text
    }
  });
  return create("div", { class: "command" }, code, copy);
}

export const emptyPanel = () => byId("empty");
