// What the page says: quiet announcements for screen readers, and short notices that everybody sees.

import { byId, create, setText } from "./elements.js";

const PAUSE = 1000; // at most one announcement a second
const NOTICE_SECONDS = 8;
let last = 0;
let timer = 0;
let noticeTimer = 0;

/** Announce a decision politely. In a burst only the latest is read. */
export function announce(text) {
  clearTimeout(timer);
  const speak = () => {
    last = performance.now();
    setText(region(), text);
  };
  const wait = last + PAUSE - performance.now();
  if (wait <= 0) speak();
  else timer = setTimeout(speak, wait);
}

// Outside an open modal dialog nothing is announced, so each dialog has a region of its own.
function region() {
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  if (!open) return byId("live");
  let own = open.querySelector(":scope > .live");
  if (!own) {
    own = create("div", { class: "live", role: "status", "aria-live": "polite" });
    open.append(own);
  }
  return own;
}

/** Show a notice for some seconds, in front of everything. */
export function showNotice(text, isError = false) {
  const notice = byId("notice");
  setText(notice.querySelector("p"), text);
  notice.classList.toggle("bad", isError);
  const open = [...document.querySelectorAll("dialog[open]")].at(-1);
  (open ?? document.body).append(notice);
  notice.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(hideNotice, NOTICE_SECONDS * 1000);
}

export function hideNotice() {
  byId("notice").hidden = true;
  document.body.append(byId("notice"));
}
