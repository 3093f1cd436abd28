// What the page does beyond links and forms; without it everything still works, after a reload.
"use strict";

// Keys: digits go to a section, n to the form for something new, e to edit, / to the filter.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
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

// On a narrow screen the sections scroll: show the current one.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// Ask before something is deleted; Escape is Cancel.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.ask || form.dataset.confirmed) return;
  event.preventDefault();
  ask(form.dataset.ask, event.submitter.textContent, () => {
    form.dataset.confirmed = "yes";
    form.requestSubmit();
  });
});

function ask(question, verb, confirmed) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  const buttons = document.createElement("div");
  const yes = document.createElement("button");
  const no = document.createElement("button");
  text.id = "question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", text.id);
  buttons.className = "buttons";
  yes.className = "danger";
  yes.textContent = verb;
  no.textContent = "Cancel";
  no.autofocus = true;
  buttons.append(no, yes);
  dialog.append(text, buttons);
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => { dialog.close(); confirmed(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// Copy buttons, also where the clipboard needs a secure address and this is none.
for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  const copied = await copy(text);
  button.textContent = copied ? "Copied" : "Not copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

async function copy(text) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* refused: the old way */ }
  }
  const before = document.activeElement;
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "skip";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus();
  return copied;
}

// Filter the rows of a table, or the cards, while typing: by text, or by the beginning of a thumbprint.
const filter = document.querySelector("input[data-filter]");
const hide = (row) => {
  const wanted = filter.value.trim();
  const digits = wanted.replace(/[\s:._-]/g, "").toUpperCase();
  const prints = (row.dataset.thumbprints || "").split(" ");
  const found = /^[0-9A-F]{6,}$/.test(digits) && prints.some((each) => each.startsWith(digits));
  row.hidden = !found && !row.textContent.toLowerCase().includes(wanted.toLowerCase());
};
if (filter) {
  filter.addEventListener("input", () => {
    const rows = [...document.querySelectorAll("tbody tr, section[data-thumbprints]")];
    rows.forEach(hide);
    document.querySelector("[data-no-match]").hidden = !rows.length || rows.some((row) => !row.hidden);
  });
}

// Show only the fields that belong to what is chosen.
for (const choice of document.querySelectorAll("select[data-shows]")) {
  const parts = document.querySelectorAll(`[data-for^="${choice.name} "]`);
  const show = () => {
    for (const part of parts) part.hidden = part.dataset.for !== `${choice.name} ${choice.value}`;
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
