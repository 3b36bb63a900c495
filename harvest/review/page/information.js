// "Why is this image here": where it comes from, what was found, what was decided.

import { byId, create, webAddress } from "./elements.js";
import { get } from "./server.js";
import { facts, texts } from "./texts.js";

const MOST_LINES = 20; // of one fact: an image may have thousands of copies
const LINKS = { page: "page", url: "url", licence: "licence_url" };
const WORDS = { fetched: texts.time, decisions: (all) => all.map(texts.decision).reverse() }; // the latest first

let latest = 0;

/** Show what is known about an image. */
export async function informAbout(id) {
  const dialog = byId("information");
  const list = byId("facts");
  const request = (latest += 1);
  byId("facts-error").textContent = texts.loading;
  list.replaceChildren();
  if (!dialog.open) dialog.showModal();
  try {
    const item = await get(`/api/item/${id}`);
    if (request !== latest) return;
    byId("facts-error").textContent = "";
    list.replaceChildren(...Object.entries(facts).flatMap(([name, label]) => row(label, WORDS[name] && item[name] ? WORDS[name](item[name]) : item[name], item[LINKS[name]])));
  } catch (error) {
    if (request === latest) byId("facts-error").textContent = texts.refused(error.message, error.hint).replace(/^Not saved: /, "");
  }
}

function row(label, value, link) {
  const lines = toLines(value);
  if (!lines.length) return [];
  const address = link ? webAddress(link) : null;
  const shown = lines.slice(0, MOST_LINES);
  if (lines.length > shown.length) shown.push(texts.more(lines.length - shown.length));
  return [create("dt", {}, label), create("dd", {}, shown.map((line) =>
    create("span", { class: "line" }, address
      ? create("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, line)
      : line)))];
}

/** Write any JSON value in lines: the server knows more kinds of facts than this list. */
function toLines(value) {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value)) return isSize(value) ? [texts.size(...value)] : value.flatMap(toLines);
  if (typeof value === "object") {
    if ("w" in value && "h" in value) return [texts.size(value.w, value.h)];
    return [Object.values(value).filter((each) => each !== null && typeof each !== "object").join(" · ")];
  }
  return [String(value)];
}

const isSize = (value) => value.length === 2 && value.every(Number.isInteger);
