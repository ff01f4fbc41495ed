// Suggestions while one types, for the search box, which works without them.
"use strict";
(() => {
  const box = document.getElementById("q");
  if (!box) return;
  const list = document.getElementById("suggestions");
  let timer = 0;
  let asked = "";

  const suggest = async () => {
    asked = box.value.trim();
    if (asked.length < 2) return list.replaceChildren();
    const text = asked;
    const answer = await fetch(`${box.dataset.suggestions}?q=${encodeURIComponent(text)}`);
    if (!answer.ok) return undefined;
    const { instruments } = await answer.json();
    if (text !== asked) return undefined; // an older answer that came late
    return list.replaceChildren(...instruments.map(({ name, about }) => new Option(about, name)));
  };

  box.addEventListener("input", () => {
    clearTimeout(timer);
    // One that was chosen from the list needs no Search.
    if ([...list.options].some((each) => each.value === box.value)) return box.form.submit();
    timer = setTimeout(() => suggest().catch(() => {}), 200);
    return undefined;
  });
})();
