// Main module: one painting, from the photo to the download.

import { ApiError, blobUrl, imageUrl, isAbort } from "./api.js";
import { onPhotoUrl, showRefusedUrl } from "./by-url.js";
import { loadCatalog, nameOfUrl, urlStyle } from "./catalog.js";
import { adaptToFile, masks, options, restore } from "./controls.js";
import { $ } from "./dom.js";
import { clearErrors, showProblem, hideNotice, showNotice } from "./errors.js";
import { markCurrent, record, showPage, stylesOf } from "./history.js";
import { createJob, cancel, hasEnded, watch } from "./jobs.js";
import { cachedPhoto, cachePhoto } from "./photo-cache.js";
import "./own-style.js";
import { choosePhoto, onPhotoInput } from "./photo.js";
import { withMasks } from "./regions.js";
import { setCaption, setProgress, reportEnd, reportJob, reportStart, reportUpload } from "./progress.js";
import * as stage from "./stage.js";
import { chooseStyles, chosenStyles } from "./styles.js";
import { upload } from "./upload.js";
import { listVariants } from "./variants.js";

// {name, file, upload: id | null, url}; `file` is null if only the service has the photo, `url` undefined unless by URL
let photo = null;
let current = null; // id of the displayed job
let display = new AbortController(); // aborted when something else is displayed

const isBusy = () => !$("stop").hidden;

function setBusy(busy) {
  const had = document.activeElement;
  $("paint").hidden = busy;
  $("stop").hidden = !busy;
  $("stop").disabled = false;
  $("paint").textContent = photo ? "Paint" : "Choose a photo";
  $("paint").classList.toggle("waiting", !photo);
  // One button replaces the other, so it takes over the focus.
  if (had === $("paint") && busy) $("stop").focus({ preventScroll: true });
  if (had === $("stop") && !busy) $("paint").focus({ preventScroll: true });
}

/** Replace what is displayed; its job continues. Returns the abort signal of the new display. */
function takeStage(id) {
  display.abort();
  display = new AbortController();
  current = id;
  markCurrent(id);
  clearErrors();
  return display.signal;
}

async function usePhoto(file) {
  if (isBusy() && !current) return; // another photo is being uploaded
  takeStage(null);
  photo = { name: file.name, file, upload: null };
  history.replaceState(null, "", location.pathname);
  setProgress(undefined);
  setCaption(file.name);
  setBusy(false);
  adaptToFile(file.type);
  await stage.showPhoto(file);
}

function usePhotoUrl(address) {
  if (isBusy() && !current) return; // another photo is being uploaded
  takeStage(null);
  photo = { name: nameOfUrl(address), file: null, upload: null, url: address };
  history.replaceState(null, "", location.pathname);
  setProgress(undefined);
  setCaption(photo.name);
  setBusy(false);
  adaptToFile("");
  stage.showRemotePhoto(photo.name);
}

const canShowPhoto = () => Boolean(photo?.file || photo?.url);

async function paint() {
  const signal = takeStage(null);
  if (canShowPhoto()) stage.clearPainting(); // without a local photo, keep showing the earlier painting
  stage.setState("painting");
  stage.scrollIntoView();
  reportStart(!photo.url);
  setBusy(true);
  try {
    await catalogLoaded; // a photo may be chosen, and painted, before there are styles
    signal.throwIfAborted();
    const request = { styles: chosenStyles(), ...options() };
    const job = await createJob({ ...request, ...(await uploads(request.styles, signal)) });
    if (signal.aborted) await cancel(job.id); // stopped while the request was pending
    signal.throwIfAborted();
    current = job.id;
    history.replaceState(null, "", `#${job.id}`);
    record(job);
    markCurrent(job.id);
    await follow(job.id, signal);
  } catch (error) {
    end(error, signal);
  }
}

/** Upload photo and masks, unless uploaded before; returns the upload ids by field, and the styles with theirs. */
async function uploads(styles, signal) {
  if (!photo.upload && !photo.url) {
    photo.upload = await upload(photo.file, { field: "content", onProgress: reportUpload, signal });
    await cachePhoto(photo.upload, photo.file); // before the job exists, for a reload of the page
  }
  const content = photo.url ? { content_url: photo.url } : { content: photo.upload };
  const ids = { ...content, styles: await withMasks(styles, signal) };
  for (const [field, file] of masks()) ids[field] = await upload(file, { field, signal });
  return ids;
}

function end(error, signal) {
  if (!isAbort(error) && !(error instanceof ApiError)) throw error;
  if (signal !== display.signal) return; // something else is displayed
  if (photo?.file && error.problem?.field === "content") photo.upload = null; // the next attempt uploads it again
  leaveBusy(canShowPhoto() ? "photo" : "empty", isAbort(error) ? "Stopped." : (photo?.name ?? ""));
  if (!isAbort(error)) report(error.problem);
}

/** Show a problem; for a refused URL, open its dialog again. */
function report(problem) {
  if (problem.field === "content_url" && photo?.url) showRefusedUrl(problem, photo.url);
  else showProblem(problem);
}

