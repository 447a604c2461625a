// How far it is: for the eye the bar and a line under the picture, for the ear a sentence at every quarter.

import { $ } from "./dom.js";

const TITLE = document.title;
let quarter = 0;

/** The line under the picture. */
export function setCaption(text) {
  if ($("caption").textContent !== text) $("caption").textContent = text;
}

/** Have a screen reader say something. */
function say(text) {
  $("spoken").textContent = text;
}

/** `fraction` 0-1, null for "busy, no telling how long", undefined for none at all. */
export function setProgress(fraction) {
  $("progress").hidden = fraction === undefined;
  if (fraction === null) $("bar").removeAttribute("value");
  else if (fraction !== undefined) $("bar").value = fraction;
}

export function tellOfUpload(fraction) {
  setProgress(fraction < 1 ? fraction : null);
}

export function tellOfStart() {
  quarter = 0;
  setProgress(null);
  setCaption("Sending the photo …");
  say("Sending the photo.");
}

/** Tell how a job is that has not ended. */
export function tellOfJob(job) {
  const percent = Math.round(job.progress * 100);
  const shown = percent ? ` ${percent} %` : ""; // painting in one step tells of none
  setProgress(job.progress || null);
  setCaption(job.status === "queued" ? "Waiting for its turn …" : `Painting …${shown}`);
  document.title = percent ? `${percent} % · ${TITLE}` : TITLE;
  if (Math.floor(percent / 25) <= quarter) return;
  quarter = Math.floor(percent / 25);
  say(`${percent} percent painted.`);
}

/** No more progress; `text` is shown and said. */
export function tellOfEnd(text) {
  document.title = TITLE;
  setProgress(undefined);
  setCaption(text);
  say(text);
}
