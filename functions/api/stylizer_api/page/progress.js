// Progress: a bar and a caption, and an announcement for screen readers at every quarter.

import { $ } from "./dom.js";

const TITLE = document.title;
let quarter = 0;

/** Set the caption below the picture. */
export function setCaption(text) {
  if ($("caption").textContent !== text) $("caption").textContent = text;
}

/** Announce text to screen readers. */
function announce(text) {
  $("spoken").textContent = text;
}

/** Set the bar to a fraction from 0 to 1; null is indeterminate, undefined hides it. */
export function setProgress(fraction) {
  $("progress").hidden = fraction === undefined;
  if (fraction === null) $("bar").removeAttribute("value");
  else if (fraction !== undefined) $("bar").value = fraction;
}

export function reportUpload(fraction) {
  setProgress(fraction < 1 ? fraction : null);
}

export function reportStart(isUpload) {
  quarter = 0;
  setProgress(null);
  setCaption(isUpload ? "Uploading the photo …" : "Starting …");
  announce(isUpload ? "Uploading the photo." : "Starting.");
}

/** Report the state of a job that has not ended. */
export function reportJob(job) {
  const percent = Math.round(job.progress * 100);
  const shown = percent ? ` ${percent} %` : ""; // a method of one step reports none
  setProgress(job.progress || null);
  const frame = job.frames > 1 ? ` frame ${Math.min(job.frames, Math.floor(job.progress * job.frames) + 1)} of ${job.frames}` : "";
  setCaption(job.status === "queued" ? "Queued …" : `Painting${frame} …${shown}`);
  document.title = percent ? `${percent} % · ${TITLE}` : TITLE;
  if (Math.floor(percent / 25) <= quarter) return;
  quarter = Math.floor(percent / 25);
  announce(`${percent} percent painted.`);
}

/** Hide the bar; show and announce `text`. */
export function reportEnd(text) {
  document.title = TITLE;
  setProgress(undefined);
  setCaption(text);
  announce(text);
}
