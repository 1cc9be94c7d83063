// Owns small comforts of every page: menus that close, links that are copied, local times, and a word when the
// server cannot be reached. Nothing here is needed to read or to submit.
(function () {
  "use strict";

  function closeMenus(except) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(except)) menu.open = false;
    }
  }

  document.addEventListener("click", (event) => closeMenus(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    closeMenus(null);
    if (open) open.querySelector("summary").focus();
  });

  // The address of a page is its whole state: copying it is sharing it.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const words = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      // Without permission or on a plain http address there is no clipboard: let people copy it themselves.
      prompt("Copy this address", button.dataset.copy);
      return;
    }
    setTimeout(() => { button.textContent = words; }, 2000);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });

  // Paper is white, and on it nothing can be opened: print in light, with what stands behind a total.
  const opened = new Set();
  let theme = null;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme ?? "";
    document.documentElement.dataset.theme = "light";
    for (const details of document.querySelectorAll("details.why:not([open])")) {
      details.open = true;
      opened.add(details);
    }
    document.dispatchEvent(new Event("themechange"));
  });
  addEventListener("afterprint", () => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    for (const details of opened) details.open = false;
    opened.clear();
    document.dispatchEvent(new Event("themechange"));
  });

  // Times are written in UTC; pointing at one tells the viewer's own.
  const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  document.addEventListener("pointerover", (event) => {
    const time = event.target.closest("time[datetime]");
    if (!time || time.dataset.local) return;
    time.dataset.local = "yes";
    time.title = `${time.getAttribute("datetime")}\nYour time: ${local.format(new Date(time.getAttribute("datetime")))}`;
  });

  // A chosen day is a custom range, whatever was chosen before.
  document.addEventListener("change", (event) => {
    if (!event.target.matches(".custom-days input")) return;
    event.target.form.elements.range.value = "custom";
  }, true);

  // While a preset is chosen, the fields for days hold its days, so that a custom range starts from what was shown.
  document.addEventListener("htmx:afterSettle", () => {
    const results = document.querySelector("#results[data-first]");
    const form = document.querySelector("form.controls");
    if (!results || !form || form.elements.range.value === "custom") return;
    form.elements.first.value = results.dataset.first;
    form.elements.last.value = results.dataset.last;
  });

  // A request that a person made and that failed must not look as if nothing happened. Polls stay quiet:
  // the next one comes by itself.
  function complain(event) {
    const { elt, target, xhr } = event.detail;
    if (!elt.matches("form, button, a") || !target) return;
    const words =
      xhr && xhr.status === 403 ? "Not allowed, or this page is too old: reload it and try again."
      : "The server did not answer. Nothing was changed as far as we know; try again.";
    const box = document.createElement("div");
    box.className = "notice bad";
    box.setAttribute("role", "alert");
    box.textContent = words;
    // What a person was looking at stays; a place that is only there for answers is filled.
    if (target.matches("[role=status]")) target.replaceChildren(box);
    else {
      target.querySelector(":scope > .notice.bad[role=alert]")?.remove();
      target.prepend(box);
    }
  }
  document.addEventListener("htmx:responseError", complain);
  document.addEventListener("htmx:sendError", complain);
})();
