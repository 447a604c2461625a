// Dialog for adding a style of the user: a picture and a title.

import { ApiError, post, isAbort } from "./api.js";
import { addToCatalog, scrollToStyle } from "./catalog.js";
import { $ } from "./dom.js";
import { clearErrors, showProblem } from "./errors.js";
import { chooseStyle } from "./styles.js";
import { upload } from "./upload.js";

const dialog = $("own-dialog");
let file = null;
let adding = null; // AbortController of the upload

function open() {
  file = null;
  $("own-form").reset();
  clearErrors(dialog);
  show();
  dialog.showModal();
}

function show() {
  const preview = $("own-preview");
  URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
  else preview.removeAttribute("src");
  $("own-file-name").textContent = file?.name ?? "Choose a picture";
}

function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  clearErrors(dialog);
  show();
  $("own-title").value ||= titleFromName(chosen.name);
}

/** "my_quilt-2.jpg" is "My quilt 2". */
function titleFromName(name) {
  const words = name.replace(/\.\w+$/, "").replace(/[_-]+/g, " ").trim().slice(0, 100);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

async function add() {
  if (!file) return showProblem({ detail: "Choose a picture first", field: "upload" });
  const title = $("own-title").value.trim();
  if (!title) return showProblem({ detail: "Enter a title", field: "title" });
  adding = new AbortController();
  const { signal } = adding;
  $("own-add").disabled = true;
  try {
    const style = await post("v1/styles", { upload: await upload(file, { field: "upload", signal }), title }, { signal });
    addToCatalog(style);
    chooseStyle(style.id);
    scrollToStyle(style.id);
    dialog.close();
  } catch (error) {
    if (isAbort(error)) return;
    if (!(error instanceof ApiError)) throw error;
    showProblem({ ...error.problem, field: error.problem.field ?? "upload" });
  } finally {
    $("own-add").disabled = false;
  }
}

$("own-open").addEventListener("click", open);
$("own-cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => adding?.abort());
$("own-file").addEventListener("change", () => choose($("own-file").files[0]));
$("own-form").addEventListener("submit", (event) => {
  event.preventDefault();
  add();
});
const picture = dialog.querySelector(".own-picture");
picture.addEventListener("dragover", (event) => event.preventDefault());
picture.addEventListener("drop", (event) => {
  event.preventDefault();
  choose(event.dataTransfer.files[0]);
});
