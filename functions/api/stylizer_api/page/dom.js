// The two things that every part of the page does with the document.

export const $ = (id) => document.getElementById(id);

/** A new element with its properties and what is in it. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
