// Owns the colour theme: applies the remembered choice before the first paint, and switches it.
(function () {
  "use strict";
  const root = document.documentElement;
  const choices = ["system", "light", "dark"];
  root.classList.add("js");

  function read() {
    try {
      const kept = localStorage.getItem("theme");
      return choices.includes(kept) ? kept : "system";
    } catch {
      return "system"; // storage can be forbidden; the page then follows the system
    }
  }

  function apply(choice) {
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
  }

  function announce(choice) {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.querySelector("[data-theme-words]").textContent = "Theme: " + choice;
      button.title = "Theme: " + choice;
    }
  }

  let current = read();
  apply(current);
  document.addEventListener("DOMContentLoaded", () => announce(current));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    current = choices[(choices.indexOf(current) + 1) % choices.length];
    try {
      localStorage.setItem("theme", current);
    } catch {
      // Forbidden storage: the choice holds for this page only.
    }
    apply(current);
    announce(current);
    document.dispatchEvent(new Event("themechange"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new Event("themechange"));
  });
})();
