// Variants: several paintings of one photo, to choose from.

import { imageElement } from "./api.js";
import { $, element } from "./dom.js";

const sheet = $("variants");
let listed = null; // id of the job whose variants are listed

/** List the variants of a finished job, number `chosen` checked; `onChoose` receives the number of another. */
export function listVariants(job, chosen, onChoose) {
  sheet.hidden = job.results.length < 2;
  if (listed !== job.id) sheet.replaceChildren(...job.results.map(choice));
  listed = job.id;
  sheet.querySelector(`[value="${chosen}"]`).checked = true;
  sheet.onchange = ({ target }) => onChoose(Number(target.value));
}

function choice(result, index) {
  const number = index + 1;
  const picture = result.preview ? imageElement(result.preview, { alt: "" }) : element("span", { textContent: number });
  const input = element("input", { type: "radio", name: "variant", value: number, ariaLabel: `Painting ${number}` });
  return element("label", { className: "slot" }, input, picture);
}
