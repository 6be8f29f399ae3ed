// What is chosen, which stands in the address behind #, so that a view can be sent to somebody.
const FILTERS = {
  device: { title: "Device", of: (cell) => device(cell).name, order: content.devices.map((one) => one.name) },
  model: { title: "Model", of: modelName, order: content.models },
  runtime: { title: "Runtime", of: (cell) => cell.runtime, order: content.runtimes },
  threads: { title: "Threads", of: (cell) => String(cell.threads), order: [...new Set(content.cells.map((cell) => cell.threads))].sort((a, b) => a - b).map(String) },
  verdict: { title: "Verdict", of: (cell) => cell.word || "none", order: [...RANK, "none"].filter((word) => content.cells.some((cell) => (cell.word || "none") === word)) },
};
const chosen = {};
const renderers = [];

function readAddress() {
  const given = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const [key, filter] of Object.entries(FILTERS)) chosen[key] = filter.order.includes(given.get(key)) ? given.get(key) : "";
}

function writeAddress() {
  const parts = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
  history.replaceState(null, "", `#${parts}`);
}

const fits = (cell) => Object.entries(FILTERS).every(([key, filter]) => !chosen[key] || filter.of(cell) === chosen[key]);
const shownCells = () => content.cells.filter(fits);
const renderAll = () => renderers.forEach((render) => render());
