// Favourites, albums, keywords and saved searches: what the selection and the page of a picture do with them.

async function send(method, url, body) {
  const answer = await fetch(url, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return answer.json();
}

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

function note(text) {
  document.getElementById("selection-note").textContent = text;
}

document.addEventListener("selection:favourite", async (event) => {
  const { ids } = event.detail;
  try {
    await send("POST", "/api/albums/favourites", { add: ids });
    note(`${count(ids.length, "picture")} among the favourites`);
  } catch (error) {
    note(error.message);
  }
});

// ------------------------------------------------------------------ a name is asked for

const dialog = document.getElementById("collect");
const KINDS = {
  album: {
    title: "Add to album",
    label: "Album",
    hint: "An album that is not there yet is made. Files stay where they are.",
    async add(ids, name) {
      const album = await send("POST", `/api/albums/${encodeURIComponent(name)}`, { add: ids });
      return `${count(ids.length, "picture")} in ${album.name}`;
    },
  },
  keywords: {
    title: "Add keywords",
    label: "Keywords, with commas between them",
    hint: "They are written to XMP files beside the pictures, for other programs too, and found after the next index run. The pictures are not changed.",
    async add(ids, text) {
      const keywords = text.split(",").map((each) => each.trim()).filter(Boolean);
      const { written, failed } = await send("POST", "/api/keywords", { ids, keywords });
      return [`${count(written, "sidecar")} written`, ...failed.slice(0, 1)].join("; ");
    },
  },
};
let asked; // kind and ids

async function ask(kind, ids) {
  asked = { kind: KINDS[kind], ids };
  document.getElementById("collect-title").textContent = `${asked.kind.title}: ${count(ids.length, "picture")}`;
  document.getElementById("collect-label").textContent = asked.kind.label;
  document.getElementById("collect-hint").textContent = asked.kind.hint;
  dialog.querySelector("[role=alert]").textContent = "";
  const name = document.getElementById("collect-name");
  name.value = "";
  name.removeAttribute("list");
  dialog.showModal();
  name.focus();
  if (kind !== "album") return;
  const answer = await fetch("/api/albums");
  if (!answer.ok) return;
  const options = (await answer.json()).map((album) => Object.assign(document.createElement("option"), { value: album.name }));
  document.getElementById("album-names").replaceChildren(...options);
  name.setAttribute("list", "album-names");
}

if (dialog) {
  for (const kind of Object.keys(KINDS)) document.addEventListener(`selection:${kind}`, (event) => ask(kind, event.detail.ids));
  document.getElementById("collect-close").addEventListener("click", () => dialog.close());
  dialog.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      note(await asked.kind.add(asked.ids, event.target.elements.name.value.trim()));
      dialog.close();
    } catch (error) {
      dialog.querySelector("[role=alert]").textContent = error.message;
    }
  });
}

// ------------------------------------------------------------------ one picture

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-favourite]");
  if (!button) return;
  const isFavourite = button.ariaPressed === "true";
  try {
    await send("POST", "/api/albums/favourites", { [isFavourite ? "remove" : "add"]: [Number(button.dataset.favourite)] });
    button.ariaPressed = String(!isFavourite);
  } catch (error) {
    button.title = error.message;
  }
});

// ------------------------------------------------------------------ a search

document.addEventListener("submit", async (event) => {
  const form = event.target.closest?.("form[data-save]");
  if (!form) return;
  event.preventDefault();
  const name = form.elements.name.value.trim().replace(/^@/, "");
  try {
    const saved = await send("PUT", `/api/saved/${encodeURIComponent(name)}`, { query: form.dataset.save });
    location.assign(`/?q=${encodeURIComponent(`@${saved.name}`)}`);
  } catch (error) {
    form.querySelector("[role=status]").textContent = error.message;
  }
});
