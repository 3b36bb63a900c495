// What the keys and buttons do with groups. Nothing is rejected before Enter, a class or one of the whole-group keys.

import { announce, showNotice } from "./announce.js";
import { decide } from "./decisions.js";
import { byId } from "./elements.js";
import { closeGroup, currentGroup, currentMember, goTo, isUndecided, markMember, place, stepMember } from "./groups.js";
import { fullImage } from "./server.js";
import { classNames } from "./store.js";
import { texts } from "./texts.js";

const FLICKER = 500; // milliseconds; two changes a second are below the limit for flashes
const idsOf = (group) => group.members.map(({ id }) => id);
let timer = 0;

function accept() {
  const group = currentGroup();
  if (!group?.isOpen) return goTo(place.group + 1);
  if (group.kind === "conflict") return showNotice(texts.chooseClass);
  if (isUndecided(group)) return showNotice(texts.chooseCopies);
  if (!group.keep.size) return rejectAll();
  settle(group, [...group.keep]);
}

function settle(group, keep, className = null) {
  const ids = idsOf(group);
  decide("settle", ids, className, { keep });
  announce(texts.decided("settle", null, ids.length));
  closeGroup(group, keep, texts.groupSettled(keep.length, ids.length - keep.length));
}

/** Keep what is proposed, as images of a class. In a conflict the file that is in that class already stays. */
export function settleAs(name) {
  const group = currentGroup();
  if (!group?.isOpen) return;
  const inClass = group.members.find((member) => member.class === name);
  const isConflict = group.kind === "conflict";
  const keep = isConflict ? [(inClass ?? currentMember()).id] : [...group.keep];
  if (!keep.length) return;
  settle(group, keep, name);
}

function rejectAll() {
  const group = currentGroup();
  if (!group?.isOpen) return;
  decide("reject", idsOf(group));
  announce(texts.decided("reject", null, group.members.length));
  closeGroup(group, [], texts.groupSettled(0, group.members.length));
}

function markAllDifferent() {
  const group = currentGroup();
  if (!group?.isOpen || group.kind === "conflict") return;
  decide("distinct", idsOf(group));
  announce(texts.decided("distinct", null, group.members.length));
  closeGroup(group, idsOf(group), texts.groupDistinct);
}

function reject() {
  if (currentGroup()?.kind === "conflict") rejectAll();
  else markMember(false);
}

function move(where) {
  const rows = { up: -1, down: 1, pageUp: -3, pageDown: 3, first: -Infinity, last: Infinity };
  if (where === "left" || where === "right") stepMember(where === "left" ? -1 : 1);
  else goTo(place.group + rows[where]);
}

// A and B alternate on top of each other while the key or the button is held.
function startFlicker() {
  const group = currentGroup();
  if (!group || group.members.length < 2 || timer) return;
  const here = currentMember();
  const other = group.members.find((each) => each.id !== here.id && group.keep.has(each.id)) ?? group.members.find((each) => each.id !== here.id);
  const box = byId("flicker");
  const [first, second] = box.querySelectorAll("img");
  [first.src, second.src] = [fullImage(here), fullImage(other)];
  box.hidden = false;
  const turn = () => (second.hidden = !second.hidden);
  second.hidden = false;
  timer = matchMedia("(prefers-reduced-motion: reduce)").matches ? -1 : setInterval(turn, FLICKER);
}

export function endFlicker() {
  clearInterval(timer);
  timer = 0;
  byId("flicker").hidden = true;
}

export const groupCommands = {
  move,
  accept,
  reject,
  keep: () => markMember(true),
  digit: (position) => classNames()[position - 1] !== undefined && settleAs(classNames()[position - 1]),
  suggest: markAllDifferent,
  none: rejectAll,
  skip: () => goTo(place.group + 1),
  flicker: startFlicker,
  flickerEnd: endFlicker,
};
