// The picture area: the photo, the painting as it grows, and the two compared.

const $ = (id) => document.getElementById(id);
const stage = $("stage");
const pictures = $("pictures");
const photo = $("photo");
const painting = $("painting");

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
  $("photo-unseen").hidden = true;
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

/** Show a state of the painting as soon as it is decoded, so that it never flickers. */
export async function showPainting(address) {
  const next = new Image();
  next.src = address;
  try {
    await next.decode();
  } catch {
    return false;
  }
  URL.revokeObjectURL(painting.src); // does nothing where it is no copy
  painting.src = next.src;
  if (!photo.naturalWidth) setShape(next.naturalWidth, next.naturalHeight);
  return true;
}

export function setShape(width, height) {
  pictures.style.setProperty("--ratio", (width / height).toFixed(5));
  pictures.classList.toggle("wide", width > height);
}

/** `fraction` 0-1, null for "busy, no telling how long", undefined for none at all. */
export function setProgress(fraction) {
  const bar = $("bar");
  $("progress").hidden = fraction === undefined;
  if (fraction === null) bar.removeAttribute("value");
  else if (fraction !== undefined) bar.value = fraction;
}

export function setCaption(text) {
  if ($("caption").textContent !== text) $("caption").textContent = text;
}

export function showNotice(text) {
  $("notice-text").textContent = text;
  $("notice").hidden = false;
}

export function hideNotice() {
  $("notice").hidden = true;
}

/** Offer the finished file. */
export function offerDownload(address, name) {
  const link = $("download");
  link.href = address;
  link.download = name;
  link.hidden = false;
}

/** Call `onPhoto(file)` for a photo chosen, dropped anywhere on the page, or pasted. */
export function listenForPhotos(onPhoto) {
  const input = $("photo-file");
  input.addEventListener("change", () => {
    if (input.files[0]) onPhoto(input.files[0]);
    input.value = "";
  });
  $("change").addEventListener("click", () => input.click());

  let depth = 0; // dragenter and dragleave also fire for every child
  const dropping = (change) => {
    depth = Math.max(0, depth + change);
    stage.classList.toggle("dropping", depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => hasFiles(event) && dropping(1));
  addEventListener("dragleave", (event) => hasFiles(event) && dropping(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    dropping(-depth);
    if (event.dataTransfer.files[0]) onPhoto(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) onPhoto(file);
  });
}

const wipe = $("wipe");
wipe.addEventListener("input", () => pictures.style.setProperty("--wipe", `${wipe.value}%`));
$("views").addEventListener("change", () => (stage.dataset.view = currentView()));
$("notice-close").addEventListener("click", hideNotice);
