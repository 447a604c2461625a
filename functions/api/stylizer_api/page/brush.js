// Brush on the photo: strokes of regions, with undo, by pointer, touch or keyboard.

import { ApiError } from "./api.js";
import { $ } from "./dom.js";

export const REGIONS = [1, 2, 3]; // 0 is everywhere else
const WORK_SIDE = 1024; // long side in pixels of the layers
const TINT = 0.6; // opacity of regions over the photo
const canvas = $("brush");
const view = canvas.getContext("2d");
const layers = REGIONS.map(() => document.createElement("canvas"));

let strokes = []; // {region, size, points}, or {cleared: region}; sizes and points relative to the canvas
let undone = [];
let stroke = null; // in progress
let cursor = { x: 0.5, y: 0.5 };
let isCursorShown = false;
let tool = { region: 1, size: 0.1 };
let onChange = () => {};

/** Call `listener()` after each change of the strokes. */
export const onStrokes = (listener) => (onChange = listener);

/** Set the region that is painted, 0 to erase, or the size relative to the long side. */
export function setTool(changes) {
  tool = { ...tool, ...changes };
  render();
}

/** Start without strokes on a photo of this size in pixels. */
export function reset(width, height) {
  const scale = WORK_SIDE / Math.max(width, height);
  for (const each of [canvas, ...layers]) {
    each.width = Math.max(1, Math.round(width * scale));
    each.height = Math.max(1, Math.round(height * scale));
  }
  [strokes, undone, stroke] = [[], [], null];
  replay();
}

export const canUndo = () => strokes.length > 0;
export const canRedo = () => undone.length > 0;

export function undo() {
  if (canUndo()) undone.push(strokes.pop());
  replay();
}

export function redo() {
  if (canRedo()) strokes.push(undone.pop());
  replay();
}

export const clearRegion = (region) => add({ cleared: region });

/** Whether any pixel belongs to a region. */
export function isPainted(region) {
  const { width, height } = canvas;
  if (!strokes.some((each) => each.region === region)) return false;
  const pixels = layers[region - 1].getContext("2d").getImageData(0, 0, width, height).data;
  for (let alpha = 3; alpha < pixels.length; alpha += 4) if (pixels[alpha]) return true;
  return false;
}

/** Return the mask of a region as a PNG of this size: white where it is painted. */
export async function maskOf(region, width, height) {
  const mask = Object.assign(document.createElement("canvas"), { width, height });
  const context = mask.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(layers[region - 1], 0, 0, width, height);
  for (const [operation, color] of [["source-in", "#fff"], ["destination-over", "#000"]]) {
    context.globalCompositeOperation = operation;
    context.fillStyle = color;
    context.fillRect(0, 0, width, height);
  }
  const blob = await new Promise((resolve) => mask.toBlob(resolve, "image/png"));
  if (!blob) throw new ApiError({ field: "style", detail: "The photo is too large for this browser to paint regions on it." });
  return new File([blob], `region-${region}.png`, { type: "image/png" });
}

function add(change) {
  strokes.push(change);
  undone = [];
  replay();
}

function replay() {
  for (const layer of layers) layer.getContext("2d").clearRect(0, 0, layer.width, layer.height);
  for (const each of strokes) draw(each);
  render();
  onChange();
}

function draw({ cleared, ...line }) {
  for (const [index, layer] of layers.entries()) {
    if (cleared === index + 1) layer.getContext("2d").clearRect(0, 0, layer.width, layer.height);
    if (!cleared) drawLine(layer.getContext("2d"), index + 1, line);
  }
}

/** Draw a line into the layer of one region; it is erased from the others, so that each pixel has one style. */
function drawLine(context, layer, { region, size, points }) {
  const { width, height } = canvas;
  context.globalCompositeOperation = layer === region ? "source-over" : "destination-out";
  context.strokeStyle = getComputedStyle(canvas).getPropertyValue(`--region-${layer}`);
  context.lineWidth = Math.max(1, size * Math.max(width, height));
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  const [first, ...rest] = points;
  context.moveTo(first.x * width, first.y * height);
  for (const { x, y } of rest.length ? rest : [first]) context.lineTo(x * width, y * height);
  context.stroke();
}

function render() {
  view.clearRect(0, 0, canvas.width, canvas.height);
  view.globalAlpha = TINT;
  for (const layer of layers) view.drawImage(layer, 0, 0);
  view.globalAlpha = 1;
  if (isCursorShown) drawCursor();
}

function drawCursor() {
  const { width, height } = canvas;
  for (const [lineWidth, color] of [[6, "#000"], [3, "#fff"]]) {
    view.lineWidth = lineWidth;
    view.strokeStyle = color;
    view.beginPath();
    view.arc(cursor.x * width, cursor.y * height, Math.max(4, (tool.size * Math.max(width, height)) / 2), 0, 7);
    view.stroke();
  }
}

function begin() {
  stroke = { ...tool, points: [cursor] };
  draw(stroke);
  render();
}

function moveTo(x, y) {
  const from = cursor;
  cursor = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
  if (stroke) {
    stroke.points.push(cursor);
    draw({ ...stroke, points: [from, cursor] });
  }
  render();
}

function finish() {
  if (!stroke) return;
  const done = stroke;
  stroke = null;
  add(done);
}

/** Move the cursor by steps of half its size, as long as Space is held with a line. */
export function step(across, down) {
  const { width, height } = canvas;
  const distance = Math.max(0.01, tool.size / 2) * Math.max(width, height);
  moveTo(cursor.x + (across * distance) / width, cursor.y + (down * distance) / height);
  return cursor;
}

export const penDown = () => stroke ?? begin();
export const penUp = finish;

function followPointer(event) {
  const box = canvas.getBoundingClientRect();
  isCursorShown = true;
  moveTo((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || stroke) return;
  canvas.setPointerCapture(event.pointerId);
  followPointer(event);
  begin();
});
canvas.addEventListener("pointermove", followPointer);
for (const end of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(end, finish);
for (const [name, shown] of [["pointerleave", false], ["focus", true], ["blur", false]]) {
  canvas.addEventListener(name, () => {
    isCursorShown = shown || canvas.matches(":focus-visible");
    render();
  });
}
