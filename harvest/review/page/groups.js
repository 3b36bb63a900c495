// Groups of Duplicates and Conflicts, one in a row, with the proposal of what to keep. Only rows near the screen exist.

import { byId, create } from "./elements.js";
import { thumbnail } from "./server.js";
import { listen, notify, store } from "./store.js";
import { isolate, texts } from "./texts.js";

const SPARE_ROWS = 1;
const rows = new Map(); // group key -> element
let box, sheet;
let frame = 0;
let inSight = null; // the tile that was scrolled into view last
export const place = { group: 0, member: 0 };

export function startGroups() {
  box = byId("groups");
  sheet = byId("group-sheet");
  box.addEventListener("scroll", draw, { passive: true });
  box.addEventListener("click", onClick);
  new ResizeObserver(() => { inSight = null; draw(); }).observe(box);
  listen("groups items", draw);
}

/** Read the groups of the server. The marks are the page's own until they are sent. */
export function readGroups(reply) {
  const isShown = ({ members }) => members.length && (!store.class || members.some((each) => each.class === store.class));
  store.groups = reply.groups.filter(isShown).map((group) => {
    const protectedIds = group.members.filter((each) => each.kept_by_you).map(({ id }) => id);
    const hasProposal = group.kind === "duplicate" && group.keep.length > 0;
    const proposed = hasProposal ? [...new Set([...group.keep, ...protectedIds])] : [];
    // Without a proposal, everything stays that the user does not reject.
    const keep = group.kind === "conflict" || hasProposal ? proposed : group.members.map(({ id }) => id);
    const isKept = ({ id }) => group.keep.includes(id);
    const members = [...group.members.filter(isKept), ...group.members.filter((member) => !isKept(member))];
    // `isMarked`: by K, X or a click; then the arrows only move.
    return { ...group, members, hasProposal, proposed, protectedIds, keep: new Set(keep), isOpen: true, isMarked: false, result: "" };
  });
  store.seq = reply.seq;
  store.items = new Map(store.groups.flatMap(({ members }) => members).map((member) => [member.id, {
    ...member, state: "kept", reviewed: member.kept_by_you, rating: 0, reasons: [],
  }]));
}

export const currentGroup = () => store.groups[place.group];
export const currentMember = () => currentGroup()?.members[place.member];
const isConflict = (group) => group.kind === "conflict";

/** Return whether a group waits for the user: nothing is proposed, and nothing rejected yet. */
export const isUndecided = (group) => group.isOpen && (isConflict(group) || (!group.hasProposal && group.keep.size === group.members.length));

/** Return what would happen to a member now: kept, rejected, or not decided. */
export function memberMark(group, member) {
  if (isUndecided(group)) return "";
  return group.keep.has(member.id) ? "kept" : "rejected";
}

/** Go to a group and one of its images: the one that is proposed, unless another is named. */
export function goTo(groupIndex, member = null) {
  place.group = Math.max(0, Math.min(store.groups.length - 1, groupIndex));
  const group = currentGroup();
  if (!group) return;
  const proposed = group.members.findIndex(({ id }) => group.proposed.includes(id));
  place.member = Math.max(0, Math.min(group.members.length - 1, member ?? Math.max(0, proposed)));
  reveal();
  notify("groups");
  notify("focus");
}

/** Move between the images of the group. Until something is marked, the image under the focus is the one to keep. */
export function stepMember(by) {
  const group = currentGroup();
  if (!group) return;
  const to = Math.max(0, Math.min(group.members.length - 1, place.member + by));
  if (to !== place.member && group.isOpen && !group.isMarked && group.hasProposal) {
    group.keep = new Set([...group.protectedIds, group.members[to].id]);
  }
  goTo(place.group, to);
}

/** Mark the image under the focus to be kept or rejected. */
export function markMember(keeps) {
  const group = currentGroup();
  if (!group?.isOpen || isConflict(group)) return;
  group.isMarked = true;
  if (keeps) group.keep.add(currentMember().id);
  else group.keep.delete(currentMember().id);
  notify("groups");
}

/** Show a group as decided, and go to the next open one; without one, ask for the list again. */
export function closeGroup(group, keep, result) {
  Object.assign(group, { keep: new Set(keep), isOpen: false, result });
  const after = store.groups.findIndex((each, index) => index > place.group && each.isOpen);
  const next = after >= 0 ? after : store.groups.findIndex((each) => each.isOpen);
  if (next >= 0) goTo(next);
  else notify("groups-done");
}

function onClick(event) {
  const tile = event.target.closest(".member");
  if (!tile) return;
  const index = store.groups.findIndex(({ key }) => key === tile.dataset.group);
  const member = Number(tile.dataset.member);
  const group = store.groups[index];
  goTo(index, member);
  if (!group.isOpen || isConflict(group)) return;
  markMember(!group.keep.has(group.members[member].id));
}

