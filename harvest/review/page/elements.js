// Build DOM nodes. Text from the server only ever becomes a text node.

export const byId = (id) => document.getElementById(id);

/** Create an element. Attributes that are false, null or undefined are left out; `on…` adds a listener. */
export function create(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** Write to the DOM only what differs: an unchanged text is not announced again and causes no layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Write an attribute only where it differs. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Return whether keys typed into this element belong to it. */
export function isTyping(element) {
  return Boolean(element?.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]"));
}

/** Return an address only if it is a web address: a link must never run a script. */
export function webAddress(text) {
  try {
    const { href, protocol } = new URL(String(text));
    return protocol === "http:" || protocol === "https:" ? href : null;
  } catch {
    return null;
  }
}
