// Photos and styles by URL, where the service fetches pictures. This page itself loads nothing from other hosts.

import { get } from "./api.js";
import { addToCatalog, scrollToStyle, urlStyle } from "./catalog.js";
import { $ } from "./dom.js";
import { clearErrors, showProblem } from "./errors.js";
import { chooseStyle } from "./styles.js";

const dialog = $("url-dialog");
const field = $("url-field");
let use = () => {}; // receives the address
let usePhotoUrl = () => {};

/** Offer URLs if the service allows them; call `onUrl(address)` for each photo. */
export async function onPhotoUrl(onUrl) {
  usePhotoUrl = onUrl;
  const { url_inputs: isAllowed } = await get("healthz");
  $("url-open").hidden = $("style-url").hidden = !isAllowed;
  $("url-change").classList.toggle("unavailable", !isAllowed);
}

/** Open the dialog again for the URL of a photo that was refused. */
export function showRefusedUrl(problem, address) {
  askForPhoto();
  field.value = address;
  showProblem(problem);
}

function askForPhoto() {
  use = usePhotoUrl;
  open("Photo by URL", "The service downloads the photo when you paint. This page does not load it, and shows only the painting.", "Use this photo");
}

function askForStyle() {
  use = (address) => {
    addToCatalog(urlStyle(address));
    chooseStyle(address);
    scrollToStyle(address);
  };
  open("Style by URL", "Any picture works. The service downloads it when you paint; this page does not load it.", "Use this style");
}

function open(title, note, action) {
  $("url-heading").textContent = title;
  $("url-note").textContent = note;
  $("url-use").textContent = action;
  clearErrors(dialog);
  field.value = "";
  if (!dialog.open) dialog.showModal();
  field.focus();
}

for (const button of [$("url-open"), $("url-change")]) button.addEventListener("click", askForPhoto);
$("style-url").addEventListener("click", askForStyle);
$("url-cancel").addEventListener("click", () => dialog.close());
$("url-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const address = field.value.trim();
  if (!/^https:\/\/[^/]/i.test(address) || !URL.canParse(address)) {
    return showProblem({ field: "content_url", detail: `Enter an https address, such as ${field.placeholder}` });
  }
  dialog.close();
  use(new URL(address).href);
});
