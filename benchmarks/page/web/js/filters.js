// The controls above the page, and the theme.
function buildFilters() {
  const form = byId("filters");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const [key, filter] of Object.entries(FILTERS)) {
    const options = filter.order.map((value) => h("option", { value }, value));
    const select = h("select", { id: `filter-${key}`, name: key, autocomplete: "off", onchange: () => choose(key, select.value) },
      h("option", { value: "" }, "all"), options);
    select.value = chosen[key];
    form.append(h("label", { class: "control" }, filter.title, select));
  }
  form.append(h("button", { type: "button", class: "button", id: "reset", onclick: () => setFilters({}) }, "Show all"));
  form.append(h("output", { id: "shown", "aria-live": "polite" }));
  renderers.push(tellShown);
  window.addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    readAddress();
    for (const key of Object.keys(FILTERS)) byId(`filter-${key}`).value = chosen[key];
    renderAll();
  });
}

function choose(key, value) {
  chosen[key] = value;
  writeAddress();
  renderAll();
}

function setFilters(values) {
  for (const key of Object.keys(FILTERS)) byId(`filter-${key}`).value = chosen[key] = values[key] || "";
  writeAddress();
  renderAll();
}

function tellShown() {
  const count = shownCells().length;
  byId("shown").textContent = `${count} of ${content.cells.length} cells`;
  byId("reset").disabled = !Object.values(chosen).some(Boolean);
}

function buildTheme() {
  const select = byId("theme");
  let kept = "";
  try { kept = localStorage.getItem("edge-bench-theme") || ""; } catch { /* a page of a file may keep nothing */ }
  select.value = ["light", "dark"].includes(kept) ? kept : "";
  const apply = () => {
    if (select.value) document.documentElement.dataset.theme = select.value;
    else delete document.documentElement.dataset.theme;
    try { localStorage.setItem("edge-bench-theme", select.value); } catch { /* likewise */ }
    redrawCharts();
  };
  select.addEventListener("change", apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
  apply();
}
