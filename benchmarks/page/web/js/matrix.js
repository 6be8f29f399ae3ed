// The night as a table: a column for each device, a row for each model, runtime and number of threads.
const COLOURS = {
  change: { title: "change against the baseline", unit: "ms", of: (cell) => cell.p50 },
  p50: { title: "latency, p50", unit: "ms", of: (cell) => cell.p50 },
  cold: { title: "cold start", unit: "ms", of: (cell) => cell.latency && cell.latency.cold_start },
  peak: { title: "peak memory", unit: "MB", of: (cell) => cell.memory && cell.memory.peak },
};
const BOUNDS = [1.02, 1.05, 1.1];  // of the ratio to the baseline, for the three shades
let shade = content.cells.some((cell) => ratioOf(cell) !== null) ? "change" : "p50";

function buildMatrix() {
  const section = byId("matrix");
  const select = h("select", { id: "shade", onchange: () => { shade = select.value; renderMatrix(); } },
    Object.entries(COLOURS).map(([key, colour]) => h("option", { value: key }, colour.title)));
  select.value = shade;
  section.append(
    h("p", { class: "note" }, content.night ? [`The night of ${nightText(content.night)}. Each cell is the median of its fresh starts; it opens with Enter or a click, arrow keys go from cell to cell.`] : []),
    h("div", { class: "bar" }, h("label", { class: "control" }, "Numbers and shades", select)),
    h("div", { id: "matrix-table" }));
  renderers.push(renderMatrix);
}

function renderMatrix() {
  const place = byId("matrix-table");
  const cells = shownCells();
  if (!cells.length) return place.replaceChildren(h("p", { class: "empty" }, content.cells.length ? "No cell fits these filters." : EMPTY));
  const heat = heatOf(cells);
  const { columns, rows, corner } = new Set(cells.map((cell) => cell.device)).size > 1 ? byDevice(cells) : byRuntime(cells);
  let before = null;
  const body = rows.map((row) => {
    const again = before === row.cell.model;
    before = row.cell.model;
    return h("tr", { class: again ? "again" : "first" }, h("th", { scope: "row" }, row.head),
      columns.map((column) => h("td", {}, row.cells.has(column.key) ? matrixCell(row.cells.get(column.key), heat) : h("span", { class: "nothing" }, "–", hidden(" not in the matrix")))));
  });
  const grid = h("table", { class: "grid", role: "grid", "aria-labelledby": "matrix-title", onkeydown: moveInGrid },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, corner), columns.map((column) => column.head))), h("tbody", {}, body));
  place.replaceChildren(h("div", { class: "scroll" }, grid), matrixLegend(heat));
  rove(grid, grid.querySelector("button"));
}

const byRuntimeAndThreads = (a, b) => content.runtimes.indexOf(a.runtime) - content.runtimes.indexOf(b.runtime) || a.threads - b.threads;
const runtimeText = (cell) => [name(cell.runtime), `, ${threadsText(cell)}`];

// {key, cell, cells: key of a column -> cell} for each row, in the order of `compare`.
function gathered(cells, rowKey, columnKey, compare) {
  const rows = new Map();
  for (const cell of cells) {
    if (!rows.has(rowKey(cell))) rows.set(rowKey(cell), { cell, cells: new Map() });
    rows.get(rowKey(cell)).cells.set(columnKey(cell), cell);
  }
  return [...rows.values()].sort((a, b) => compare(a.cell, b.cell));
}

function byDevice(cells) {
  const rows = gathered(cells, (cell) => JSON.stringify([cell.model, cell.runtime, cell.threads]), (cell) => cell.device, (a, b) => a.model - b.model || byRuntimeAndThreads(a, b));
  for (const row of rows) row.head = [name(modelName(row.cell)), h("br"), h("small", {}, runtimeText(row.cell))];
  const devices = [...new Set(cells.map((cell) => cell.device))].sort((a, b) => a - b);
  return { rows, columns: devices.map((index) => ({ key: index, head: deviceHead(content.devices[index]) })), corner: ["Model ", hidden("and how it ran")] };
}

// Of one device: what would be one long column is a table of models and runtimes.
function byRuntime(cells) {
  const key = (cell) => JSON.stringify([cell.runtime, cell.threads]);
  const rows = gathered(cells, (cell) => cell.model, key, (a, b) => a.model - b.model);
  for (const row of rows) row.head = name(modelName(row.cell));
  const first = [...new Map(cells.map((cell) => [key(cell), cell])).values()].sort(byRuntimeAndThreads);
  const columns = first.map((cell) => ({ key: key(cell), head: h("th", { scope: "col" }, name(cell.runtime), h("small", {}, threadsText(cell))) }));
  return { rows, columns, corner: ["Model on ", name(device(cells[0]).name), isEmulated(cells[0]) ? [" ", emulatedBadge()] : ""] };
}

