// The counts of the filters: of what is shown, once they are looked at.

const panel = document.getElementById("filters");
const fields = () => document.getElementById("filter-fields");
let focused; // the facet or field that was used: the focus goes to what is in its place

function count() {
  const address = document.getElementById("content").dataset.address ?? location.href;
  htmx.ajax("GET", `/filters${new URL(address, location.href).search}`, { target: "#filter-fields", swap: "outerHTML" });
}

if (panel) {
  const isStale = () => fields().dataset.countable !== undefined;
  panel.addEventListener("toggle", () => panel.open && isStale() && count());
  document.addEventListener("results:settled", () => {
    if (panel.open) count();
    else fields().dataset.countable = "";
  });
  document.addEventListener("htmx:before:request", () => {
    focused = fields().contains(document.activeElement) ? document.activeElement.id : undefined;
  });
  // Filters go with the marked pictures, which other words leave behind.
  document.addEventListener("htmx:config:request", (event) => {
    const { body, submitter } = event.detail.ctx.request;
    if (!submitter?.closest(".facets")) return;
    for (const [name, value] of new URLSearchParams(location.search)) {
      if (name === "more" || name === "less") body.append(name, value);
    }
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.target?.id !== "content") return;
    if (panel.open && isStale()) count();
    if (focused && panel.open) (document.getElementById(focused) ?? fields().querySelector(".facets button"))?.focus();
    focused = undefined;
  });
  // A page that is opened with filters shows them.
  if (panel.open && isStale()) count();
}
