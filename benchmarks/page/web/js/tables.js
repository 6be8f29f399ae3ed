// Verdicts that need a look, targets, devices.
function cellButton(cell) {
  return h("button", { type: "button", class: "link", "aria-haspopup": "dialog", onclick: () => openDetails(cell) }, cellLabel(cell));
}

// Cells of one device for which the same was said are one line: a device that is down is one thing to look at.
function grouped(cells) {
  const groups = new Map();
  for (const cell of cells) {
    const key = JSON.stringify([cell.word, cell.device, cell.reason]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(cell);
  }
  return [...groups.values()];
}

function groupButton(cells) {
  const models = new Set(cells.map(modelName)), where = device(cells[0]).name;
  const values = { device: where, verdict: cells[0].word, model: models.size === 1 ? modelName(cells[0]) : "" };
  const show = () => { setFilters(values); byId("matrix").scrollIntoView(); };
  return h("button", { type: "button", class: "link", onclick: show }, values.model ? name(values.model) : `${models.size} models`, " on ", name(where), `, ${cells.length} cells`);
}

function renderLook() {
  const cells = shownCells().filter((cell) => cell.word && cell.word !== "PASS").sort((a, b) => rank(a) - rank(b));
  const judged = shownCells().filter((cell) => cell.word).length;
  if (!cells.length) return replaceBelow(byId("look"), h("p", {}, judged ? `Nothing: all ${judged} cells PASS.` : "Nothing was judged."));
  const rows = grouped(cells).map(([cell, ...more]) => [more.length ? groupButton([cell, ...more]) : cellButton(cell), badge(cell.word), more.length ? "–" : withUnit(cell.p50, "ms"), more.length || cell.word === "DEVICE-DOWN" ? "–" : percent(ratioOf(cell)),
    [cell.evidence && cell.evidence.alarm ? h("strong", {}, "Alarm. ") : null, cell.reason]]);
  replaceBelow(byId("look"), table("Cells with another verdict than PASS",
    [{ title: "Cell" }, { title: "Verdict" }, { title: "p50", number: true }, { title: "Against baseline", number: true }, { title: "Why" }], rows, "list"));
}

const TARGET_UNITS = { latency_ms: ["latency", "ms"], memory_mb: ["memory", "MB"], file_bytes: ["file", "bytes"] };

function renderTargets() {
  const cells = shownCells();
  const models = new Set(cells.map(modelName)), devices = new Set(cells.map((cell) => device(cell).name));
  const rows = content.targets.filter((row) => models.has(row.model) && (row.device === null || devices.has(row.device)));
  if (!rows.length) return replaceBelow(byId("targets"), h("p", {}, "No model here says a target."));
  const counts = [rows.filter((row) => row.met && !row.missed).length, rows.filter((row) => row.missed).length, rows.filter((row) => row.low === null).length];
  replaceBelow(byId("targets"),
    h("p", { class: "note" }, `What each model was built to reach, beside what was measured: ${counts[0]} met, ${counts[1]} missed, ${counts[2]} not measured (–). Host: measured when the model was made; the others on the device, in this night.`),
    table("Targets", [{ title: "Target" }, { title: "Wanted", number: true }, { title: "Measured", number: true }, { title: "" }, { title: "Where" }, { title: "Set by" }], rows.map(targetRow), "wide"));
}

function targetRow(row) {
  const [title, unit] = Object.hasOwn(TARGET_UNITS, row.name) ? [TARGET_UNITS[row.name][0], ` ${TARGET_UNITS[row.name][1]}`] : [row.name.replaceAll("_", " "), ""];
  const sign = { lower: "≤ ", higher: "≥ " }[row.better] || "";
  const measured = row.low === null ? "–" : row.low === row.high ? exact(row.low) + unit : `${exact(row.low)} to ${exact(row.high)}${unit}`;
  const emulated = row.device !== null && content.devices.some((one) => one.name === row.device && one.emulated);
  const several = row.met && row.missed ? ` in ${row.missed} of ${row.met + row.missed} cells` : "";
  const verdict = row.low === null ? quiet("not measured") : row.missed ? badge("MISSED", `missed${several}`) : badge("PASS", "met");
  return [[name(row.model), " ", h("span", { class: "target" }, name(title))], sign + exact(row.target) + unit, measured, verdict,
    [row.device === null ? "host" : name(row.device), emulated ? [" ", emulatedBadge()] : null, row.device !== null && row.basis ? quiet(` (${row.basis})`) : null], row.source || "–"];
}

function renderDevices() {
  const indexes = new Set(shownCells().map((cell) => cell.device));
  const devices = content.devices.filter((one, index) => indexes.has(index));
  if (!devices.length) return replaceBelow(byId("devices"), h("p", {}, "No device."));
  const columns = ["Device", "Board", "Kernel", "Program", "Governor", "Clock", "Hottest before, during, after", "Throttled during the night", "Runtimes"];
  const rows = devices.map((one) => {
    const entries = Object.fromEntries(deviceEntries(one));
    const runtimes = Object.entries(one.runtimes || {}).map(([key, version]) => `${key} ${version}`).join(", ");
    const faults = one.faults ? h("small", {}, h("br"), `${one.faults} of ${one.starts} starts failed`) : null;
    return [[name(one.name), one.emulated ? [" ", emulatedBadge()] : null, faults], entries.board || "–", entries.kernel || "–", entries.program || "–", entries.governor || "–", entries.clock || "–",
      entries["hottest before, during, after"] || "–", entries["throttled during the night"] || "–", runtimes || "–"];
  });
  replaceBelow(byId("devices"), table("Devices of this night", columns.map((title) => ({ title })), rows));
}
