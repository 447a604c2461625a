// Option controls, adapted to the chosen method.

import { $ } from "./dom.js";

const panel = $("panel");
const methods = panel.elements.method;
let requestedSize = $("size").value; // restored when the method allows it

/** Collect all options except photo, styles and masks. */
export function options() {
  const data = new FormData(panel); // omits disabled inputs
  const features = data.get("features");
  return {
    method: data.get("method"),
    size: data.get("size") === "original" ? "original" : Number(data.get("size")),
    strength: Number(data.get("strength")),
    style_scale: $("stroke").disabled ? 1 : 2 ** Number($("stroke").value),
    preserve_color: data.get("preserve_color"),
    quality: data.get("quality"),
    ...(features && { features }),
    seed: Number(data.get("seed")),
    format: data.get("format"),
    ...(!isClip() && { keep_metadata: data.get("keep_metadata") }),
    ...(!isClip() && { variants: Number(data.get("variants")) }),
    ...(!$("animate-control").hidden && { animate: $("animate").checked }),
  };
}

const ANIMATIONS = { "image/gif": "gif", "image/webp": "webp", "image/apng": "png" };

/** Adapt the controls to the kind of a new photo or clip: videos are always painted whole, animations if wanted. */
export function adaptToFile(type) {
  const isVideo = type.startsWith("video/");
  const animation = ANIMATIONS[type];
  $("animate-control").hidden = !isVideo && !animation;
  $("animate").checked = isVideo || type === "image/gif";
  $("animate").disabled = isVideo;
  clipFormat = animation ?? "mp4";
  adaptFormats({ reset: true });
  limitSize();
}

let clipFormat = "mp4"; // of the clip, for its painting

const isClip = () => !$("animate-control").hidden && $("animate").checked;

/** Offer the formats of clips, or those of pictures and variants; choose another if the chosen one is not among them. */
function adaptFormats({ reset = false } = {}) {
  $("variants-control").hidden = $("keep-metadata-control").hidden = isClip();
  for (const option of $("format").options) {
    option.disabled = isClip() ? !["gif", "webp", "png", "mp4"].includes(option.value) : "clip" in option.dataset;
  }
  const isAllowed = !$("format").selectedOptions[0]?.disabled;
  if (isClip() && (reset || !isAllowed)) $("format").value = clipFormat;
  else if (!isAllowed) $("format").value = "jpeg";
}

/** Collect the chosen masks that the method supports, as [field, file]. */
export function masks() {
  const inputs = { mask: $("mask-file"), content_mask: $("content-mask-file") };
  const chosen = Object.entries(inputs).filter(([, input]) => !input.disabled && input.files[0]);
  return chosen.map(([name, input]) => [name, input.files[0]]);
}

/** Set the controls to the options of a job. */
export function restore(job) {
  const features = job.options.features ?? $("features").options[0].value;
  for (const [name, value] of Object.entries({ ...job.options, features, method: job.method, variants: job.variants })) {
    const element = panel.elements[name];
    if (!element) continue;
    if (element instanceof HTMLSelectElement && ![...element.options].some((o) => o.value === String(value))) {
      element.add(new Option(name === "size" ? `${value} px` : value, value));
    }
    element.value = value;
  }
  $("animate-control").hidden = !job.options.animate;
  $("animate").checked = Boolean(job.options.animate);
  $("stroke").value = Math.log2(job.options.style_scale);
  requestedSize = job.options.size;
  updateControls();
}

/** Show only controls that the method supports, and update the displayed values. */
function updateControls() {
  for (const control of panel.querySelectorAll("[data-only], [data-except]")) {
    const { only = methods.value, except = "" } = control.dataset;
    control.hidden = !only.split(" ").includes(methods.value) || except.split(" ").includes(methods.value);
    for (const input of control.querySelectorAll("input, select")) input.disabled = control.hidden;
  }
  const colors = panel.elements.preserve_color;
  if (colors.value === "histogram" && panel.querySelector('[name="preserve_color"][value="histogram"]').disabled) colors.value = "none";
  $("vgg19-note").hidden = $("features").value !== "vgg19";
  limitSize();
  adaptFormats();
  $("strength-out").textContent = `${Math.round($("strength").value * 100)} %`;
  $("stroke-out").textContent = `${Number((2 ** $("stroke").value).toFixed(2))} ×`;
}

function limitSize() {
  const limits = [panel.querySelector('[name="method"]:checked')];
  if (!$("features").disabled) limits.push($("features").selectedOptions[0]);
  if (isClip()) limits.push($("animate"));
  const largest = Math.min(...limits.map((choice) => Number(choice.dataset.largest)));
  for (const size of $("size").options) size.disabled = Number(size.value) > largest;
  $("size").value = requestedSize === "original" ? "original" : Math.min(requestedSize, largest);
  $("size-note").textContent = $("size").querySelector(":disabled") ? `up to ${largest} px` : "";
}

$("size").addEventListener("input", () => (requestedSize = $("size").value));
panel.addEventListener("input", updateControls);
updateControls();
