// What the page does beyond links and forms; without it everything still works, after a reload.
"use strict";

// Keys: 1 to 6 go to a section, n to the form for something new, / to the filter.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!target) return;
  event.preventDefault();
  if (target.matches("input")) target.focus();
  else target.click();
});

// Ask before something is deleted.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});

// Filter the rows of a table while typing.
const filter = document.querySelector("input[data-filter]");
const hide = (row) => {
  row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
};
if (filter) {
  filter.addEventListener("input", () => {
    const rows = [...document.querySelectorAll("tbody tr")];
    rows.forEach(hide);
    document.querySelector("[data-no-match]").hidden = !rows.length || rows.some((row) => !row.hidden);
  });
}

// Show only the fields of the attestation that is chosen.
for (const choice of document.querySelectorAll("select[data-shows]")) {
  const show = () => {
    for (const part of document.querySelectorAll("[data-for]")) {
      part.hidden = part.dataset.for !== choice.value;
    }
  };
  choice.addEventListener("change", show);
  show();
}

// Rows that arrive live: the server sends them ready made, keyed by their id.
const live = document.querySelector("[data-live]");
if (live) {
  const body = document.querySelector("tbody");
  const lamp = document.querySelector(".live");
  const source = new EventSource(live.dataset.live);
  source.addEventListener("open", () => { lamp.classList.add("on"); lamp.textContent = "live"; });
  source.addEventListener("error", () => { lamp.classList.remove("on"); lamp.textContent = "not connected"; });
  source.addEventListener("rows", (event) => {
    const arrived = document.createElement("tbody");
    arrived.innerHTML = event.data;
    for (const row of [...arrived.children]) {
      const older = document.getElementById(row.id);
      const open = older && older.querySelector("details[open]");
      if (open && row.querySelector("details")) row.querySelector("details").open = true;
      if (older) older.replaceWith(row);
      else body.prepend(row);
      if (filter) hide(row);
      row.classList.add("fresh");
    }
    document.querySelector(".empty")?.closest("tr")?.remove();
    while (body.children.length > 200) {
      body.lastElementChild.remove();
      document.querySelector("[data-cut]")?.removeAttribute("hidden");
    }
  });
}
