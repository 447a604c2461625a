// API key, for services that require one.

import { $ } from "./dom.js";

const NAME = "api-key";
let asking = null; // pending dialog, shared by concurrent requests

let unsaved = null; // the key, if localStorage is unavailable

export function key() {
  try {
    return localStorage.getItem(NAME);
  } catch {
    return unsaved;
  }
}

function setKey(value) {
  try {
    localStorage.setItem(NAME, value);
  } catch {
    unsaved = value;
  }
}

/** Ask for a key in place of a rejected one; false if the dialog was closed without one. */
export async function requestKey(refused) {
  if (key() !== refused) return true; // entered meanwhile for another request
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
