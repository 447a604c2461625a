// The page: one painting followed from the photo to the download.

import { ApiError, copyAddress, pictureAddress, wasStopped } from "./api.js";
import { loadCatalog } from "./catalog.js";
import { masks, options, restore } from "./controls.js";
import { $ } from "./dom.js";
import { clearErrors, explain, hideNotice, showNotice } from "./errors.js";
import { markOpened, record, showPage, stylesOf } from "./history.js";
import { askFor, cancel, isOver, watch } from "./jobs.js";
import { keep, kept } from "./kept.js";
import "./own.js";
import { choosePhoto, listenForPhotos } from "./photo.js";
import { setCaption, setProgress, tellOfEnd, tellOfJob, tellOfStart, tellOfUpload } from "./progress.js";
import * as stage from "./stage.js";
import { chooseStyles, chosenStyles } from "./styles.js";
import { upload } from "./upload.js";

let photo = null; // {name, file, upload: id | null}; file is null where only the service has the photo
let current = null; // id of the job on the stage
let under = new AbortController(); // aborted when the stage is given to something else

const isBusy = () => !$("stop").hidden;

function setBusy(busy) {
  const had = document.activeElement;
  $("paint").hidden = busy;
  $("stop").hidden = !busy;
  $("stop").disabled = false;
  $("paint").textContent = photo ? "Paint" : "Choose a photo";
  $("paint").classList.toggle("waiting", !photo);
  // The one takes the place of the other, for the keyboard too.
  if (had === $("paint") && busy) $("stop").focus({ preventScroll: true });
  if (had === $("stop") && !busy) $("paint").focus({ preventScroll: true });
}

/** Leave what is on the stage; the service goes on with it. Gives the signal of what comes now. */
function turnTo(id) {
  under.abort();
  under = new AbortController();
  current = id;
  markOpened(id);
  clearErrors();
  return under.signal;
}

async function usePhoto(file) {
  if (isBusy() && !current) return; // another is going up this moment
  turnTo(null);
  photo = { name: file.name, file, upload: null };
  history.replaceState(null, "", location.pathname);
  setProgress(undefined);
  setCaption(file.name);
  setBusy(false);
  await stage.showPhoto(file);
}

async function paint() {
  const signal = turnTo(null);
  const wish = { styles: chosenStyles(), ...options() };
  if (photo.file) stage.clearPainting(); // else the earlier painting is all there is to look at
  stage.setState("painting");
  stage.lookAt();
  tellOfStart();
  setBusy(true);
  try {
    const job = await askFor({ ...wish, ...(await uploads(signal)) });
    if (signal.aborted) await cancel(job.id); // stopped while the wish was on its way
    signal.throwIfAborted();
    current = job.id;
    history.replaceState(null, "", `#${job.id}`);
    record(job);
    markOpened(job.id);
    await follow(job.id, signal);
  } catch (error) {
    end(error, signal);
  }
}

/** Send what has not been sent yet. */
async function uploads(signal) {
  if (!photo.upload) {
    photo.upload = await upload(photo.file, { field: "content", onProgress: tellOfUpload, signal });
    await keep(photo.upload, photo.file); // before there is a job to come back to
  }
  const ids = { content: photo.upload };
  for (const [field, file] of masks()) ids[field] = await upload(file, { field, signal });
  return ids;
}

function end(error, signal) {
  if (!wasStopped(error) && !(error instanceof ApiError)) throw error;
  if (signal !== under.signal) return; // the stage is another's
  if (photo?.file && error.problem?.field === "content") photo.upload = null; // the next try sends it anew
  settle(photo?.file ? "photo" : "empty", wasStopped(error) ? "Stopped." : (photo?.name ?? ""));
  if (!wasStopped(error)) explain(error.problem);
}

