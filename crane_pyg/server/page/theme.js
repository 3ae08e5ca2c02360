// Light, dark, or as the system has it; the choice is kept. Runs before the page is drawn.

{
  const ORDER = ["system", "light", "dark"];
  const NAME = "crane-theme";
  const root = document.documentElement;

  const set = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  try {
    const kept = localStorage.getItem(NAME);
    if (ORDER.includes(kept)) set(kept);
  } catch {
    // Private windows keep nothing.
  }

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const name = () => {
      const theme = root.dataset.theme ?? "as the system";
      button.setAttribute("aria-label", `Colours: ${theme}`);
      button.title = `Colours: ${theme}`;
    };
    name();
    button.addEventListener("click", () => {
      const now = root.dataset.theme ?? "system";
      const next = ORDER[(ORDER.indexOf(now) + 1) % ORDER.length];
      set(next);
      name();
      try {
        localStorage.setItem(NAME, next);
      } catch {
        // As above.
      }
    });
  });
}
