// The key that a service for many asks its callers for. A service on one's own machine asks for none.

import { $ } from "./dom.js";

const NAME = "api-key";
let asking = null; // the promise of an answer, so that several calls ask once

let held = null; // the key, where the browser keeps nothing of a page: as long as this one is open

export function key() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return held;
  }
}

function setKey(value) {
  try {
    localStorage.setItem(NAME, value);
  } catch {
    held = value;
  }
}

/** Have the person enter a key in place of the one that was refused; false if they would not. */
export async function askForKey(refused) {
  if (key() !== refused) return true; // another call has asked meanwhile
  asking ??= ask(refused).finally(() => (asking = null));
  return asking;
}

function ask(refused) {
  const dialog = $("key-dialog");
  const field = $("key-field");
  $("key-wrong").hidden = !refused;
  field.value = refused ?? "";
  return new Promise((resolve) => {
    dialog.onsubmit = () => setKey(field.value.trim());
    dialog.onclose = () => resolve(key() !== refused);
    dialog.showModal();
  });
}
