// A picture to search by: chosen, dropped onto the page, or pasted.

const field = document.getElementById("q");
if (field && matchMedia("(min-width: 40rem) and (hover: hover)").matches) field.placeholder += ", or drop one here";

const curtain = () => document.getElementById("drop");

async function searchBy(file) {
  const input = document.getElementById("q");
  const problem = document.getElementById("problem");
  const before = input.placeholder;
  input.placeholder = "Looking at the picture …";
  const body = new FormData();
  body.append("file", file, file.name || "picture");
  try {
    const answer = await fetch("/api/pictures", { method: "POST", body });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.detail);
    input.value = said.term;
    input.form.requestSubmit();
  } catch (error) {
    const line = document.createElement("p");
    line.className = "problem";
    line.textContent = error.message;
    problem.replaceChildren(line);
  } finally {
    input.placeholder = before;
  }
}

function pictureIn(transfer) {
  return [...(transfer?.files ?? [])].find((file) => file.type.startsWith("image/") || /\.(heic|heif|avif|jp2|tiff?|dng|cr2|cr3|nef|arw|raf|orf|rw2|pef|srw)$/i.test(file.name))
    ?? [...(transfer?.files ?? [])][0];
}

document.addEventListener("change", (event) => {
  if (event.target.id === "file" && event.target.files.length) {
    searchBy(event.target.files[0]);
    event.target.value = "";
  }
});

document.addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  if (curtain()) curtain().hidden = false;
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget && curtain()) curtain().hidden = true;
});
document.addEventListener("drop", (event) => {
  if (curtain()) curtain().hidden = true;
  const file = pictureIn(event.dataTransfer);
  if (!file) return;
  event.preventDefault();
  document.querySelector("dialog[open]")?.close();
  searchBy(file);
});
document.addEventListener("paste", (event) => {
  const file = pictureIn(event.clipboardData);
  if (!file) return; // words go where the cursor is
  event.preventDefault();
  searchBy(file);
});