/** Watch a job to its end. `onFirst` gets it as it is at first. */
async function follow(id, signal, onFirst) {
  let seen = null; // the progress whose preview is on the wall
  let isAway = false;
  for await (const job of watch(id, signal)) {
    if (isAway) hideNotice();
    isAway = !job;
    if (!job) {
      showNotice("The server does not answer. The painting goes on when it is back.");
      continue;
    }
    await onFirst?.(job);
    onFirst = null;
    signal.throwIfAborted(); // here and below: while something was waited for, the stage may have become another's
    if (isOver(job)) return finish(job, signal);
    tellOfJob(job);
    if (job.preview && job.progress !== seen && (await showPreview(job, signal))) seen = job.progress;
  }
}

/** Whether the preview could be shown: it is gone once the painting is there. */
async function showPreview(job, signal) {
  const address = await pictureAddress(`${job.preview}?at=${job.progress}`).catch(() => null);
  return address !== null && stage.showPainting(address, signal);
}

async function finish(job, signal) {
  record(job);
  if (job.status === "succeeded") return hangPainting(job, signal);
  stage.clearPainting();
  settle(photo?.file ? "photo" : "empty", job.status === "canceled" ? "Stopped." : (photo?.name ?? ""));
  if (job.status === "failed") explain(job.error);
  if (job.status === "expired") showNotice("This painting has expired. Paint it again to get it back.");
}

async function hangPainting(job, signal) {
  const address = await copyAddress(job.links.image);
  signal.throwIfAborted();
  if (!photo.file) stage.setShape(job.result.width, job.result.height);
  if (!(await stage.showPainting(address, signal))) await showPreview(job, signal); // few browsers show TIFF
  signal.throwIfAborted();
  settle("done", facts(job));
  const suffix = job.options.format === "jpeg" ? "jpg" : job.options.format;
  stage.offerDownload(address, `painting-${job.styles[0].style}.${suffix}`);
}

function settle(state, text) {
  tellOfEnd(text);
  setBusy(false);
  stage.setState(state);
}

function facts(job) {
  const { width, height, bytes, seconds } = job.result;
  const size = bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return [stylesOf(job), `${width} × ${height}`, size, `${seconds.painting.toFixed(1)} s`].join(" · ");
}

async function stop() {
  if (!current) return under.abort(); // still sending: nothing is there yet to cancel
  $("stop").disabled = true;
  try {
    await cancel(current);
  } catch (error) {
    $("stop").disabled = false;
    if (!(error instanceof ApiError)) throw error;
    explain(error.problem);
  }
}

/** Show the job named in the address: after a reload, by a link, or from the list. */
async function open(id) {
  const signal = turnTo(id);
  try {
    await follow(id, signal, async (job) => {
      restore(job);
      chooseStyles(job.styles);
      await usePhotoOf(job, signal);
      setBusy(!isOver(job));
      if (isBusy()) stage.setState("painting");
    });
  } catch (error) {
    end(error, signal);
  }
}

async function usePhotoOf(job, signal) {
  if (photo?.upload === job.content) return;
  const file = await kept(job.content);
  signal.throwIfAborted();
  photo = { name: file?.name ?? "", file, upload: job.content };
  stage.clearPainting();
  if (file) return stage.showPhoto(file);
  return stage.forgetPhoto();
}

const jobInAddress = () => /^#(stz_\w+)$/.exec(location.hash)?.[1];

listenForPhotos(usePhoto);
$("panel").addEventListener("submit", (event) => {
  event.preventDefault();
  if (isBusy()) return;
  if (photo) paint();
  else choosePhoto();
});
$("stop").addEventListener("click", stop);
addEventListener("hashchange", () => {
  if (!jobInAddress() || jobInAddress() === current) return;
  open(jobInAddress());
  stage.lookAt();
  $("stage").focus({ preventScroll: true });
});
document.addEventListener("deleted", ({ detail: job }) => {
  if (job.id === current) finish(job, under.signal);
});
addEventListener("beforeunload", (event) => {
  if (isBusy() && !current) event.preventDefault(); // still sending the photo: nothing is safe yet
});
setBusy(false);
try {
  const first = await loadCatalog();
  if (first) chooseStyles([{ style: first, weight: 1 }]);
  await showPage();
  if (jobInAddress()) await open(jobInAddress());
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  explain(error.problem);
}
