// Select pictures: by their boxes, with the keyboard, or by a long touch; and what is done with them.

const LONG_TOUCH_MS = 500;
// As the server does.
const MOST_FILES = 2000;

const bar = document.getElementById("selection");
const selected = new Map(); // id → path
let anchor; // id of the picture that a range begins at
let isChoosing = false; // a touch selects, where nothing is selected yet

const tiles = () => [...document.querySelectorAll("#results .tile:not([hidden])")].filter((tile) => tile.querySelector(".picture"));
const pictureOf = (tile) => tile.querySelector(".picture");
const idOf = (tile) => pictureOf(tile).dataset.id;

function addBoxes() {
  for (const tile of tiles()) {
    if (tile.querySelector(".pick")) continue;
    const box = document.createElement("input");
    box.type = "checkbox";
    box.className = "pick";
    box.tabIndex = -1; // the space bar is the way of the keyboard
    box.ariaLabel = `Select ${tile.querySelector(".name bdi, .name")?.textContent ?? "this picture"}`;
    tile.append(box);
  }
  // What is shown no longer is not selected any more.
  const shown = new Set(tiles().map(idOf));
  for (const id of selected.keys()) if (!shown.has(id)) selected.delete(id);
  show();
}

function show() {
  const isSelecting = isChoosing || selected.size > 0;
  document.body.classList.toggle("selecting", isSelecting);
  bar.hidden = !isSelecting;
  for (const tile of tiles()) {
    const isSelected = selected.has(idOf(tile));
    tile.classList.toggle("selected", isSelected);
    const box = tile.querySelector(".pick");
    if (box) box.checked = isSelected;
  }
  document.getElementById("selection-count").textContent = `${selected.size.toLocaleString("en")} selected`;
  for (const button of bar.querySelectorAll("[data-do]")) button.disabled = selected.size === 0;
  document.getElementById("choose").ariaPressed = String(isSelecting);
}

function set(tile, isSelected) {
  if (isSelected) selected.set(idOf(tile), pictureOf(tile).dataset.path);
  else selected.delete(idOf(tile));
}

function toggle(tile, isRange = false) {
  const all = tiles();
  const from = all.findIndex((each) => idOf(each) === anchor);
  const to = all.indexOf(tile);
  if (isRange && from >= 0) {
    for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) set(each, true);
  } else {
    set(tile, !selected.has(idOf(tile)));
    anchor = idOf(tile);
  }
  show();
}

function clear() {
  selected.clear();
  isChoosing = false;
  anchor = undefined;
  note("");
  show();
}

function note(text) {
  document.getElementById("selection-note").textContent = text;
}

const actions = {
  async copy() {
    const text = [...selected.values()].join("\n");
    try {
      await navigator.clipboard.writeText(text);
      note(`${selected.size.toLocaleString("en")} path${selected.size === 1 ? "" : "s"} copied`);
    } catch {
      note("The browser does not let pages copy here");
    }
  },
  download() {
    if (selected.size > MOST_FILES) {
      note(`At most ${MOST_FILES.toLocaleString("en")} at once`);
      return;
    }
    const link = document.createElement("a");
    link.href = `/api/zip?ids=${[...selected.keys()].join(",")}`;
    link.download = "pictures.zip";
    link.click();
    note("");
  },
  clear,
};

if (bar) {
  addBoxes();
  document.addEventListener("htmx:after:swap", addBoxes);
  document.addEventListener("results:typed", addBoxes);

  // Before htmx, which opens the picture.
  document.addEventListener(
    "click",
    (event) => {
      const action = event.target.closest?.("#selection [data-do]")?.dataset.do;
      // Others listen for what they do with the selection: "selection:album", with its ids.
      if (action && !actions[action]) {
        document.dispatchEvent(new CustomEvent(`selection:${action}`, { detail: { ids: [...selected.keys()].map(Number) } }));
      } else if (action) actions[action]();
      if (event.target.closest?.("#choose")) {
        if (selected.size || isChoosing) clear();
        else isChoosing = true;
        show();
      }
      const tile = event.target.closest?.("#results .tile");
      if (!tile?.querySelector(".picture")) return;
      const isBox = event.target.matches(".pick");
      const isPicture = event.target.closest(".picture");
      if (isBox) toggle(tile, event.shiftKey);
      // Enter, a click of no button, opens it.
      else if (isPicture && event.detail > 0 && !event.ctrlKey && !event.metaKey && (event.shiftKey || selected.size || isChoosing)) {
        event.preventDefault();
        event.stopImmediatePropagation();
        if (!isLong) toggle(tile, event.shiftKey);
      }
      isLong = false;
    },
    { capture: true },
  );

  let touching;
  let isLong = false; // the click that ends a long touch is none
  document.addEventListener("pointerdown", (event) => {
    isLong = false;
    const tile = event.pointerType === "touch" && event.target.closest?.("#results .picture")?.closest(".tile");
    if (!tile) return;
    touching = setTimeout(() => {
      isLong = true;
      toggle(tile);
      navigator.vibrate?.(20);
    }, LONG_TOUCH_MS);
  });
  for (const end of ["pointerup", "pointercancel", "scroll"]) {
    document.addEventListener(end, () => clearTimeout(touching), { passive: true, capture: true });
  }
  document.addEventListener("contextmenu", (event) => {
    if (isLong || event.pointerType === "touch") event.target.closest?.("#results .picture") && event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (event.altKey || document.querySelector("dialog[open], .pswp--open")) return;
    if (event.target.closest?.("input:not(.pick), select, textarea, video")) return;
    const tile = event.target.closest?.("#results .tile");
    if (event.key === " " && tile && event.target.matches(".picture")) {
      event.preventDefault();
      toggle(tile, event.shiftKey);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey) && tiles().length) {
      event.preventDefault();
      for (const each of tiles()) set(each, true);
      show();
    } else if (event.key === "Escape" && bar.hidden === false) {
      clear();
    } else if (event.shiftKey && event.key.startsWith("Arrow") && tile) {
      // The grid has moved the focus before.
      if (!selected.has(anchor)) anchor = idOf(tile);
      const to = document.activeElement?.closest("#results .tile");
      if (to && to !== tile) toggle(to, true);
    }
  });
}