const rowHeight = () => sheet.firstElementChild?.offsetHeight || 260;

function reveal() {
  const top = place.group * rowHeight();
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + rowHeight() > box.scrollTop + box.clientHeight) box.scrollTop = top + rowHeight() - box.clientHeight;
}

function draw() {
  frame ||= requestAnimationFrame(drawNow);
}

function drawNow() {
  frame = 0;
  if (box.hidden || !box.clientHeight) return;
  const known = new Set(store.groups.map(({ key }) => key));
  for (const [key, row] of rows) if (!known.has(key)) discard(key, row);
  if (!store.groups.length) return box.removeAttribute("aria-activedescendant");
  if (!rows.size) show(store.groups[0], 0); // its height is the height of all
  const height = rowHeight();
  sheet.style.height = `${store.groups.length * height}px`;
  const from = Math.max(0, Math.floor(box.scrollTop / height) - SPARE_ROWS);
  const to = Math.min(store.groups.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + SPARE_ROWS);
  const wanted = new Set([place.group]);
  for (let index = from; index < to; index += 1) wanted.add(index);
  const wantedKeys = new Set([...wanted].map((index) => store.groups[index].key));
  for (const [key, row] of rows) if (!wantedKeys.has(key)) discard(key, row);
  for (const index of wanted) show(store.groups[index], index).style.transform = `translateY(${index * height}px)`;
  box.setAttribute("aria-activedescendant", memberId(place.group, place.member));
  const focused = byId(memberId(place.group, place.member));
  if (focused === inSight) return; // a finger may have moved the group since
  inSight = focused;
  focused?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

const memberId = (group, member) => `member-${group}-${member}`;

function discard(key, row) {
  rows.delete(key);
  row.remove();
}

function show(group, index) {
  let row = rows.get(group.key);
  if (!row) {
    row = build(group);
    rows.set(group.key, row);
    sheet.append(row);
  }
  const isCurrent = index === place.group;
  const title = texts.groupTitle(index + 1, store.groups.length, group.members.length);
  const proposal = describe(group);
  row.setAttribute("aria-label", `${title}. ${proposal}`);
  row.classList.toggle("current", isCurrent);
  row.classList.toggle("closed", !group.isOpen);
  row.querySelector(".group-title").textContent = title;
  row.querySelector(".why").textContent = proposal;
  [...row.querySelectorAll(".member")].forEach((tile, position) => dress(tile, group, index, position));
  return row;
}

function describe(group) {
  if (!group.isOpen) return group.result;
  if (isConflict(group)) return texts.conflictTitle;
  if (isUndecided(group)) return texts.noProposal(group.why);
  if (!group.keep.size) return texts.nothingKept;
  const isProposal = group.hasProposal && group.keep.size === group.proposed.length && group.proposed.every((id) => group.keep.has(id));
  return texts.proposal(group.keep.size, isProposal ? group.why : "");
}

function build(group) {
  return create("div", { role: "group", class: "group" },
    create("div", { class: "group-head", "aria-hidden": "true" },
      create("span", { class: "group-title" }), create("span", { class: "why" })),
    create("div", { class: "members", role: "presentation" }, group.members.map((member, position) =>
      create("div", { role: "option", class: "member", "data-group": group.key, "data-member": position },
        create("span", { class: "frame" }, create("img", { src: thumbnail(member), alt: "", draggable: "false" })),
        create("span", { class: "member-size" }, texts.size(member.w, member.h)),
        create("span", { class: "member-facts" }, memberFacts(group, member)),
        create("span", { class: "member-mark" })))));
}

function memberFacts(group, member) {
  if (isConflict(group)) return member.class;
  const className = group.classes.length > 1 ? member.class : "";
  return [isolate(className), member.licence || texts.unknownLicence, member.source].filter(Boolean).join(" · ");
}

function dress(tile, group, index, position) {
  const member = group.members[position];
  const mark = memberMark(group, member);
  const isFocused = index === place.group && position === place.member;
  const word = { kept: texts.memberKept, rejected: texts.memberRejected, "": texts.memberOpen }[mark];
  tile.id = memberId(index, position);
  tile.dataset.mark = mark;
  tile.classList.toggle("focused", isFocused);
  tile.setAttribute("aria-selected", mark === "kept");
  tile.setAttribute("aria-label", texts.memberName(member, position + 1, group.members.length, word));
  tile.querySelector(".member-mark").textContent = member.kept_by_you && group.isOpen ? texts.keptByYou : mark && word;
}
