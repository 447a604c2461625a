// Photo by URL, where the service fetches pictures. This page itself loads nothing from other hosts.

import { get } from "./api.js";
import { $ } from "./dom.js";
import { clearErrors, showProblem } from "./errors.js";

const dialog = $("url-dialog");
const buttons = [$("url-open"), $("url-change")];

/** Offer a dialog if the service allows it; call `onUrl(address)` for each URL. */
export async function onPhotoUrl(onUrl) {
  for (const button of buttons) button.addEventListener("click", () => open());
  $("url-cancel").addEventListener("click", () => dialog.close());
  $("url-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = $("url-field").value.trim();
    if (!/^https:\/\/[^/]/i.test(address) || !URL.canParse(address)) {
      return showProblem({ field: "content_url", detail: "Enter an https address, such as https://example.com/cat.jpg" });
    }
    dialog.close();
    onUrl(address);
  });
  const { url_inputs: isAllowed } = await get("healthz");
  $("url-open").hidden = !isAllowed;
  $("url-change").classList.toggle("unavailable", !isAllowed);
}

/** Open the dialog again for a URL that was refused. */
export function showRefusedUrl(problem, address) {
  open();
  $("url-field").value = address;
  showProblem(problem);
}

function open() {
  clearErrors(dialog);
  if (!dialog.open) dialog.showModal();
  $("url-field").select();
}

/** Name to show for a URL: the last part of its path, and the host. */
export function nameOfUrl(address) {
  const { pathname, hostname } = new URL(address);
  const file = pathname.split("/").pop();
  return file ? `${file} from ${hostname}` : hostname;
}