/** Poll a job until it ends. `onFirst` receives its first state. */
async function follow(id, signal, onFirst) {
  let seen = null; // progress of the displayed preview
  let isOffline = false;
  for await (const job of watch(id, signal)) {
    if (isOffline) hideNotice();
    isOffline = !job;
    if (!job) {
      showNotice("The server is not responding. Your painting continues once it is back.");
      continue;
    }
    await onFirst?.(job);
    onFirst = null;
    signal.throwIfAborted(); // here and below: something else may be displayed after an await
    if (hasEnded(job)) return finish(job, signal);
    reportJob(job);
    if (job.preview && job.progress !== seen && (await showPreview(job, signal))) seen = job.progress;
  }
}

/** Show the preview, which is gone once the job has ended; returns whether it was shown. */
async function showPreview(job, signal) {
  const address = await imageUrl(`${job.preview}?at=${job.progress}`).catch(() => null);
  return address !== null && stage.showPainting(address, signal);
}

async function finish(job, signal) {
  record(job);
  if (job.status === "succeeded") return showResult(job, signal);
  stage.clearPainting();
  leaveBusy(canShowPhoto() ? "photo" : "empty", job.status === "canceled" ? "Stopped." : (photo?.name ?? ""));
  if (job.status === "failed") report(job.error);
  if (job.status === "expired") showNotice("This painting was deleted or has expired. Paint it again to get it back.");
}

/** Show the painting of an ended job, by its number if it has several. */
async function showResult(job, signal, number = 1) {
  const result = job.results[number - 1];
  const address = await blobUrl(number === 1 ? job.links.image : `${job.links.image}?variant=${number}`);
  signal.throwIfAborted();
  if (!photo?.file) stage.setShape(result.width, result.height);
  const show = result.media_type.startsWith("video/") ? stage.showPaintedVideo : stage.showPainting;
  const animatedPhoto = result.frames > 1 ? photo?.file : null;
  if (!(await show(address, signal, animatedPhoto))) await showPreview(job, signal); // few browsers display TIFF
  signal.throwIfAborted();
  leaveBusy("done", facts(job, result));
  const suffix = job.options.format === "jpeg" ? "jpg" : job.options.format;
  const variant = job.results.length > 1 ? `-${number}` : "";
  const style = urlStyle(job.styles[0].style) ? "by-url" : job.styles[0].style;
  stage.offerDownload(address, `painting-${style}${variant}.${suffix}`);
  listVariants(job, number, (other) => showResult(job, signal, other).catch((error) => end(error, signal)));
}

function leaveBusy(state, text) {
  reportEnd(text);
  setBusy(false);
  stage.setState(state);
}

function facts(job, { width, height, bytes, seconds, frames }) {
  const size = bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const count = frames === null ? [] : [`${frames} frame${frames === 1 ? "" : "s"}`];
  return [stylesOf(job), `${width} × ${height}`, ...count, size, `${seconds.painting.toFixed(1)} s`].join(" · ");
}

async function stop() {
  if (!current) return display.abort(); // still uploading: there is no job yet
  $("stop").disabled = true;
  try {
    await cancel(current);
  } catch (error) {
    $("stop").disabled = false;
    if (!(error instanceof ApiError)) throw error;
    showProblem(error.problem);
  }
}

/** Display the job in the URL: after a reload, by a link, or from the list. */
async function open(id) {
  const signal = takeStage(id);
  try {
    await follow(id, signal, async (job) => {
      restore(job);
      await loadPhotoOf(job, signal);
      chooseStyles(job.styles); // after the photo, whose change drops painted regions
      setBusy(!hasEnded(job));
      if (isBusy()) stage.setState("painting");
    });
  } catch (error) {
    end(error, signal);
  }
}

async function loadPhotoOf(job, signal) {
  if (job.content === (photo?.url ?? photo?.upload)) return;
  if (URL.canParse(job.content) && job.content.startsWith("https://")) {
    photo = { name: nameOfUrl(job.content), file: null, upload: null, url: job.content };
    return stage.showRemotePhoto(photo.name);
  }
  const file = await cachedPhoto(job.content);
  signal.throwIfAborted();
  // A photo that was sent in the form of its job is no upload: it cannot be painted again without the file.
  const isUpload = job.content.startsWith("upl_");
  photo = isUpload ? { name: file?.name ?? "", file, upload: job.content } : null;
  stage.clearPainting();
  if (file) return stage.showPhoto(file);
  return stage.forgetPhoto();
}

const jobInUrl = () => /^#(stz_\w+)$/.exec(location.hash)?.[1];

onPhotoInput(usePhoto);
onPhotoUrl(usePhotoUrl).catch(() => {}); // whether URLs are allowed is not known: they are not offered
$("panel").addEventListener("submit", (event) => {
  event.preventDefault();
  if (isBusy()) return;
  if (photo) paint();
  else choosePhoto();
});
$("stop").addEventListener("click", stop);
addEventListener("hashchange", () => {
  if (!jobInUrl() || jobInUrl() === current) return;
  open(jobInUrl());
  stage.scrollIntoView();
  $("stage").focus({ preventScroll: true });
});
document.addEventListener("deleted", ({ detail: job }) => {
  if (job.id === current) finish(job, display.signal);
});
addEventListener("beforeunload", (event) => {
  if (isBusy() && !current) event.preventDefault(); // still uploading: nothing is stored yet
});
setBusy(false);
const catalogLoaded = loadCatalog().then((first) => first && chooseStyles([{ style: first, weight: 1 }]));
try {
  await catalogLoaded;
  await showPage();
  if (jobInUrl() && jobInUrl() !== current) await open(jobInUrl());
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  showProblem(error.problem);
}
