// DOM helpers.

export const $ = (id) => document.getElementById(id);

/** Create an element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
