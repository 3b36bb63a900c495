// Decisions on their way to the server, in order; what waits for an answer is sent together. Without a server they wait, and are sent again.

import { applyReply } from "./changes.js";
import { Refusal, get, post } from "./server.js";
import { notify, store } from "./store.js";
import { texts } from "./texts.js";

const RETRY_AFTER = 2000; // milliseconds
const SILENT_AFTER = 5000; // milliseconds without an answer, until the bar says so
const MOST_AT_ONCE = 50;
const SAVE_AFTER = 250; // milliseconds: a burst of keys is written once
const STORED = "harvest-unsent";

export const outbox = {
  waiting: [], // {path, body, restore, ids}
  problem: "", // "", "silent", "stopped", "expired" or "failed"
  reason: "", // of "failed": what the server says
};
let isSending = false;
let isPolling = false;
let isOneByOne = false; // the server refused several decisions together: find out which
let onRefusal = () => {};
let onReply = () => {};
let idle = []; // who waits until everything is sent

/** Say what to do with a decision that is refused, and with each reply. */
export function setHandlers(handlers) {
  ({ onRefusal, onReply } = handlers);
}

/** Send a decision; `restore` puts the images back on the page if the server refuses it. */
export function send(path, body, restore = () => {}) {
  outbox.waiting.push({ path, body, restore, ids: body.ids ?? [] });
  save();
  deliver();
}

/** Return a promise that is kept once nothing waits to be sent. */
export const whenSent = () => new Promise((resolve) => (outbox.waiting.length ? idle.push(resolve) : resolve()));

export function pendingIds() {
  return new Set(outbox.waiting.flatMap(({ ids }) => ids));
}

/** Load the decisions that an earlier visit of this tab could not send. */
export function loadUnsent() {
  try {
    const saved = JSON.parse(sessionStorage.getItem(STORED) ?? "{}");
    if (saved.dataset !== store.state.dataset) return;
    for (const { path, body } of saved.decisions) send(path, body);
  } catch {
    sessionStorage.removeItem(STORED);
  }
}

let saveTimer = 0;
addEventListener("pagehide", () => saveTimer && saveNow());

function save() {
  saveTimer ||= setTimeout(saveNow, SAVE_AFTER);
}

/** Keep what is not sent in the storage of the tab; at the latest when the page is left. */
function saveNow() {
  clearTimeout(saveTimer);
  saveTimer = 0;
  // An undo that is sent twice would undo two decisions.
  const decisions = outbox.waiting.filter(({ path }) => path === "/api/decide").map(({ path, body }) => ({ path, body }));
  try {
    if (decisions.length) sessionStorage.setItem(STORED, JSON.stringify({ dataset: store.state.dataset, decisions }));
    else sessionStorage.removeItem(STORED);
  } catch {
    // The storage is full or switched off: the decisions are still in memory.
  }
}

async function deliver() {
  if (isSending) return;
  isSending = true;
  while (outbox.waiting.length) {
    try {
      await deliverNext();
    } catch {
      setTimeout(retry, RETRY_AFTER);
      return; // still sending: what comes meanwhile waits behind it
    }
  }
  isSending = false;
  const waiters = idle;
  idle = [];
  for (const resolve of waiters) resolve();
}

function retry() {
  isSending = false;
  deliver();
}

/** Return what to send next: all decisions up to an undo, which is about the one before it and goes alone. */
function nextDecisions() {
  const until = outbox.waiting.findIndex(({ path }) => path !== "/api/decide");
  const count = until < 0 ? outbox.waiting.length : Math.max(1, until);
  return outbox.waiting.slice(0, isOneByOne ? 1 : Math.min(count, MOST_AT_ONCE));
}

function postDecisions(decisions) {
  const [{ path, body }] = decisions;
  if (decisions.length === 1) return post(path, { since: store.seq, ...body });
  return post("/api/decisions", { since: store.seq, decisions: decisions.map((each) => each.body) });
}

async function deliverNext() {
  const decisions = nextDecisions();
  const [first] = decisions;
  let reply = null;
  const silent = expectAnswer();
  try {
    reply = await postDecisions(decisions);
  } catch (error) {
    if (isTemporary(error) && first.path === "/api/decide") {
      setProblem(error.status === 401 ? "expired" : "stopped");
      throw error;
    }
    isOneByOne = decisions.length > 1;
    if (!isOneByOne) refuse(first, error);
    return;
  } finally {
    clearTimeout(silent);
  }
  isOneByOne = false;
  setProblem("");
  // Of several, the server may have made only the first ones; the others are sent again.
  const failed = decisions.length === 1 ? [reply.failed ?? []] : reply.failed;
  const made = outbox.waiting.splice(0, failed.length);
  save();
  applyReply(reply, pendingIds());
  made.forEach((decision, at) => {
    const isLast = ({ id }) => !made.slice(at + 1).some(({ ids }) => ids.includes(id));
    onReply(failed[at].filter(isLast), decision, reply.ids ?? []);
  });
}

function refuse(decision, error) {
  outbox.waiting.shift();
  save();
  decision.restore(decision.ids);
  setProblem(isTemporary(error) ? "stopped" : "");
  onRefusal(error, decision);
}

const isTemporary = (error) => !(error instanceof Refusal) || error.status === 401 || error.status === 503;

/** Say it when no answer comes for a while. The request is not cancelled: an undo that is sent twice would undo two decisions. */
const expectAnswer = () => setTimeout(() => setProblem("silent"), SILENT_AFTER);

/** Show or hide the bar about the server. */
export function setProblem(problem, reason = "") {
  if (outbox.problem === problem && !problem) return;
  Object.assign(outbox, { problem, reason });
  notify("server");
}

/** Ask what has changed, unless decisions are on their way: their replies bring it. */
export async function poll() {
  if (isSending || isPolling) return;
  isPolling = true; // a server that does not answer gets no second question
  const silent = expectAnswer();
  try {
    const reply = await get("/api/changes", { since: store.seq });
    if (isSending) return;
    setProblem("");
    applyReply(reply);
  } catch (error) {
    if (error.status === 401) setProblem("expired");
    else if (isTemporary(error)) setProblem("stopped");
    else setProblem("failed", texts.serverSays(error.message, error.hint));
  } finally {
    clearTimeout(silent);
    isPolling = false;
  }
}
