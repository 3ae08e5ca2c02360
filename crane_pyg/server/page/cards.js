// An item as a card, and a drawing for those without a picture.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

export function icon(name, more = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${more}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function frame(item, more = "") {
  const box = element("span", { className: `frame ${more}` });
  fillFrame(box, item);
  return box;
}

export function fillFrame(box, item) {
  if (!item.picture) {
    box.replaceChildren(drawing(item));
    return;
  }
  const image = element("img", { src: item.picture, alt: "", loading: "lazy", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(drawing(item)), { once: true });
  box.replaceChildren(image);
}

// Hills under a sun, in colours and heights that the id decides: the same item, the same drawing.
function drawing(item) {
  const dice = diceOf(item.id);
  const hue = Math.floor(dice() * 360);
  const part = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const svg = part("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "xMidYMid slice", "aria-hidden": "true" });
  svg.append(part("rect", { width: 100, height: 100, fill: `hsl(${hue} 22% 84%)` }));
  svg.append(part("circle", { cx: 25 + dice() * 50, cy: 28 + dice() * 10, r: 9 + dice() * 5, fill: `hsl(${hue} 40% 93%)` }));
  for (let layer = 0; layer < 3; layer += 1) {
    const top = 46 + layer * 15;
    const [a, b, c, d] = [0, 1, 2, 3].map(() => top + (dice() - 0.5) * 22);
    const path = `M0 ${a} C30 ${b} 60 ${c} 100 ${d} V100 H0 Z`;
    svg.append(part("path", { d: path, fill: `hsl(${hue + layer * 12} ${20 + layer * 3}% ${70 - layer * 11}%)` }));
  }
  const letter = part("text", { x: 50, y: 87, class: "hand" });
  letter.textContent = [...item.title.trim()][0]?.toUpperCase() ?? "";
  svg.append(letter);
  return svg;
}

function diceOf(text) {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ character.codePointAt(0), 16777619);
  return () => {
    state = Math.imul(state ^ (state >>> 15), 2246822507) + 1;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

// `shop` knows what is liked, and what opening and liking do.
export function card(item, shop) {
  const liked = shop.isLiked(item.id);
  const open = element(
    "button",
    { className: "open", type: "button" },
    frame(item),
    element("span", { className: "title", textContent: item.title, title: item.title }),
  );
  open.addEventListener("click", () => shop.open(item));
  const like = element(
    "button",
    { className: "like", type: "button", "aria-label": `Like ${item.title}`, "aria-pressed": String(liked) },
    icon("heart"),
  );
  like.addEventListener("click", () => shop.like(item));
  const node = element("li", { className: "card" }, open, like);
  node.dataset.item = item.id;
  if (item.id.startsWith("new-")) node.append(element("span", { className: "badge", textContent: "new" }));
  return node;
}

// Shows a list; what was in it before glides to its new place, what was not fades in.
export function show(list, items, shop) {
  const before = new Map([...list.children].map((node) => [node.dataset.item, node.getBoundingClientRect()]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const again = focused && { item: focused.closest("[data-item]")?.dataset.item, kind: focused.className };
  list.replaceChildren(...items.map((item) => card(item, shop)));
  if (again?.item !== undefined) {
    const same = [...list.children].find((node) => node.dataset.item === again.item);
    (same?.querySelector(`.${again.kind}`) ?? list.querySelector(".open"))?.focus({ preventScroll: true });
  }
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  for (const node of list.children) {
    const [old, now] = [before.get(node.dataset.item), node.getBoundingClientRect()];
    const from = old
      ? { transform: `translate(${old.x - now.x}px, ${old.y - now.y}px)` }
      : { opacity: 0, transform: "scale(0.96)" };
    node.animate([from, { opacity: 1, transform: "none" }], { duration: 240, easing: "ease-out" });
  }
}
