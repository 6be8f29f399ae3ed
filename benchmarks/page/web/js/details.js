// One cell with its evidence, in a dialog.
const EVIDENCE = {
  baseline_ms: ["baseline", (value) => withUnit(value, "ms")],
  ratio: ["against the baseline", percent],
  interval: ["interval of the ratio", (value) => (Array.isArray(value) ? value.map((bound) => percent(bound)).join(" to ") : "–")],
  threshold: ["would alarm from", percent],
  canary_ratio: ["canary", percent],
  confirmed: ["confirmed by a re-run", (value) => (value ? "yes" : "no")],
  alarm: ["alarm", (value) => (value ? "yes: somebody is told" : "no")],
};
const TIMES = [["cold_start", "cold start, the whole process"], ["load", "load"], ["first_invoke", "first invoke"], ["read", "read"], ["decode", "decode"],
  ["preprocess", "preprocess"], ["invoke", "invoke"], ["postprocess", "postprocess"], ["total", "one image, total"], ["p50", "warm invoke, p50"], ["p90", "warm invoke, p90"], ["p99", "warm invoke, p99"]];

function openDetails(cell) {
  const dialog = byId("details");
  const close = h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(h("div", { class: "sheet" },
    h("header", {}, h("div", {}, h("h2", { id: "details-title" }, cellLabel(cell)), h("p", {}, badge(cell.word))), close),
    h("p", {}, cell.reason || (cell.p50 === undefined ? "Not measured in this night." : "Nothing was judged.")),
    cell.fault ? h("p", { class: "notice" }, h("strong", {}, "Fault: "), name(cell.fault.message), " ", quiet(`(${cell.fault.code})`)) : null,
    detailEvidence(cell), detailNumbers(cell), detailTrend(cell), detailAbout(cell)));
  dialog.showModal();
  drawVisible();
  close.focus();
}

function pairs(entries) {
  const kept = entries.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return kept.length ? h("dl", { class: "pairs" }, kept.map(([title, value]) => [h("dt", {}, title), h("dd", {}, value)])) : null;
}

function evidenceText(value) {
  if (isNumber(value)) return exact(value);
  if (Array.isArray(value) && value.every((one) => typeof one !== "object")) return value.map(evidenceText).join(", ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function detailEvidence(cell) {
  const evidence = cell.evidence || {};
  const known = Object.entries(EVIDENCE).filter(([key]) => evidence[key] !== undefined && evidence[key] !== null).map(([key, [title, text]]) => [title, text(evidence[key])]);
  const others = Object.entries(evidence).filter(([key, value]) => !EVIDENCE[key] && value !== null).map(([key, value]) => [key.replaceAll("_", " "), evidenceText(value)]);
  const starts = (cell.starts || []).map(exact).join(", "), again = (cell.confirmation || []).map(exact).join(", ");
  const list = pairs([["p50 tonight", cell.starts && withUnit(cell.p50, "ms")], ["of each fresh start", starts && `${starts} ms`], ["of the re-run", again && `${again} ms`], ...known, ...others]);
  return list ? [h("h3", {}, "Evidence"), list] : null;
}

function detailNumbers(cell) {
  const latency = cell.latency || {}, memory = cell.memory || {}, sizes = cell.sizes || {};
  const rows = TIMES.filter(([key]) => isNumber(latency[key])).map(([key, title]) => [title, `${exact(latency[key])} ms`]);
  rows.push(...Object.entries(memory).map(([key, value]) => [`memory, ${key}`, withUnit(value, "MB")]));
  rows.push(...Object.entries(sizes).map(([key, value]) => [`${key}, size`, withUnit(value / 1e6, "MB")]));
  if (!rows.length) return null;
  const unit = isEmulated(cell) ? "Numbers (emulated: an emulator's times are nobody's latency)" : "Numbers";
  return [h("h3", {}, unit), table("Numbers of this cell", [{ title: "what" }, { title: "median of fresh starts", number: true }], rows)];
}

function detailTrend(cell) {
  if ((cell.trend || []).filter(isNumber).length < 2) return null;
  return [h("h3", {}, "Trend"), figure({ id: "details-trend", draw: () => drawTrend([cell], "ms", 0) })];
}

function detailAbout(cell) {
  const one = device(cell), accuracy = cell.accuracy || {};
  const said = accuracy.kind === "golden" ? `${accuracy.passed} of ${accuracy.count} golden vectors passed`
    : accuracy.metrics ? `${Object.entries(accuracy.metrics).map(([key, value]) => `${key} ${exact(value)}`).join(", ")} on ${number(accuracy.count)} images` : null;
  return [h("h3", {}, "What ran"), pairs([["accuracy", said], ["warm invokes a start", cell.invokes && number(cell.invokes)], ["model, SHA-256", content.digests[cell.digest] && h("code", {}, content.digests[cell.digest])],
    ["runtime", [name(cell.runtime), " ", name((one.runtimes || {})[cell.runtime] || "")]], ...deviceEntries(one)])];
}

function deviceEntries(one) {
  const board = one.board || {}, heat = one.temperature || {};
  return [
    ["board", [board.model, board.architecture, board.cores && `${board.cores} cores`].filter(Boolean).map(String).join(", ")],
    ["kernel", one.kernel], ["program", [one.program, one.release && `release ${one.release}`].filter(Boolean).join(", ")],
    ["governor", one.governor], ["clock", one.clock && (one.clock[0] === one.clock[1] ? `${number(one.clock[0])} MHz` : `${number(one.clock[0])} to ${number(one.clock[1])} MHz`)],
    ["hottest before, during, after", one.temperature && ["before", "during", "after"].map((when) => number(heat[when])).join(", ") + " °C"],
    ["throttled during the night", one.throttled && one.throttled.join(", ")], ["since its start", one.occurred && one.occurred.join(", ")],
  ];
}
