// Picture area: photo, painting in progress, and comparison.

import { $ } from "./dom.js";

const stage = $("stage");
const pictures = $("pictures");
const photo = $("photo");
const painting = $("painting");
const wipe = $("wipe");

const photoVideo = $("photo-video");
const paintingVideo = $("painting-video");

let photoUrl = null;

/** Scroll the picture into view, on phones. */
export const scrollIntoView = () => stage.scrollIntoView({ block: "nearest" });

/** Set the state: "empty", "photo", "painting" (running) or "done". */
export function setState(state) {
  stage.dataset.state = state;
  pictures.hidden = state === "empty";
  $("change").hidden = $("url-change").hidden = state === "empty" || state === "painting";
  $("views").hidden = state !== "done" || !photoUrl;
  stage.dataset.view = photoUrl ? currentView() : "alone";
  if (state !== "done") $("download").hidden = $("variants").hidden = true;
  document.dispatchEvent(new CustomEvent("stage"));
}

const currentView = () => document.querySelector('input[name="view"]:checked').value;

/** Show a local photo. */
export async function showPhoto(file) {
  clearPainting();
  forgetPhoto();
  photoUrl = URL.createObjectURL(file);
  setState("photo");
  try {
    if (file.type.startsWith("video/")) {
      await play(photoVideo, photoUrl);
      setShape(photoVideo.videoWidth, photoVideo.videoHeight);
    } else {
      photo.src = photoUrl;
      await photo.decode();
      setShape(photo.naturalWidth, photo.naturalHeight);
    }
  } catch {
    // HEIC and TIFF are supported by the painter, but not by most browsers.
    photo.removeAttribute("src");
    unload(photoVideo);
    showUnseen(`This browser cannot display “${file.name}”. You can try to paint it anyway.`);
  }
  document.dispatchEvent(new CustomEvent("photo-shown"));
}

/** Show a photo that only the service can see. */
export function showRemotePhoto(name) {
  clearPainting();
  forgetPhoto();
  setState("photo");
  showUnseen(`${name} will be downloaded when you paint.`);
}

function showUnseen(text) {
  setShape(3, 2);
  $("photo-unseen").textContent = text;
  $("photo-unseen").hidden = false;
}

/** Remove the photo, as for an earlier painting whose photo is not cached. */
export function forgetPhoto() {
  if (photoUrl) URL.revokeObjectURL(photoUrl);
  photoUrl = null;
  photo.removeAttribute("src");
  unload(photoVideo);
  $("photo-unseen").hidden = true;
  document.dispatchEvent(new CustomEvent("photo-shown"));
}

export function clearPainting() {
  URL.revokeObjectURL(painting.src); // no effect unless it is a blob URL
  painting.removeAttribute("src");
  unload(paintingVideo);
}

/** Load a video, and show it once its first frame is there. Rejects if it cannot be played. */
function play(video, address) {
  return new Promise((resolve, reject) => {
    video.onloadeddata = () => {
      video.hidden = false;
      resolve();
    };
    video.onerror = () => reject(new Error("The video cannot be played."));
    video.src = address;
  });
}

function unload(video) {
  video.onloadeddata = video.onerror = null;
  video.hidden = true;
  video.removeAttribute("src");
  video.load();
}

/** Show a painted video, in step with the clip; false if it cannot be played. Throws if the signal was aborted. */
export async function showPaintedVideo(address, signal) {
  try {
    await play(paintingVideo, address);
  } catch {
    unload(paintingVideo);
    return false;
  }
  signal.throwIfAborted();
  painting.removeAttribute("src");
  if (!photoVideo.hidden) photoVideo.currentTime = paintingVideo.currentTime;
  return true;
}

/**
 * Show a painting once decoded, without flicker; false if it cannot be decoded. Throws if the signal was aborted.
 * Given the file of an animated photo, start it again, so that both run in step.
 */
export async function showPainting(address, signal, animatedPhoto = null) {
  const next = new Image();
  next.src = address;
  const again = animatedPhoto && photo.naturalWidth ? new Image() : null;
  if (again) again.src = URL.createObjectURL(animatedPhoto);
  try {
    await Promise.all([next.decode(), again?.decode()]);
  } catch {
    if (again) URL.revokeObjectURL(again.src);
    return false; // the painting can still be downloaded from its address
  }
  if (signal.aborted) for (const image of [next, again]) URL.revokeObjectURL(image?.src);
  signal.throwIfAborted();
  if (again) {
    URL.revokeObjectURL(photoUrl);
    photo.src = photoUrl = again.src;
  }
  unload(paintingVideo);
  URL.revokeObjectURL(painting.src);
  painting.src = next.src;
  if (!photo.naturalWidth && photoVideo.hidden) setShape(next.naturalWidth, next.naturalHeight);
  return true;
}

export function setShape(width, height) {
  pictures.style.setProperty("--ratio", (width / height).toFixed(5));
  pictures.classList.toggle("wide", width > height);
}

/** Show the download link. */
export function offerDownload(address, name) {
  Object.assign($("download"), { href: address, download: name, hidden: false });
}

wipe.addEventListener("input", () => {
  pictures.style.setProperty("--wipe", `${wipe.value}%`);
  wipe.setAttribute("aria-valuetext", `${wipe.value} % photo, ${100 - wipe.value} % painting`);
});
$("views").addEventListener("change", () => (stage.dataset.view = currentView()));
