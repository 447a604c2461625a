// Which styles are chosen: one, or two with a balance between them.

import { hang, madeBy, reveal, styleOf, titleOf } from "./catalog.js";
import { $, element } from "./dom.js";

const slots = $("panel").elements.slot;
let chosen = [null, null]; // ids; the second counts only in a blend

const isBlend = () => !$("blend").hidden;
const active = () => (isBlend() ? Number(slots.value) : 0);
const radios = () => [...document.getElementsByName("style")];

/** The styles to paint with, as the API takes them. */
export function chosenStyles() {
  if (!isBlend()) return [{ style: chosen[0], weight: 1 }];
  const percent = Number($("balance").value); // of the second, which stands at the right
  return [{ style: chosen[0], weight: 100 - percent }, { style: chosen[1], weight: percent }];
}

/** Choose the styles of an earlier job, as far as they are still there. */
export function chooseStyles(wanted) {
  const known = wanted.filter((entry) => styleOf(entry.style)).slice(0, 2);
  if (!known.length) return;
  const [first, second] = known;
  chosen = [first.style, second?.style ?? null];
  if (second) $("balance").value = (100 * second.weight) / (first.weight + second.weight);
  setBlend(Boolean(second), 0);
  reveal(first.style);
}

/** Choose one more style, where the person is choosing. */
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
  hang($("hung"), chosen[0]);
  hang($("glow"), chosen[0]);
  $("invitation-style").textContent = chosen[0] ? titleOf(chosen[0]) : "a work of art";
  if (isBlend()) showBlend();
}

function describe(style) {
  const title = element("strong", { textContent: style?.title ?? "" });
  const facts = style ? [madeBy(style), style.description, style.license] : [];
  $("about").replaceChildren(title, ...facts.filter(Boolean).map((fact) => ` · ${fact}`));
}

function showBlend() {
  const percent = Number($("balance").value);
  const parts = [100 - percent, percent];
  for (const [slot, part] of parts.entries()) {
    hang($(`slot-${slot}-swatch`), chosen[slot]);
    $(`slot-${slot}-title`).textContent = titleOf(chosen[slot]);
    $(`share-${slot}`).textContent = `${part} %`;
  }
  $("balance").setAttribute("aria-valuetext", chosen.map((id, slot) => `${parts[slot]} % ${titleOf(id)}`).join(", "));
}

$("tiles").addEventListener("change", (event) => chooseStyle(event.target.value));
$("blend").addEventListener("input", show);
$("blend-toggle").addEventListener("click", () => setBlend(!isBlend(), isBlend() ? 0 : 1));
