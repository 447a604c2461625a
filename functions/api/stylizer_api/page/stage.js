// The picture area: the photo, the painting as it grows, and the two compared.

import { $ } from "./dom.js";

const stage = $("stage");
const pictures = $("pictures");
const photo = $("photo");
const painting = $("painting");
const wipe = $("wipe");

let photoUrl = null;

/** Bring the picture into view, where a phone has scrolled it away. */
export const lookAt = () => stage.scrollIntoView({ block: "nearest" });

/** One of "empty", "photo", "painting" (running) and "done". */
export function setState(state) {
  stage.dataset.state = state;
  pictures.hidden = state === "empty";
  $("change").hidden = state === "empty" || state === "painting";
  $("views").hidden = state !== "done" || !photoUrl;
  stage.dataset.view = photoUrl ? currentView() : "alone";
  if (state !== "done") $("download").hidden = true;
}

const currentView = () => document.querySelector('input[name="view"]:checked').value;

/** Hang a photo from this computer. */
export async function showPhoto(file) {
  clearPainting();
  forgetPhoto();
  photoUrl = URL.createObjectURL(file);
  photo.src = photoUrl;
  setState("photo");
  try {
    await photo.decode();
    setShape(photo.naturalWidth, photo.naturalHeight);
  } catch {
    // HEIC and TIFF are fine for the painter, but few browsers show them.
    photo.removeAttribute("src");
    setShape(3, 2);
    $("photo-unseen").textContent = `This browser cannot show “${file.name}”, but the painter may well know its format.`;
    $("photo-unseen").hidden = false;
  }
}

/** Take the photo away, as when an earlier painting is opened whose photo is not here. */
export function forgetPhoto() {
  if (photoUrl) URL.revokeObjectURL(photoUrl);
  photoUrl = null;
  photo.removeAttribute("src");
  $("photo-unseen").hidden = true;
}

export function clearPainting() {
  painting.removeAttribute("src");
}

/**
 * Show a state of the painting as soon as it is decoded, so that it never flickers; false if it is none.
 *
 * Throws if the signal says by then that the stage has been given to something else.
 */
export async function showPainting(address, signal) {
  const next = new Image();
  next.src = address;
  try {
    await next.decode();
  } catch {
    return false;
  }
  signal.throwIfAborted();
  URL.revokeObjectURL(painting.src); // does nothing where it is no copy
  painting.src = next.src;
  if (!photo.naturalWidth) setShape(next.naturalWidth, next.naturalHeight);
  return true;
}

export function setShape(width, height) {
  pictures.style.setProperty("--ratio", (width / height).toFixed(5));
  pictures.classList.toggle("wide", width > height);
}

/** Offer the finished file. */
export function offerDownload(address, name) {
  Object.assign($("download"), { href: address, download: name, hidden: false });
}

wipe.addEventListener("input", () => {
  pictures.style.setProperty("--wipe", `${wipe.value}%`);
  wipe.setAttribute("aria-valuetext", `${wipe.value} % photo, ${100 - wipe.value} % painting`);
});
$("views").addEventListener("change", () => (stage.dataset.view = currentView()));
