// Two pictures over each other, at one scale: with a slider, in turn, or their difference.

const dialog = () => document.getElementById("comparing");
const compared = () => document.getElementById("compare");

function prepare() {
  const overlay = compared()?.querySelector(".overlay:not(.is-ready)");
  if (!overlay) return;
  const [first] = overlay.querySelectorAll(".layer");
  overlay.style.setProperty("--ratio", first.getAttribute("width") / first.getAttribute("height"));
  overlay.classList.add("is-ready");
  show("slide");
  if (dialog() && !dialog().open) dialog().showModal();
}

function show(mode) {
  const overlay = compared().querySelector(".overlay");
  overlay.dataset.mode = mode;
  for (const each of ["slide", "swap", "difference"]) compared().querySelector(`.only-${each}`).hidden = each !== mode;
  if (mode === "swap") turn(0);
}

function turn(top) {
  const layers = [...compared().querySelectorAll(".layer")];
  layers.forEach((layer, place) => layer.classList.toggle("is-under", place !== top));
  compared().querySelector(".on-top").textContent = layers[top].alt;
}

function swap() {
  turn(compared().querySelector(".layer").classList.contains("is-under") ? 0 : 1);
}

document.addEventListener("input", (event) => {
  const { name, value } = event.target;
  if (!event.target.closest("#compare")) return;
  const overlay = compared().querySelector(".overlay");
  if (name === "mode") show(value);
  if (name === "split") {
    overlay.style.setProperty("--split", `${value}%`);
    event.target.setAttribute("aria-valuetext", `${value} %`);
  }
  if (name === "zoom") {
    overlay.style.setProperty("--zoom", value);
    const pane = overlay.parentElement;
    pane.scrollTo((pane.scrollWidth - pane.clientWidth) / 2, (pane.scrollHeight - pane.clientHeight) / 2);
  }
});
document.addEventListener("click", (event) => {
  if (event.target.name === "swap") swap();
  if (event.target === dialog() || event.target.id === "comparing-close") dialog().close();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.closest?.(".pane")) return;
  if (compared().querySelector(".overlay").dataset.mode !== "swap") return;
  event.preventDefault(); // it would scroll
  swap();
});
document.addEventListener("htmx:after:swap", prepare);
dialog()?.addEventListener("close", () => document.getElementById("comparing-body").replaceChildren());
prepare();
