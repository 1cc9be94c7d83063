// Owns small comforts of every page: menus that close, and a word when the server cannot be reached.
(function () {
  "use strict";

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== except) menu.open = false;
    }
  }

  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    closeMenus(null);
    if (open) open.querySelector("summary").focus();
  });

  // A request that a person made and that failed must not look as if nothing happened. Polls stay quiet:
  // the next one comes by itself.
  function complain(event) {
    const { elt, target, xhr } = event.detail;
    if (!elt.matches("form, button") || !target) return;
    const words =
      xhr && xhr.status === 403 ? "Not allowed, or this page is too old: reload it and try again."
      : "The server did not answer. Nothing was changed as far as we know; try again.";
    const box = document.createElement("div");
    box.className = "notice bad";
    box.textContent = words;
    target.replaceChildren(box);
  }
  document.addEventListener("htmx:responseError", complain);
  document.addEventListener("htmx:sendError", complain);
})();
