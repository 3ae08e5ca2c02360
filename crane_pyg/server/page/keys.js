// What keys do: / searches, arrows move between cards, L likes.

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function setUp(search) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const card = event.target.closest?.(".card");
    if (event.key === "/" && !document.querySelector("dialog[open]")) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (card && event.key.toLowerCase() === "l") {
      card.querySelector(".like").click();
    } else if (card && event.key in STEPS) {
      const next = neighbour(card, ...STEPS[event.key]);
      if (next) {
        event.preventDefault();
        next.querySelector(".open").focus();
      }
    }
  });
}

function isTyping(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

function neighbour(card, across, down) {
  const cards = [...card.parentElement.querySelectorAll(".card")];
  const place = cards.indexOf(card);
  if (across) return cards[place + across];
  const top = cards[0].offsetTop;
  const columns = cards.filter((each) => each.offsetTop === top).length;
  return columns < cards.length ? cards[place + down * columns] : undefined;
}
