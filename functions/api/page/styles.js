// The grid of styles: the catalog, and a file of one's own.

import { get, imageOf, upload } from "./api.js";

const $ = (id) => document.getElementById(id);
const byId = new Map();
let ownFile = null;
let ownUpload = null; // the promise of an upload id, so that the same file goes up once

/** Fill the grid and choose the first style. */
export async function loadStyles() {
  const styles = [];
  let cursor = null;
  do {
    const page = await get(`v1/styles?limit=100${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    styles.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  for (const style of styles) {
    byId.set(style.id, style);
    $("own-tile").before(tile(style));
  }
  select(styles[0]?.id);
}

function tile(style) {
  const label = document.createElement("label");
  label.className = "tile";
  const radio = Object.assign(document.createElement("input"), { type: "radio", name: "style", value: style.id });
  radio.className = "visually-hidden";
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.append(imageOf(`v1/styles/${style.id}/image`, { alt: "", decoding: "async" }));
  const title = document.createElement("span");
  title.className = "tile-title";
  title.textContent = style.title;
  label.append(radio, swatch, title);
  return label;
}

const radioOf = (id) => document.querySelector(`input[name="style"][value="${CSS.escape(id)}"]`);

/** Choose a style by id; false where the grid has none of that id. */
export function select(id) {
  const radio = id && radioOf(id);
  if (radio) radio.checked = true;
  describe();
  return Boolean(radio);
}

export const titleOf = (id) => byId.get(id)?.title ?? "Your own style";

/** The id to paint with: a catalog id, or that of the own file's upload. */
export async function chosenStyle() {
  const value = document.querySelector('input[name="style"]:checked')?.value;
  if (value !== "own") return value;
  ownUpload ??= upload(ownFile);
  try {
    return await ownUpload;
  } catch (error) {
    ownUpload = null;
    throw error;
  }
}

/** Forget the upload of the own file, when the server no longer knows it. */
export function forgetOwnUpload() {
  ownUpload = null;
}

function describe() {
  const about = $("about");
  const value = document.querySelector('input[name="style"]:checked')?.value;
  const style = byId.get(value);
  if (value === "own" && ownFile) {
    about.textContent = `Painted in the manner of ${ownFile.name}.`;
  } else if (style) {
    const strong = document.createElement("strong");
    strong.textContent = style.title;
    const facts = [style.artist, style.year, style.license].filter(Boolean).join(", ");
    about.replaceChildren(strong, [facts && ` (${facts})`, style.description].filter(Boolean).join(". "));
  } else {
    about.textContent = "";
  }
}

function useOwn(file) {
  ownFile = file;
  ownUpload = null;
  const picture = new Image();
  picture.alt = "";
  picture.src = URL.createObjectURL(file);
  const swatch = $("own-swatch");
  swatch.querySelector("img")?.remove();
  picture.addEventListener("load", () => swatch.append(picture));
  select("own");
}

let before = null; // the style to go back to when the file dialog is closed without a file
$("tiles").addEventListener("change", (event) => {
  if (event.target.value === "own" && !ownFile) {
    $("own-file").click();
    select(before); // becomes "own" once there is a file
  }
  before = document.querySelector('input[name="style"]:checked')?.value ?? before;
  describe();
});
$("own-tile").addEventListener("click", (event) => {
  // A second click on the tile changes the file; the click of its own radio is the first one's echo.
  if (event.target.tagName !== "INPUT" && ownFile && radioOf("own").checked) $("own-file").click();
});
$("own-file").addEventListener("change", () => {
  if ($("own-file").files[0]) useOwn($("own-file").files[0]);
  $("own-file").value = "";
});
