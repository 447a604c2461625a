// The page: what a person asks for, and one painting followed from the photo to the download.

import { ApiError, get, imageOf, newKey, pictureAddress, post, sleep, upload } from "./api.js";
import { masks, options, restore } from "./controls.js";
import * as stage from "./stage.js";
import { chosenStyle, forgetOwnUpload, loadStyles, select, titleOf } from "./styles.js";

const $ = (id) => document.getElementById(id);
const FINAL = new Set(["succeeded", "failed", "canceled", "expired"]);
const TITLE = document.title;

let photo = null; // {name, file, upload: Promise<id> | null}; file is null for the photo of an earlier job
let current = null; // id of the job on the stage
let shownJob = null; // the job the photo on the stage belongs to

function setBusy(busy) {
  $("paint").hidden = busy;
  $("stop").hidden = !busy;
  $("paint").disabled = !photo;
  $("paint").title = photo ? "" : "Choose a photo first";
}

// ---------------------------------------------------------------- one painting

async function choosePhoto(file) {
  if (isBusy() && !current) return; // a photo is going up this moment
  photo = { name: file.name, file, upload: null };
  current = shownJob = null;
  history.replaceState(null, "", location.pathname);
  markRecent();
  stage.hideNotice();
  stage.setProgress(undefined);
  stage.setCaption(file.name);
  setBusy(false);
  await stage.showPhoto(file);
}

const isBusy = () => !$("stop").hidden;

