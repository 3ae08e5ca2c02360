// The page: what is found, what is liked, and the row that answers.

import { Refusal, get, newest, post } from "./api.js";
import { element, show } from "./cards.js";
import * as keys from "./keys.js";
import * as thing from "./thing.js";
import * as trial from "./trial.js";

const PAGE = 24;
const ROW = 18;

const part = (id) => document.getElementById(id);
const [askItems, askRow] = [newest(), newest()];

let about = null;
let found = [];
let liked = new Map();

const shop = {
  isLiked: (id) => liked.has(id),
  likedIds: () => [...liked.keys()],
  weight: () => Number(part("weight").value) / 100,
  open: (item) => thing.open(item),
  tell: (text) => {
    part("told").textContent = text;
  },
  like(item) {
    if (liked.has(item.id)) liked.delete(item.id);
    else liked.set(item.id, { id: item.id, title: item.title, picture: item.picture });
    keep();
    for (const node of document.querySelectorAll(`[data-item="${CSS.escape(item.id)}"] .like`)) {
      node.setAttribute("aria-pressed", String(liked.has(item.id)));
    }
    thing.refresh();
    fillRow();
  },
  async added(item) {
    await Promise.all([fillGrid(), fillRow()]);
    thing.open(item, await placeOf(item));
  },
};

async function placeOf(item) {
  if (liked.size === 0) return "New: nobody has taken it yet. Like a few things to see where it comes in your row.";
  const body = { items: shop.likedIds(), k: 1000, content_weight: shop.weight() };
  const { items } = await post("history", body);
  const place = items.findIndex((each) => each.id === item.id);
  return place < 0 ? "New, and not among the first 1,000 of your row." : `New, and number ${place + 1} in your row.`;
}

function storageName() {
  return `crane-likes ${about.name}`;
}

function keep() {
  try {
    localStorage.setItem(storageName(), JSON.stringify([...liked.values()]));
  } catch {
    // Private windows keep nothing.
  }
}

async function remember() {
  let kept = [];
  try {
    kept = JSON.parse(localStorage.getItem(storageName())) ?? [];
  } catch {
    return;
  }
  const alive = await Promise.all(
    kept.map((item) => post("history", { items: [item.id], k: 1 }).then(() => item, () => null)),
  );
  liked = new Map(alive.filter(Boolean).map((item) => [item.id, item]));
}

async function fillGrid(more = false) {
  const words = part("search").value.trim();
  const params = { search: words, offset: more ? found.length : 0, limit: PAGE };
  try {
    const page = await askItems((signal) => get("items", params, signal));
    if (page === null) return;
    found = more ? [...found, ...page.items] : page.items;
    if (more) {
      const first = found.length - page.items.length;
      show(part("grid"), found, shop);
      part("grid").children[first]?.querySelector(".open").focus();
    } else {
      show(part("grid"), found, shop);
    }
    part("found").textContent = words ? `“${words}”` : "Everything";
    part("nothing").textContent = `Nothing is called “${words}”.`;
    part("nothing").hidden = page.total > 0;
    part("more").hidden = found.length >= page.total;
    if (words) shop.tell(`${page.total} found`);
  } catch (error) {
    complain(error);
  }
}

async function fillRow() {
  const row = part("row");
  const history = shop.likedIds();
  part("weight").disabled = history.length === 0 || about.modalities.length === 0;
  if (history.length === 0) {
    part("because").textContent = "";
    const text = "Like something above, and this row answers at once.";
    row.replaceChildren(element("li", { className: "empty", textContent: text }));
    return;
  }
  const titles = [...liked.values()].map((item) => item.title);
  part("because").textContent = `because you like ${listed(titles)}`;
  try {
    const body = { items: history, k: ROW, content_weight: shop.weight() };
    const answer = await askRow((signal) => post("history", body, signal));
    if (answer === null) return;
    show(row, answer.items, shop);
    row.scrollTo({ left: 0 });
    shop.tell(`${answer.items.length} for you, first ${answer.items[0]?.title ?? "nothing"}`);
  } catch (error) {
    complain(error);
  }
}

function listed(titles) {
  const last = [...titles].reverse();
  if (last.length <= 2) return last.join(" and ");
  return `${last[0]}, ${last[1]} and ${last.length - 2} more`;
}

let hiding = 0;
function complain(error) {
  const toast = part("toast");
  toast.textContent = error instanceof Refusal ? error.message : "The shop does not answer.";
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => {
    toast.hidden = true;
  }, 6000);
}

function later(action, wait) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };
}

function foldShelf() {
  const button = part("fold-shelf");
  const folded = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!folded));
  button.setAttribute("aria-label", folded ? "Unfold the row" : "Fold the row");
  part("shelf").classList.toggle("folded", folded);
  part("shelf-body").hidden = folded;
}

async function start() {
  keys.setUp(part("search"));
  part("search").addEventListener("input", later(() => fillGrid(), 120));
  part("weight").addEventListener("input", later(() => fillRow(), 60));
  part("more").addEventListener("click", () => fillGrid(true));
  part("fold-shelf").addEventListener("click", foldShelf);
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }
  try {
    about = await get("health");
  } catch (error) {
    complain(error);
    return;
  }
  document.title = about.name;
  part("name").textContent = about.name;
  part("size").textContent = `${about.items.toLocaleString("en")} things`;
  part("mix").hidden = about.modalities.length === 0;
  thing.setUp(shop, about.modalities);
  trial.setUp(shop, about.modalities);
  await remember();
  await Promise.all([fillGrid(), fillRow()]);
}

start();
