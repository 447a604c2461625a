// List of the user's paintings, newest first: open, stop and delete.

import { ApiError, imageElement, sleep } from "./api.js";
import { showSwatch, titleOf } from "./catalog.js";
import { $, element } from "./dom.js";
import { showProblem } from "./errors.js";
import { cancel, deleteJob, hasEnded, list, watch } from "./jobs.js";

const PAGE = 12;
const STATE_LABELS = { failed: "Failed", canceled: "Stopped", expired: "Expired" };
const cards = new Map(); // <li> by job id
let cursor = null;
let opened = null;

/** Add or update the card of a job. */
export function record(job) {
  const card = cardOf(job);
  const before = cards.get(job.id);
  const hadFocus = before?.contains(document.activeElement);
  if (before) before.replaceWith(card);
  else $("history-list").prepend(card);
  cards.set(job.id, card);
  if (hadFocus) card.querySelector("a").focus();
  if (!before && !hasEnded(job)) followInList(job.id);
  $("history").hidden = false;
  markCurrent(opened);
}

/** Mark the displayed job. */
export function markCurrent(id) {
  opened = id;
  for (const [job, card] of cards) card.querySelector("a").setAttribute("aria-current", String(job === id));
}

/** Titles of the styles: "Woodcut", or "Woodcut + Sea Mosaic". */
export const stylesOf = (job) => job.styles.map((entry) => titleOf(entry.style)).join(" + ");

/** Load the next page, and return its cards. */
export async function showPage() {
  const page = await list(PAGE, cursor);
  cursor = page.next_cursor;
  for (const job of page.items) {
    if (cards.has(job.id)) continue; // created since the previous page
    const card = cardOf(job);
    cards.set(job.id, card);
    $("history-list").append(card);
    if (!hasEnded(job)) followInList(job.id);
  }
  $("history").hidden = cards.size === 0;
  $("history-more").hidden = cursor === null;
  markCurrent(opened);
  return page.items.map((job) => cards.get(job.id));
}

/** Poll a job until it ends, displayed or not. */
async function followInList(id) {
  try {
    for await (const job of watch(id, new AbortController().signal)) {
      if (!job || !hasEnded(job)) await sleep(1000); // a card shows no progress, so poll less often
      else if (cards.get(id).dataset.status !== job.status) record(job);
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // else the card keeps its last state
  }
}

function cardOf(job) {
  const name = element("span", { className: "card-title", textContent: stylesOf(job) });
  const state = element("span", { className: "card-state", textContent: stateOf(job) });
  const link = element("a", { href: `#${job.id}` }, pictureOf(job), name, state);
  const card = element("li", { className: "card" }, link);
  card.dataset.status = job.status;
  if (!hasEnded(job)) card.append(stopButton(job));
  else if (job.status !== "expired") card.append(deleteButton(job));
  return card;
}

function pictureOf(job) {
  if (job.status === "succeeded" && job.preview) return imageElement(job.preview, { alt: "", loading: "lazy" });
  const swatch = element("img", { alt: "" });
  showSwatch(swatch, job.styles[0].style);
  return swatch;
}

function stateOf(job) {
  if (!hasEnded(job)) return "In progress";
  const when = new Date(job.created_at);
  const isToday = when.toDateString() === new Date().toDateString();
  const time = isToday ? when.toLocaleTimeString([], { timeStyle: "short" }) : when.toLocaleDateString([], { dateStyle: "medium" });
  return STATE_LABELS[job.status] ? `${STATE_LABELS[job.status]}, ${time}` : time;
}

function stopButton(job) {
  return actionButton(job, "Stop", () => cancel(job.id));
}

function deleteButton(job) {
  return actionButton(job, "Delete", async () => {
    if (!confirm("Delete this painting permanently?")) return null;
    const gone = await deleteJob(job.id);
    document.dispatchEvent(new CustomEvent("deleted", { detail: gone }));
    return gone;
  });
}

/** Create a button; `act` returns the changed job, or null if it is unchanged. */
function actionButton(job, name, act) {
  const button = element("button", { type: "button", className: "quiet small", textContent: name });
  button.setAttribute("aria-label", `${name} painting ${stylesOf(job)}`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const changed = await act();
      if (changed) record(changed);
      button.disabled = false;
      if (changed || name === "Stop") cards.get(job.id).querySelector("a").focus();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      button.disabled = false;
      showProblem(error.problem);
    }
  });
  return button;
}

$("history-more").addEventListener("click", async () => {
  try {
    const [first] = await showPage();
    first?.querySelector("a").focus();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showProblem(error.problem);
  }
});
