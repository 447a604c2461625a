// The controls: what a person can ask for, with the method chosen.

import { $ } from "./dom.js";

const panel = $("panel");
const methods = panel.elements.method;
let wishedSize = Number($("size").value); // asked for again as soon as the method takes it

/** What is asked for, all but the photo, the style and the masks. */
export function options() {
  const data = new FormData(panel); // leaves out what is disabled
  const features = data.get("features");
  return {
    method: data.get("method"),
    size: Number(data.get("size")),
    strength: Number(data.get("strength")),
    style_scale: 2 ** Number($("stroke").value),
    preserve_color: data.get("preserve_color"),
    quality: data.get("quality"),
    ...(features && { features }),
    seed: Number(data.get("seed")),
    format: data.get("format"),
  };
}

/** The masks chosen that the method takes, by the name of their field. */
export function masks() {
  const inputs = { mask: $("mask-file"), content_mask: $("content-mask-file") };
  const chosen = Object.entries(inputs).filter(([, input]) => !input.disabled && input.files[0]);
  return chosen.map(([name, input]) => [name, input.files[0]]);
}

/** Put the controls where an earlier job had them. */
export function restore(job) {
  const features = job.options.features ?? $("features").options[0].value;
  for (const [name, value] of Object.entries({ ...job.options, features, method: job.method })) {
    const element = panel.elements[name];
    if (!element) continue;
    if (element instanceof HTMLSelectElement && ![...element.options].some((o) => o.value === String(value))) {
      element.add(new Option(name === "size" ? `${value} px` : value, value));
    }
    element.value = value;
  }
  $("stroke").value = Math.log2(job.options.style_scale);
  wishedSize = job.options.size;
  adapt();
}

/** Offer what the chosen method honors and nothing else, and show the numbers. */
function adapt() {
  for (const control of panel.querySelectorAll("[data-only]")) {
    control.hidden = !control.dataset.only.split(" ").includes(methods.value);
    for (const input of control.querySelectorAll("input, select")) input.disabled = control.hidden;
  }
  $("vgg19-note").hidden = $("features").value !== "vgg19";
  limitSize();
  $("strength-out").textContent = `${Math.round($("strength").value * 100)} %`;
  $("stroke-out").textContent = `${Number((2 ** $("stroke").value).toFixed(2))} ×`;
}

function limitSize() {
  const limits = [panel.querySelector('[name="method"]:checked')];
  if (!$("features").disabled) limits.push($("features").selectedOptions[0]);
  const largest = Math.min(...limits.map((choice) => Number(choice.dataset.largest)));
  for (const size of $("size").options) size.disabled = Number(size.value) > largest;
  $("size").value = Math.min(wishedSize, largest);
  $("size-note").textContent = $("size").querySelector(":disabled") ? `up to ${largest} px` : "";
}

$("size").addEventListener("input", () => (wishedSize = Number($("size").value)));
panel.addEventListener("input", adapt);
adapt();
