// The bars above and below: the queues with their counters, what Enter would do, undo and redo, the state of the server.

import { byId, create, setAttribute, setText } from "./elements.js";
import { undecidedOnScreen } from "./grid_commands.js";
import { idsOnScreen } from "./grid.js";
import { currentGroup } from "./groups.js";
import { outbox } from "./outbox.js";
import { classNames, isGroupQueue, listen, store } from "./store.js";
import { count, isolate, queues, texts } from "./texts.js";

const CONFLICT_CLASSES = 9;

/** `change` shows another queue. `run` runs a command of the topmost layer, as its key does. */
export function startBars(change, run) {
  byId("queues").replaceChildren(...Object.keys(queues).map((name) =>
    create("button", { type: "button", "data-queue": name, onclick: () => change({ queue: name, class: store.class }) },
      create("span", {}, queues[name]), create("span", { class: "count" }))));
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-command]");
    if (button) run(button.dataset.command, event.shiftKey, button.dataset.value);
  });
  listen("state view", drawQueues);
  listen("state view groups items selection focus", () => scheduleStatus());
  byId("grid").addEventListener("draw", scheduleStatus);
  listen("server items state", drawServer);
}

function drawQueues() {
  setText(byId("dataset"), store.state.dataset);
  document.title = texts.title(store.state.dataset);
  for (const button of byId("queues").children) {
    const amount = store.state.queues[button.dataset.queue];
    setText(button.lastChild, count(amount));
    button.classList.toggle("none", !amount);
    if (button.dataset.queue !== store.queue) button.removeAttribute("aria-current");
    else if (!button.hasAttribute("aria-current")) {
      button.setAttribute("aria-current", "page");
      button.scrollIntoView({ block: "nearest", inline: "nearest" }); // the bar begins in the middle of a name only where it must
    }
  }
}

let frame = 0;
function scheduleStatus() {
  frame ||= requestAnimationFrame(() => { frame = 0; drawStatus(); });
}

function drawStatus() {
  if (!store.state) return;
  const isEmpty = isGroupQueue() ? !store.groups.length : !store.ids.length;
  byId("actions").hidden = isEmpty || store.isLoading;
  document.body.dataset.view = isGroupQueue() ? "groups" : "grid";
  document.body.classList.toggle("has-selection", store.selection.size > 0);
  document.body.classList.toggle("has-class", Boolean(store.class));
  drawUndo("undo", texts.undoName);
  drawUndo("redo", texts.redoName);
  setText(byId("pace"), texts.pace(store.state.pace));
  if (isEmpty) setText(byId("status"), "");
  else if (isGroupQueue()) drawGroupStatus();
  else drawGridStatus();
}

function drawUndo(which, name) {
  const [button, label] = [byId(which), store.state[which]];
  button.disabled = !label && !outbox.waiting.length;
  setAttribute(button, "title", name(label));
  setAttribute(button, "aria-label", name(label));
  setText(button.querySelector(".name"), which === "undo" ? (label ?? "") : "");
}

function drawGridStatus() {
  const onScreen = idsOnScreen();
  const marked = onScreen.filter((id) => store.items.get(id)?.state === "rejected").length;
  const chosen = store.selection.size;
  const shown = texts.onScreen(onScreen.length, store.queue === "rejected" ? 0 : marked);
  setText(byId("status"), [isolate(store.class), chosen ? texts.selected(chosen) : shown].filter(Boolean).join(" · "));
  setText(byId("accept").querySelector("span"), texts.keepRest(chosen || undecidedOnScreen().length));
  if (byId("conflict-classes").firstChild) byId("conflict-classes").replaceChildren();
}

function drawGroupStatus() {
  const group = currentGroup();
  const isConflict = group?.kind === "conflict";
  document.body.classList.toggle("conflict", isConflict);
  setText(byId("status"), texts.remaining(store.queue, store.groups.filter((each) => each.isOpen).length));
  setText(byId("accept").querySelector("span"), texts.accept);
  setText(byId("none-label"), isConflict ? texts.neither : texts.rejectAll);
  const names = isConflict && group.isOpen ? group.classes : [];
  const box = byId("conflict-classes");
  if (box.dataset.names === names.join("\n") && box.children.length === names.length) return;
  box.dataset.names = names.join("\n");
  box.replaceChildren(...names.map((name) => {
    const digit = classNames().indexOf(name) + 1;
    return create("button", { type: "button", class: "primary", "data-command": "settleAs", "data-value": name }, name,
      digit >= 1 && digit <= CONFLICT_CLASSES ? create("kbd", {}, String(digit)) : "");
  }));
}

function drawServer() {
  const bar = byId("server");
  const { missing } = store.state;
  bar.hidden = !outbox.problem && !missing;
  bar.classList.toggle("over", Boolean(outbox.problem));
  if (outbox.problem === "failed") setText(bar, outbox.reason);
  else if (outbox.problem) setText(bar, texts[outbox.problem](outbox.waiting.length));
  else if (missing) setText(bar, texts.missing(missing));
}
