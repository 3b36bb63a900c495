// Requests to the server. Everything is JSON, and an image is only ever named by its id.

/** The server answered with an error: what happened, and what the user can do. */
export class Refusal extends Error {
  constructor(status, { error, hint } = {}) {
    super(error ?? `HTTP ${status}`);
    this.status = status;
    this.hint = hint ?? "";
  }
}

/** Send a request. Raises `Refusal` for an answer that is an error, and `TypeError` when there is no server. */
async function request(path, options) {
  const response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, answer);
  return answer;
}

export const get = (path, parameters = {}) => {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ""));
  return request(query.size ? `${path}?${query}` : path);
};

export const post = (path, body) =>
  request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const thumbnail = (item) => `/thumb/${item.id}-${item.v}`;
// The hash makes the address new when the file was edited, so that no old image comes from the cache.
export const fullImage = (item) => `/image/${item.id}?v=${item.v}`;
