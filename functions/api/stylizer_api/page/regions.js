// A style per region: the controls beside the photo, and the masks of a request.

import * as brush from "./brush.js";
import { showSwatch, titleOf } from "./catalog.js";
import { $, element } from "./dom.js";
import * as stage from "./stage.js";
import { upload } from "./upload.js";

const photo = $("photo");
const names = ["The rest", "Region 1", "Region 2", "Region 3"];
let count = 1; // regions besides everywhere else
let restored = []; // uploads with the masks of an opened painting, by region
let sent = []; // uploads with the masks as they are painted now, by region

export const isPerRegion = () => !$("regions").hidden;
export const activeRegion = () => Number(document.querySelector('input[name="region"]:checked')?.value ?? 1);
export const keepsRest = () => $("regions-rest").checked;
export const regionCount = () => count;

/** The regions that anything was painted of. */
export const paintedRegions = () => brush.REGIONS.slice(0, count).filter((region) => brush.isPainted(region) || restored[region]);

/** Show or hide the controls and the brush. */
export function setPerRegion(on) {
  $("regions").hidden = !on;
  $("regions-toggle").setAttribute("aria-expanded", String(on));
  $("regions-toggle").textContent = on ? "Use one style everywhere" : "Paint regions in different styles";
  update();
}

/** Take over the masks of a job: uploads by region, in order. */
export function restoreRegions(uploads, rest) {
  count = Math.max(1, uploads.length);
  restored = [null, ...uploads];
  $("regions-rest").checked = rest;
}

/** Replace `region` of each style by the upload of its mask. */
export async function withMasks(styles, signal) {
  const complete = [];
  for (const [index, { region, ...style }] of styles.entries()) {
    if (region) style.mask = await uploaded(region, `styles[${index}].mask`, signal);
    complete.push(style);
  }
  return complete;
}

async function uploaded(region, field, signal) {
  if (!brush.isPainted(region)) return restored[region];
  const file = await brush.maskOf(region, photo.naturalWidth, photo.naturalHeight);
  sent[region] ??= await upload(file, { field, signal });
  return sent[region];
}

/** Show the styles of the regions, as ids by slot. */
export function showRegions(chosen) {
  const active = Math.min(activeRegion(), count);
  const slots = chosen.slice(0, count + 1).map((id, region) => {
    const radio = element("input", { type: "radio", name: "region", value: region, checked: region === active });
    const swatch = element("img", { alt: "" });
    showSwatch(swatch, id);
    const title = element("span", {}, element("b", { textContent: names[region] }), element("br"), titleOf(id));
    return element("label", { className: `slot region-${region}` }, radio, swatch, title);
  });
  const hadFocus = $("region-slots").contains(document.activeElement);
  $("region-slots").replaceChildren(...slots);
  if (hadFocus) $("region-slots").querySelector(":checked").focus();
  update();
}

function update() {
  const state = $("stage").dataset.state;
  const isVisible = Boolean(photo.getAttribute("src") && photo.naturalWidth);
  $("brush").hidden = !isPerRegion() || !isVisible;
  $("region-add").hidden = count === brush.REGIONS.length;
  $("regions-edit").hidden = state !== "done" || !isVisible;
  const isErasing = activeRegion() === 0 || document.querySelector('input[name="tool"]:checked').value === "erase";
  brush.setTool({ region: isErasing ? 0 : activeRegion(), size: $("brush-size").value / 100 });
  $("brush-size-out").textContent = `${$("brush-size").value} %`;
  $("brush-undo").disabled = !brush.canUndo();
  $("brush-redo").disabled = !brush.canRedo();
  $("brush-clear").disabled = activeRegion() === 0;
  $("regions-note").textContent = isVisible
    ? "Paint on the photo. By keyboard: arrow keys move the brush, Space paints, E erases, + and − change the size."
    : state === "empty"
      ? "Choose a photo first."
      : "This browser cannot display the photo, so you cannot paint regions on it.";
}

const say = (text) => ($("brush-said").textContent = text);
const percent = (value) => `${Math.round(100 * value)} %`;

function setErasing(on) {
  document.querySelector(`input[name="tool"][value="${on ? "erase" : "paint"}"]`).checked = true;
  update();
  say(on ? "Erasing" : `Painting ${names[activeRegion()]}`);
}

function setSize(change) {
  $("brush-size").value = Number($("brush-size").value) + change;
  update();
  say(`Brush size ${$("brush-size").value} %`);
}

const history = (act, word) => () => {
  act();
  say(word);
};
const undo = history(brush.undo, "Undone");
const redo = history(brush.redo, "Redone");
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onKey(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") (event.shiftKey ? redo : undo)();
    else if (key === "y") redo();
    else return;
  } else if (ARROWS[key]) {
    const { x, y } = brush.step(...ARROWS[key]);
    say(`${percent(x)} across, ${percent(y)} down`);
  } else if (key === " ") brush.penDown();
  else if (key === "e") setErasing(document.querySelector('input[name="tool"]:checked').value !== "erase");
  else if (key === "+" || key === "=") setSize(2);
  else if (key === "-") setSize(-2);
  else return;
  event.preventDefault();
}

$("brush").addEventListener("keydown", onKey);
$("brush").addEventListener("keyup", (event) => {
  if (event.key !== " ") return;
  brush.penUp();
  const isErasing = document.querySelector('input[name="tool"]:checked').value === "erase" || activeRegion() === 0;
  say(isErasing ? "Erased" : `Painted ${names[activeRegion()]}`);
});
$("brush-undo").addEventListener("click", undo);
$("brush-redo").addEventListener("click", redo);
$("brush-clear").addEventListener("click", () => {
  restored[activeRegion()] = null;
  brush.clearRegion(activeRegion());
  say(`${names[activeRegion()]} cleared`);
});
$("region-add").addEventListener("click", () => {
  count = Math.min(brush.REGIONS.length, count + 1);
  document.dispatchEvent(new CustomEvent("region-added", { detail: count }));
});
$("regions-edit").addEventListener("click", () => {
  stage.setState("photo");
  $("brush").focus();
});
$("regions").addEventListener("input", update);
brush.onStrokes(() => {
  sent = [];
  update();
});
document.addEventListener("stage", update);
document.addEventListener("photo-shown", () => {
  restored = [];
  brush.reset(photo.naturalWidth || 3, photo.naturalHeight || 2);
});
