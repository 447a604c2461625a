// The ways by which a photo comes in: chosen, taken with the camera, dropped anywhere on the page, or pasted.

import { $ } from "./dom.js";

export const choosePhoto = () => $("photo-file").click();

/** Call `onPhoto(file)` for each. */
export function listenForPhotos(onPhoto) {
  for (const input of [$("photo-file"), $("camera-file")]) {
    input.addEventListener("change", () => {
      if (input.files[0]) onPhoto(input.files[0]);
      input.value = "";
    });
  }
  $("change").addEventListener("click", choosePhoto);
  listenForDrops(onPhoto);
  addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file && !dialogIsOpen()) onPhoto(file);
  });
}

const dialogIsOpen = () => document.querySelector("dialog[open]") !== null;

function listenForDrops(onPhoto) {
  let depth = 0; // dragenter and dragleave also fire for every child
  const dropping = (change) => {
    depth = Math.max(0, depth + change);
    $("stage").classList.toggle("dropping", depth > 0);
  };
  const isForUs = (event) => event.dataTransfer?.types.includes("Files") && !dialogIsOpen();
  addEventListener("dragenter", (event) => isForUs(event) && dropping(1));
  addEventListener("dragleave", (event) => isForUs(event) && dropping(-1));
  addEventListener("dragover", (event) => isForUs(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!isForUs(event)) return;
    event.preventDefault();
    dropping(-depth);
    if (event.dataTransfer.files[0]) onPhoto(event.dataTransfer.files[0]);
  });
}
