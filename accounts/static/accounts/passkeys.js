// Owns saying in the page why a passkey was not used; allauth's scripts, which come after this one, do the rest.
(function () {
  "use strict";
  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const { exception } = event.detail;
    const words =
      exception && exception.name === "NotAllowedError" ? "The passkey was not used: it was refused or took too long."
      : exception && exception.name === "InvalidStateError" ? "This passkey has been added already."
      : "The passkey could not be used here. It needs an https address (or localhost) and a browser that knows passkeys.";
    for (const place of document.querySelectorAll("[data-passkey-words]")) place.textContent = words;
  });
})();