function deviceHead(one) {
  const board = one.board && typeof one.board.model === "string" ? h("small", {}, name(one.board.model)) : null;
  return h("th", { scope: "col" }, name(one.name), one.emulated ? [" ", emulatedBadge()] : null, board);
}

function matrixCell(cell, heat) {
  const value = COLOURS[shade].of(cell);
  const ratio = ratioOf(cell);
  const flagged = cell.word && cell.word !== "PASS";
  const classes = ["cell", cell.word || "", flagged && "flagged", cell.word === "DEVICE-DOWN" && "down", heat.shade(cell)].filter(Boolean).join(" ");
  const change = ratio !== null && cell.word !== "DEVICE-DOWN" ? percent(ratio) : "";
  const word = cell.word || (cell.p50 === undefined ? "not measured" : "no verdict");
  const said = cell.word === "PASS" ? ["✓ ", change ? [hidden("PASS "), change] : "PASS"] : [cell.word ? `${WORDS[cell.word][0]} ` : "", word, flagged && change && cell.word !== "MISSED" ? ` ${change}` : ""];
  const label = `${cellText(cell)}: ${word}, ${withUnit(value, COLOURS[shade].unit)}${change ? `, ${change}` : ""}`;
  return h("button", { type: "button", class: classes, "aria-label": label, "aria-haspopup": "dialog", tabindex: "-1", title: cell.reason, onclick: () => openDetails(cell) },
    h("span", { class: "value" }, number(value)), h("span", { class: "said" }, said));
}

// Which shade a cell has, and what the legend says of the shades.
function heatOf(cells) {
  if (shade === "change") {
    const shadeOf = (cell) => {
      const ratio = ratioOf(cell);
      if (ratio === null || cell.word === "DEVICE-DOWN") return "";
      const steps = BOUNDS.filter((bound) => ratio >= bound || ratio <= 1 / bound).length;
      return steps ? `${ratio > 1 ? "slower" : "faster"}-${steps}` : "";
    };
    const names = BOUNDS.map((bound) => `${Math.round((bound - 1) * 100)} %`);
    return { shade: shadeOf, legend: [["faster-3", `${names[2]} faster`], ["faster-2", names[1]], ["faster-1", names[0]], ["", "the same"], ["slower-1", names[0]], ["slower-2", names[1]], ["slower-3", `${names[2]} slower`]] };
  }
  const colour = COLOURS[shade];
  const logs = cells.map(colour.of).filter((value) => isNumber(value) && value > 0).map(Math.log);
  const low = Math.min(...logs), high = Math.max(...logs);
  const step = (value) => (high > low ? Math.min(6, Math.floor(((Math.log(value) - low) / (high - low)) * 7)) : 3);
  const legend = logs.length ? [0, 1, 2, 3, 4, 5, 6].map((index) => [`heat-${index}`, index % 3 ? "" : withUnit(Math.exp(low + ((high - low) * index) / 6), colour.unit)]) : [];
  return { shade: (cell) => (isNumber(colour.of(cell)) && colour.of(cell) > 0 && cell.word !== "DEVICE-DOWN" ? `heat-${step(colour.of(cell))}` : ""), legend };
}

function matrixLegend(heat) {
  const present = RANK.filter((word) => content.cells.some((cell) => cell.word === word));
  return [
    h("ul", { class: "legend", "aria-label": "Shades" }, h("li", {}, quiet(`In ${COLOURS[shade].unit}. Shades: ${COLOURS[shade].title}`)),
      heat.legend.map(([kind, text]) => h("li", {}, h("span", { class: `swatch ${kind}` }), h("span", {}, text)))),
    h("ul", { class: "legend", "aria-label": "Verdicts" }, present.map((word) => h("li", {}, badge(word), h("span", {}, WORDS[word][1])))),
  ].reduce((box, list) => (box.append(list), box), h("div"));
}

// One cell of the table is in the order of Tab; arrow keys move it.
function rove(grid, to) {
  if (!to) return;
  grid.querySelectorAll("button[tabindex='0']").forEach((button) => button.setAttribute("tabindex", "-1"));
  to.setAttribute("tabindex", "0");
}

function moveInGrid(event) {
  const button = event.target.closest("button");
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -Infinity], End: [0, Infinity] };
  if (!button || !steps[event.key]) return;
  event.preventDefault();
  const grid = event.currentTarget;
  const rows = [...grid.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.querySelector("button")));
  let row = rows.findIndex((buttons) => buttons.includes(button));
  let column = rows[row].indexOf(button);
  const [down, right] = steps[event.key];
  const found = [];
  if (Math.abs(right) === Infinity) found.push(...(right > 0 ? rows[row].slice().reverse() : rows[row]));
  else for (row += down, column += right; rows[row] && column >= 0 && column < rows[row].length; row += down, column += right) found.push(rows[row][column]);
  const next = found.find(Boolean);
  if (next) { rove(grid, next); next.focus(); }
}
