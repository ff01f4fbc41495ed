// What a script adds to the pages: a button that shows that it waits, the seconds that an OTP has
// left, and a look at the password. Without it everything works; the server guards itself.
"use strict";

const waits = document.body.dataset.waits;

// A form or link that asks the broker says so until the next page comes.
function busy(element) {
  if (!waits || element.getAttribute("aria-busy")) return;
  element.dataset.words = element.textContent;
  element.textContent = waits;
  element.setAttribute("aria-busy", "true");
}

function idle(element) {
  element.textContent = element.dataset.words;
  element.removeAttribute("aria-busy");
  element.disabled = false;
}

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    const button = event.submitter || form.querySelector("button:not([type=button])");
    for (const input of form.querySelectorAll("input[data-shown]")) show(input, false);
    if (!button) return;
    busy(button);
    // After the form has been sent: a disabled button would stop it.
    setTimeout(() => { button.disabled = true; });
  });
}

for (const link of document.querySelectorAll("a[data-asks]")) {
  link.addEventListener("click", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) busy(link);
  });
}

// A page that the browser brings back has nothing under way.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("[aria-busy]").forEach(idle);
});

// Seconds left when the page was made, counted down; the server's clock decides.
for (const count of document.querySelectorAll("[data-left]")) {
  const end = performance.now() + 1000 * Number(count.dataset.left);
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    count.textContent = left ? `(${time} left)` : count.dataset.over;
    if (!left) clearInterval(timer);
  };
  const timer = setInterval(tick, 500);
  tick();
}

function show(input, isShown) {
  input.type = isShown ? "text" : "password";
  const button = input.nextElementSibling;
  button.setAttribute("aria-pressed", String(isShown));
}

for (const input of document.querySelectorAll("input[type=password]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "show";
  button.textContent = input.name === "password" ? "Show password" : "Show secret";
  input.dataset.shown = "";
  input.after(button);
  button.addEventListener("click", () => show(input, input.type === "password"));
  show(input, false);
}
