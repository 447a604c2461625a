// One's paintings, newest first: to open again, to stop while they are under way, and to delete.

import { ApiError, imageOf, sleep } from "./api.js";
import { hang, titleOf } from "./catalog.js";
import { $, element } from "./dom.js";
import { explain } from "./errors.js";
import { cancel, erase, isOver, list, watch } from "./jobs.js";

const PAGE = 12;
const ENDS = { failed: "Failed", canceled: "Stopped", expired: "Expired" };
const cards = new Map(); // <li> by job id
let cursor = null;
let opened = null;

/** Show a job that is new, or how it is now. */
export function record(job) {
  const card = cardOf(job);
  const before = cards.get(job.id);
  const hadFocus = before?.contains(document.activeElement);
  if (before) before.replaceWith(card);
  else $("history-list").prepend(card);
  cards.set(job.id, card);
  if (hadFocus) card.querySelector("a").focus();
  if (!before && !isOver(job)) keepUp(job.id);
  $("history").hidden = false;
  markOpened(opened);
}

/** Mark the job that is on the stage. */
export function markOpened(id) {
  opened = id;
  for (const [job, card] of cards) card.querySelector("a").setAttribute("aria-current", String(job === id));
}

/** Say which styles: "Woodcut", or "Woodcut + Sea Mosaic". */
export const stylesOf = (job) => job.styles.map((entry) => titleOf(entry.style)).join(" + ");

/** Show one more page, and give its cards. */
export async function showPage() {
  const page = await list(PAGE, cursor);
  cursor = page.next_cursor;
  for (const job of page.items) {
    if (cards.has(job.id)) continue; // asked for since the page before
    const card = cardOf(job);
    cards.set(job.id, card);
    $("history-list").append(card);
    if (!isOver(job)) keepUp(job.id);
  }
  $("history").hidden = cards.size === 0;
  $("history-more").hidden = cursor === null;
  markOpened(opened);
  return page.items.map((job) => cards.get(job.id));
}

/** See a job to its end, whether or not it is the one on the stage. */
async function keepUp(id) {
  try {
    for await (const job of watch(id, new AbortController().signal)) {
      if (!job || !isOver(job)) await sleep(1000); // a card shows no progress: less often than on the stage will do
      else if (cards.get(id).dataset.status !== job.status) record(job);
    }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // else it stays as it was last seen
  }
}

function cardOf(job) {
  const name = element("span", { className: "card-title", textContent: stylesOf(job) });
  const state = element("span", { className: "card-state", textContent: stateOf(job) });
  const link = element("a", { href: `#${job.id}` }, pictureOf(job), name, state);
  const card = element("li", { className: "card" }, link);
  card.dataset.status = job.status;
  if (!isOver(job)) card.append(stopButton(job));
  else if (job.status !== "expired") card.append(deleteButton(job));
  return card;
}

function pictureOf(job) {
  if (job.status === "succeeded" && job.preview) return imageOf(job.preview, { alt: "", loading: "lazy" });
  const swatch = element("img", { alt: "" });
  hang(swatch, job.styles[0].style);
  return swatch;
}

function stateOf(job) {
  if (!isOver(job)) return "Under way";
  const when = new Date(job.created_at);
  const isToday = when.toDateString() === new Date().toDateString();
  const time = isToday ? when.toLocaleTimeString([], { timeStyle: "short" }) : when.toLocaleDateString([], { dateStyle: "medium" });
  return ENDS[job.status] ? `${ENDS[job.status]}, ${time}` : time;
}

function stopButton(job) {
  return actionButton(job, "Stop", () => cancel(job.id));
}

function deleteButton(job) {
  return actionButton(job, "Delete", async () => {
    if (!confirm("Delete this painting for good?")) return null;
    const gone = await erase(job.id);
    document.dispatchEvent(new CustomEvent("deleted", { detail: gone }));
    return gone;
  });
}

/** A button that does something to a job, and gives it as it is then; or null if it is as it was. */
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
      explain(error.problem);
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
    explain(error.problem);
  }
});
