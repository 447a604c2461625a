// Choice of styles: one, or a blend of two.

import { showSwatch, attribution, scrollToStyle, styleOf, titleOf } from "./catalog.js";
import { $, element } from "./dom.js";

const slots = $("panel").elements.slot;
let chosen = [null, null]; // ids; the second is used in a blend only

const isBlend = () => !$("blend").hidden;
const active = () => (isBlend() ? Number(slots.value) : 0);
const radios = () => [...document.getElementsByName("style")];

/** Return the chosen styles with weights, as in the API. */
export function chosenStyles() {
  if (!isBlend()) return [{ style: chosen[0], weight: 1 }];
  const percent = Number($("balance").value); // of the second style, on the right
  return [{ style: chosen[0], weight: 100 - percent }, { style: chosen[1], weight: percent }];
}

/** Choose the styles of a job, as far as they still exist. */
export function chooseStyles(wanted) {
  const known = wanted.filter((entry) => styleOf(entry.style)).slice(0, 2);
  if (!known.length) return;
  const [first, second] = known;
  chosen = [first.style, second?.style ?? null];
  if (second) $("balance").value = (100 * second.weight) / (first.weight + second.weight);
  setBlend(Boolean(second), 0);
  scrollToStyle(first.style);
}

/** Choose a style for the active slot. */
export function chooseStyle(id) {
  chosen[active()] = id;
  show();
}

function setBlend(on, slot) {
  $("blend").hidden = !on;
  $("blend-toggle").setAttribute("aria-expanded", String(on));
  $("blend-toggle").textContent = on ? "Use one style only" : "Blend with a second style";
  slots.value = String(slot);
  if (on) chosen[1] ??= radios().find((radio) => radio.value !== chosen[0])?.value ?? chosen[0];
  show();
}

function show() {
  const style = styleOf(chosen[active()]);
  for (const radio of radios()) {
    radio.checked = radio.value === style?.id;
    const isOther = isBlend() && radio.value === chosen[1 - active()];
    radio.closest("label").classList.toggle("other", isOther);
  }
  describe(style);
  showSwatch($("hung"), chosen[0]);
  showSwatch($("glow"), chosen[0]);
  $("invitation-style").textContent = chosen[0] ? titleOf(chosen[0]) : "a work of art";
  if (isBlend()) showBlend();
}

function describe(style) {
  const title = element("strong", { textContent: style?.title ?? "" });
  const facts = style ? [attribution(style), style.description, style.license] : [];
  $("about").replaceChildren(title, ...facts.filter(Boolean).map((fact) => ` · ${fact}`));
}

function showBlend() {
  const percent = Number($("balance").value);
  const parts = [100 - percent, percent];
  for (const [slot, part] of parts.entries()) {
    showSwatch($(`slot-${slot}-swatch`), chosen[slot]);
    $(`slot-${slot}-title`).textContent = titleOf(chosen[slot]);
    $(`share-${slot}`).textContent = `${part} %`;
  }
  $("balance").setAttribute("aria-valuetext", chosen.map((id, slot) => `${parts[slot]} % ${titleOf(id)}`).join(", "));
}

$("tiles").addEventListener("change", (event) => chooseStyle(event.target.value));
$("blend").addEventListener("input", show);
$("blend-toggle").addEventListener("click", () => setBlend(!isBlend(), isBlend() ? 0 : 1));
