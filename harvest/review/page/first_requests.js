// What every visit asks for first. This module needs few others, so the requests leave before the page is ready to use the answers.

import { get } from "./server.js";
import { listQuery } from "./store.js";

// In the order in which the server works: the images first, because their thumbnails are asked for next.
const requests = {
  items: get("/api/items", listQuery()),
  state: get("/api/state"),
  preferences: get("/api/preferences"),
};
for (const request of Object.values(requests)) request.catch(() => {}); // whoever takes the answer handles the failure

/** Return the answer to a first request; it is there once, and undefined later. */
export function takeFirst(name) {
  const request = requests[name];
  delete requests[name];
  return request;
}
