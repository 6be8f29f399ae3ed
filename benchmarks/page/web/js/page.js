// The page: sections in their order, at once what is text, and the charts as soon as their library is read.
const EMPTY = "The history has no finished night yet: edge-bench matrix measures one.";
const SECTIONS = [["matrix", "Matrix"], ["look", "What needs a look"], ["targets", "Targets"], ["trends", "Trends"], ["accuracy", "Accuracy"], ["time", "Time"], ["memory", "Memory"], ["devices", "Devices"]];

function tally() {
  const counts = RANK.slice().reverse().map((word) => [word, content.cells.filter((cell) => cell.word === word).length]).filter(([, count]) => count);
  const others = content.cells.filter((cell) => !cell.word).length;
  if (!counts.length && !others) return;
  byId("summary").replaceWith(h("ul", { class: "tally", id: "summary", "aria-label": "Verdicts of the night" },
    counts.map(([word, count]) => h("li", {}, badge(word, `${count} ${word}`))), others ? h("li", {}, h("span", { class: "badge" }, `${others} without a verdict`)) : null));
}

function start() {
  const missing = content.devices.length && content.cells.every((cell) => cell.word === "DEVICE-DOWN");
  tally();
  if (!content.night) byId("main").prepend(h("p", { class: "notice" }, EMPTY));
  else if (missing) byId("main").prepend(h("p", { class: "notice" }, "No device answered in this night: there are no numbers of it. Trends are those of the nights before."));
  else if (content.nights.length === 1) byId("main").prepend(h("p", { class: "notice" }, "This is the first night: there is no baseline to compare with, and no trend yet."));
  byId("sections").append(...SECTIONS.map(([id, title]) => h("li", {}, h("a", { href: `#${id}` }, title))));
  byId("written").textContent = `Written ${nightText(content.written)} by edge-bench ${content.program}, from ${content.nights.length} ${content.thinned > 1 ? "places of" : content.nights.length === 1 ? "night of" : "nights of"} the history.`;
  readAddress();
  buildFilters();
  buildMatrix();
  renderers.push(renderLook, renderTargets);
  buildTrends();
  buildAccuracy();
  buildCosts();
  renderers.push(renderDevices, drawVisible);
  renderAll();
  byId("details").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.currentTarget.close(); });
  buildTheme();
  document.addEventListener("DOMContentLoaded", watchCharts);
}

start();