async function paint() {
  stage.hideNotice();
  if (photo.file) stage.clearPainting(); // else the earlier painting is all there is to look at
  stage.setState("painting");
  stage.setProgress(null);
  stage.lookAt();
  setBusy(true);
  current = null;
  try {
    const job = await submit();
    current = shownJob = job.id;
    history.replaceState(null, "", `#${job.id}`);
    await follow(job.id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    settle("photo");
    stage.setCaption(photo.name);
    explain(error.problem);
  }
}

async function submit() {
  stage.setCaption("Sending the photo …");
  photo.upload ??= upload(photo.file, (part) => stage.setProgress(part < 1 ? part : null));
  const wish = options();
  const chosenMasks = masks();
  try {
    const body = { content: await photo.upload, style: await chosenStyle(), ...wish };
    for (const [field, file] of chosenMasks) body[field] = await upload(file);
    return await postOnce(body);
  } catch (error) {
    if (photo.file) photo.upload = null; // what went wrong may be the upload: the next try sends it anew
    forgetOwnUpload();
    throw error;
  }
}

/** Send the job; if the line drops, once more under the same key, which makes no second job. */
async function postOnce(body) {
  const headers = { "Idempotency-Key": newKey() };
  try {
    return await post("v1/stylizations", body, headers);
  } catch (error) {
    if (!error.offline) throw error;
    await sleep(1000);
    return post("v1/stylizations", body, headers);
  }
}

/** Watch a job to its end. Survives a server that is away for a while: the job is kept there. */
async function follow(id) {
  let lost = false;
  let seen = null; // the progress whose preview is on the wall
  let pause = 100; // milliseconds; longer and longer, for what is not done at once takes seconds
  while (current === id) {
    let job;
    try {
      job = await get(`v1/stylizations/${id}`);
    } catch (error) {
      if (!error.offline) throw error;
      lost = true;
      stage.showNotice("The server does not answer. The painting goes on when it is back.");
      await sleep(2000);
      continue;
    }
    if (current !== id) return;
    if (lost) stage.hideNotice();
    lost = false;
    if (FINAL.has(job.status)) return finish(job);
    tell(job);
    if (job.preview && job.progress !== seen && (await showPreview(job))) seen = job.progress;
    await sleep(pause);
    pause = Math.min(500, pause * 1.5);
  }
}

/** Whether the preview could be shown: it is gone once the painting is there. */
async function showPreview(job) {
  const address = await pictureAddress(`${job.preview}?at=${job.progress}`).catch(() => null);
  return address !== null && stage.showPainting(address);
}

function tell(job) {
  const waiting = job.status === "queued";
  const percent = job.progress ? `${Math.round(job.progress * 100)} %` : ""; // painting in one step tells of none
  stage.setProgress(job.progress || null);
  stage.setCaption(waiting ? "Waiting for its turn …" : `Painting … ${percent}`);
  document.title = percent ? `${percent} · ${TITLE}` : TITLE;
}

function settle(state) {
  document.title = TITLE;
  stage.setProgress(undefined);
  setBusy(false);
  stage.setState(photo?.file || state === "done" ? state : "empty");
}

async function finish(job) {
  if (job.status === "succeeded") {
    const address = await pictureAddress(job.links.image);
    if (!photo.file) stage.setShape(job.result.width, job.result.height);
    await stage.showPainting(address);
    if (current !== job.id) return;
    settle("done");
    stage.offerDownload(address, `painting-${job.styles[0].style}.${job.options.format === "jpeg" ? "jpg" : job.options.format}`);
    stage.setCaption(facts(job));
    loadRecent();
    return;
  }
  stage.clearPainting();
  settle("photo");
  stage.setCaption(photo?.name ?? "");
  if (job.status === "failed") explain(job.error);
  if (job.status === "expired") stage.showNotice("This painting has expired. Paint it again to get it back.");
  if (job.status === "canceled") stage.setCaption("Stopped.");
}

function facts(job) {
  const { width, height, bytes, seconds } = job.result;
  const size = bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return [job.styles.map((s) => titleOf(s.style)).join(" + "), `${width} × ${height}`, size, `${seconds.painting.toFixed(1)} s`].join(" · ");
}

function explain(problem) {
  const given = problem.detail || problem.title || "Something went wrong.";
  const text = given.replaceAll("style_scale", "stroke size"); // as it is called on this page
  const choices = Array.isArray(problem.allowed) ? `. Possible: ${problem.allowed.join(", ").replaceAll("image/", "")}` : "";
  stage.showNotice(`${text[0].toUpperCase()}${text.slice(1)}${choices}.`.replace("..", "."));
}

async function stop() {
  $("stop").disabled = true;
  try {
    if (current) await post(`v1/stylizations/${current}/cancel`);
  } catch (error) {
    if (error.problem?.status !== 409) explain(error.problem); // 409: it was done in this very moment
  } finally {
    $("stop").disabled = false;
  }
}

// ---------------------------------------------------------------- earlier paintings

async function loadRecent() {
  const page = await get("v1/stylizations?status=succeeded&limit=20");
  $("recent-list").replaceChildren(...page.items.filter((job) => job.preview).map(thumbnail));
  $("recent").hidden = !$("recent-list").childElementCount;
  markRecent();
}

function thumbnail(job) {
  const item = document.createElement("li");
  const link = Object.assign(document.createElement("a"), { href: `#${job.id}` });
  const title = `${job.styles.map((s) => titleOf(s.style)).join(" + ")}, ${new Date(job.created_at).toLocaleString()}`;
  link.append(imageOf(job.preview, { alt: title, title }));
  item.append(link);
  return item;
}

function markRecent() {
  for (const link of $("recent-list").querySelectorAll("a")) {
    link.setAttribute("aria-current", link.hash === `#${current}` ? "true" : "false");
  }
}

/** Show the job named in the address: a reload, a link, or a click on an earlier painting. */
async function open(id) {
  if (id !== shownJob) {
    stage.forgetPhoto();
    stage.clearPainting();
  }
  current = id;
  markRecent();
  stage.hideNotice();
  try {
    const job = await get(`v1/stylizations/${id}`);
    restore(job);
    select(job.styles[0]?.style);
    if (id !== shownJob) photo = { name: "", file: null, upload: Promise.resolve(job.content) };
    shownJob = id;
    if (!FINAL.has(job.status)) {
      setBusy(true);
      stage.setState("painting");
    }
    await follow(id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    settle("photo");
    explain(error.problem);
  }
}

function openAndLook() {
  open(jobInAddress());
  stage.lookAt();
}

const jobInAddress = () => /^#(stz_\w+)$/.exec(location.hash)?.[1];

// ---------------------------------------------------------------- start

stage.listenForPhotos(choosePhoto);
$("panel").addEventListener("submit", (event) => {
  event.preventDefault();
  if (photo && !isBusy()) paint();
});
$("stop").addEventListener("click", stop);
addEventListener("hashchange", () => jobInAddress() && jobInAddress() !== current && openAndLook());
addEventListener("beforeunload", (event) => {
  if (isBusy() && !current) event.preventDefault(); // still sending the photo: nothing is safe yet
});
setBusy(false);
try {
  await loadStyles();
  await loadRecent();
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  explain(error.problem);
}
if (jobInAddress()) open(jobInAddress());
