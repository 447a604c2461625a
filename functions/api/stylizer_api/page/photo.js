// Photo input: file chooser, camera, drag and drop, paste.

import { $ } from "./dom.js";

export const choosePhoto = () => $("photo-file").click();

/** Call `onPhoto(file)` for each photo. */
export function onPhotoInput(onPhoto) {
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
  const trackDrag = (change) => {
    depth = Math.max(0, depth + change);
    $("stage").classList.toggle("dropping", depth > 0);
  };
  const isPhotoDrag = (event) => event.dataTransfer?.types.includes("Files") && !dialogIsOpen();
  addEventListener("dragenter", (event) => isPhotoDrag(event) && trackDrag(1));
  addEventListener("dragleave", (event) => isPhotoDrag(event) && trackDrag(-1));
  addEventListener("dragover", (event) => isPhotoDrag(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!isPhotoDrag(event)) return;
    event.preventDefault();
    trackDrag(-depth);
    if (event.dataTransfer.files[0]) onPhoto(event.dataTransfer.files[0]);
  });
}
