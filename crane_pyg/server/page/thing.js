// The dialog of one item: why it is recommended, and what resembles it.

import { newest, post } from "./api.js";
import { element, fillFrame, frame, show } from "./cards.js";

const NAMES = { behaviour: "behaviour", image: "look", visual: "look", text: "words", textual: "words", audio: "sound", acoustic: "sound" };
// The way by which an amount came; whether it speaks for the item is another matter.
const LOOKS = "things that look alike";
const READS = "things that read alike";
const SOUNDS = "things that sound alike";
const WAYS = {
  behaviour: "people who took such things",
  together: "what is taken together",
  image: LOOKS,
  visual: LOOKS,
  text: READS,
  textual: READS,
  audio: SOUNDS,
  acoustic: SOUNDS,
};
const MANY = 12;
const MOST_REASONS = 5;
const LEAST_SHARE = 0.01;

const part = (id) => document.getElementById(id);
const dialog = part("thing");
const [askSimilar, askWhy] = [newest(), newest()];

let shop = null;
let shown = null;
let by = "behaviour";

export function setUp(theShop, modalities) {
  shop = theShop;
  const ways = ["behaviour", ...modalities];
  part("by").replaceChildren(
    ...ways.map((way) => {
      const button = element("button", { type: "button", textContent: `by ${NAMES[way] ?? way}`, "aria-pressed": String(way === by) });
      button.dataset.way = way;
      button.addEventListener("click", () => choose(way));
      return button;
    }),
  );
  part("thing-like").addEventListener("click", () => shop.like(shown));
  dialog.addEventListener("close", () => {
    shown = null;
  });
}

export function open(item, note = "") {
  shown = item;
  part("thing-title").textContent = item.title;
  part("thing-id").textContent = item.title === item.id ? "" : item.id;
  part("thing-note").textContent = note;
  part("thing-note").hidden = !note;
  fillFrame(part("thing-frame"), item);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  part("thing-title").focus();
  refresh();
  similar();
}

// What depends on what is liked.
export function refresh() {
  if (shown === null) return;
  const liked = shop.isLiked(shown.id);
  const button = part("thing-like");
  button.setAttribute("aria-pressed", String(liked));
  button.lastElementChild.textContent = liked ? "You like it" : "Like";
  why();
}

function choose(way) {
  by = way;
  for (const button of part("by").children) button.setAttribute("aria-pressed", String(button.dataset.way === way));
  similar();
}

async function similar() {
  const item = shown;
  part("similar").classList.add("busy");
  try {
    const found = await askSimilar((signal) => post("similar", { items: [item.id], k: MANY, by }, signal));
    if (found === null) return;
    show(part("similar"), found.results[0].items, shop);
    shop.tell(`${found.results[0].items.length} things similar by ${NAMES[by] ?? by}`);
  } catch (error) {
    part("similar").replaceChildren(element("li", { className: "empty", textContent: error.message }));
  }
  part("similar").classList.remove("busy");
}

async function why() {
  const item = shown;
  const history = shop.likedIds().filter((id) => id !== item.id);
  const list = part("why-list");
  part("why").hidden = shop.isLiked(item.id);
  if (shop.isLiked(item.id)) return;
  if (history.length === 0) {
    part("why-text").textContent = "Like a few things, and it says what they have to do with this one.";
    list.replaceChildren();
    return;
  }
  try {
    const found = await askWhy((signal) => post("explain", { item: item.id, history }, signal));
    if (found === null) return;
    const reasons = strongest(found.contributions);
    const speaks = reasons.some((reason) => reason.share > 0);
    part("why-text").textContent = speaks ? "Because of what you like:" : "What you like speaks against it:";
    const most = Math.max(...reasons.map((reason) => Math.abs(reason.share)));
    list.replaceChildren(...reasons.map((reason) => line(reason, Math.abs(reason.share) / most)));
  } catch (error) {
    part("why-text").textContent = error.message;
    list.replaceChildren();
  }
}

// Two edges to one thing are two reasons; what is too small to be seen is left out.
function strongest(contributions) {
  const total = contributions.reduce((sum, reason) => sum + Math.abs(reason.amount), 0) || 1;
  const weighed = contributions.map((reason) => ({ ...reason, share: reason.amount / total }));
  weighed.sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
  return weighed.filter((reason) => Math.abs(reason.share) >= LEAST_SHARE).slice(0, MOST_REASONS);
}

function line(reason, length) {
  const bar = element("i");
  bar.style.setProperty("--part", `${Math.max(2, 100 * length)}%`);
  const against = reason.share < 0;
  const way = `${against ? "against it, " : ""}by way of ${WAYS[reason.edge] ?? `their ${reason.edge}`}`;
  return element(
    "li",
    {},
    frame(reason.item),
    element(
      "span",
      { className: "of" },
      reason.item.title,
      element("span", { className: "edge", textContent: ` · ${way}` }),
      element("span", { className: against ? "bar against" : "bar" }, bar),
    ),
    element("span", { className: "share", textContent: `${against ? "−" : ""}${Math.round(100 * Math.abs(reason.share))}%` }),
  );
}
