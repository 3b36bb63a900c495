// What the keys, buttons and swipes do in the loupe, over the grid and over a group.

import { decide, keepTargets, moveTargets, moveTargetsToNumber, rateTargets, rejectTargets, takeSuggestions } from "./decisions.js";
import { groupCommands } from "./group_commands.js";
import { currentGroup, goTo, markMember, place } from "./groups.js";
import { closeLoupe, goToEnd, loupeId, stepLoupe, toggleFullScreen, toggleZoom } from "./loupe.js";
import { isGroupQueue, setFocus, store } from "./store.js";

/** The images of the grid, as the loupe steps through them. */
export const gridSequence = {
  ids: () => store.ids,
  index: () => store.focus,
  go: setFocus,
};

/** The images of one group: in the loupe the arrows never leave it. */
export const groupSequence = {
  ids: () => currentGroup()?.members.map(({ id }) => id) ?? [],
  index: () => place.member,
  go: (index) => goTo(place.group, index),
};

function move(where) {
  if (where === "left" || where === "up") stepLoupe(-1);
  else if (where === "right" || where === "down") stepLoupe(1);
  else if (where === "first" || where === "last") goToEnd(where === "last");
}

function mark(keeps, stays) {
  markMember(keeps);
  if (!stays) stepLoupe(1);
}

function keep(stays) {
  if (isGroupQueue()) mark(true, stays);
  else keepTargets(stays);
}

function reject(stays) {
  if (isGroupQueue()) mark(false, stays);
  else rejectTargets(stays);
}

export const loupeCommands = {
  move,
  keep,
  reject,
  accept: () => keep(false),
  digit(position, stays) {
    if (!isGroupQueue()) return moveTargetsToNumber(position, stays);
    closeLoupe();
    groupCommands.digit(position);
  },
  moveTo: (name, stays) => moveTargets(name, stays),
  rate: (rating) => (isGroupQueue() ? decide("rate", [loupeId()], rating || null) : rateTargets(rating)),
  suggest: (stays) => !isGroupQueue() && takeSuggestions(stays),
  zoom: toggleZoom,
  flicker: toggleFullScreen,
  escape: closeLoupe,
  close: closeLoupe,
  previous: () => stepLoupe(-1),
  next: () => stepLoupe(1),
  swipes: (pick) => ({ left: () => reject(false), right: () => keep(false), up: () => pick(false) }),
};
