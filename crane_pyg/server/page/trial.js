// The dialog in which a new item is tried.

import { post } from "./api.js";

const MOST_BYTES = 8 * 2 ** 20;
const part = (id) => document.getElementById(id);
const dialog = part("trial");

let picture = null;

export function setUp(shop, modalities) {
  part("try").addEventListener("click", () => {
    part("trial-error").textContent = "";
    dialog.showModal();
    part("new-title").focus();
  });
  const [looks, reads] = [modalities.includes("image"), modalities.includes("text")];
  part("try").hidden = !looks && !reads;
  part("placed-by").textContent = looks && reads ? "looks and reads" : looks ? "looks" : "reads";
  part("drop").hidden = !looks;
  if (looks) takePictures();
  part("trial-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(shop);
  });
}

function takePictures() {
  const drop = part("drop");
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  part("file").addEventListener("change", () => take([...part("file").files]));
  dialog.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take([...event.clipboardData.files]);
  });
}

function take(files) {
  const file = files.find((each) => each.type.startsWith("image/"));
  const error = part("trial-error");
  if (file === undefined) {
    error.textContent = files.length ? "That is no picture." : "";
    return;
  }
  if (file.size > MOST_BYTES) {
    error.textContent = "A picture may have 8 MB.";
    return;
  }
  error.textContent = "";
  picture = file;
  const preview = part("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  part("drop-text").textContent = file.name;
}

async function send(shop) {
  const title = part("new-title").value.trim();
  const error = part("trial-error");
  if (!title) {
    error.textContent = "What is it called?";
    part("new-title").focus();
    return;
  }
  const button = part("trial-send");
  button.disabled = true;
  button.textContent = "Looking and reading …";
  error.textContent = "";
  try {
    const body = { title, text: part("new-text").value };
    if (picture !== null) body.picture = await base64(picture);
    const item = await post("items", body);
    dialog.close();
    clear();
    await shop.added(item);
  } catch (problem) {
    error.textContent = problem.message;
  }
  button.disabled = false;
  button.textContent = "Try it";
}

function clear() {
  part("trial-form").reset();
  part("preview").hidden = true;
  part("drop-text").textContent = "Drop a picture here, or choose one";
  picture = null;
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("The picture cannot be read."));
    reader.readAsDataURL(file);
  });
}
