// Live figures for the page of positions and orders, which works without it.
"use strict";
(() => {
  const live = document.getElementById("live");
  const news = document.getElementById("news");
  const SILENT_MS = 15000;
  let source = null;
  let wasOpen = false;
  let watch = 0;
  let isOld = false;

  const say = (words, isLive) => {
    live.textContent = words;
    live.className = isLive ? "quiet state" : "quiet state stale";
  };

  const figures = ({ is_live: isLive, words, cells }) => {
    for (const cell of document.querySelectorAll("[data-cell]")) {
      const [text, tone] = cells[cell.dataset.cell] || [];
      if (text !== undefined && cell.textContent !== text) {
        cell.textContent = text;
        cell.className = tone;
      }
    }
    say(words, isLive);
    expectNews();
  };

  const expectNews = () => {
    clearTimeout(watch);
    watch = setTimeout(() => say("Not live: nothing has come for a while. Refresh the page.", false), SILENT_MS);
  };

  // The server draws the tables: take them from the page as it is now.
  const orders = async ({ words }) => {
    const answer = await fetch(location.href);
    if (answer.redirected) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("books").replaceChildren(...fresh.getElementById("books").childNodes);
    if (words || isOld) news.textContent = words;
    isOld = false;
    news.hidden = !news.textContent;
  };

  // Tables that miss a change must not stand under "Live".
  const renew = (change) => orders(change).catch(() => {
    isOld = true;
    news.textContent = "An order may have changed, and the tables could not be read again. Refresh the page.";
    news.hidden = false;
  });

  const close = () => {
    clearTimeout(watch);
    if (source) source.close();
    source = null;
  };

  const open = () => {
    close();
    expectNews(); // it may never open
    source = new EventSource(live.dataset.events);
    source.addEventListener("figures", (event) => figures(JSON.parse(event.data)));
    source.addEventListener("orders", (event) => renew(JSON.parse(event.data)));
    source.addEventListener("over", () => location.reload());
    source.onopen = () => {
      if (wasOpen) renew({ words: "" }); // what changed meanwhile was not heard
      wasOpen = true;
    };
    source.onerror = () => {
      if (source && source.readyState === EventSource.CLOSED) say("Not live. Refresh the page.", false);
    };
  };

  // A page that nobody sees needs no stream.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
})();
