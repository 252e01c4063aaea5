"use strict";
// Keys press the buttons they are written on. All of it can be done by clicking too.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.isComposing) return;
  if (event.target instanceof HTMLTextAreaElement) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const named = (element) => element.dataset.keys.split(" ").includes(event.key.toLowerCase());
  const wanted = Array.from(document.querySelectorAll("[data-keys]")).find(named);
  if (!wanted) return;
  event.preventDefault();
  if (wanted instanceof HTMLTextAreaElement) wanted.focus();
  else wanted.click();
});
// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
// A page that the browser kept would show an item that may have its vote by now.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
