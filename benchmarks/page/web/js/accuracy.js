// Accuracy against latency on one device, with the front of what nothing else beats in both.
const SHAPES = [["circle", "●"], ["diamond", "◆"], ["triangle", "▲"], ["rect", "■"]];
const METRICS = ["accuracy", "dice", "auc", "iou"];

// What can be compared: the same measure on the same images.
function scoresOf(cell) {
  const scores = [];
  const measured = cell.accuracy || {};
  for (const key of METRICS) {
    if (measured.metrics && isNumber(measured.metrics[key])) scores.push({ key: `${key}|${measured.folder || ""}`, metric: key, of: `${key} on ${measured.folder || "a labelled folder"} of the device`, value: measured.metrics[key] });
    const host = cell.host;
    if (host && isNumber(host.metrics[key])) scores.push({ key: `${key}|host|${host.data}`, metric: key, of: `${key}, by the host: ${host.data}`, value: host.metrics[key] });
  }
  return scores;
}

function buildAccuracy() {
  const deviceSelect = h("select", { id: "accuracy-device", onchange: change });
  const scoreSelect = h("select", { id: "accuracy-score", onchange: change });
  const drawn = figure({ id: "pareto", draw: () => drawAccuracy(Number(deviceSelect.value), scoreSelect.value) });
  const one = [...figures].find((found) => found.element === drawn);
  byId("accuracy").append(
    h("p", { class: "note" }, "One device and one set of images at a time, because neither latencies of two boards nor accuracies on two sets compare. The line is the Pareto front: nothing else is both faster and more accurate."),
    h("div", { class: "bar" }, h("label", { class: "control" }, "On device", deviceSelect), h("label", { class: "control" }, "Accuracy", scoreSelect)), drawn);
  function change() { fill(); update(one); drawVisible(); }
  function fill() {
    const cells = shownCells().filter((cell) => isNumber(cell.p50) && scoresOf(cell).length);
    const devices = [...new Set(cells.map((cell) => cell.device))].sort((a, b) => Boolean(content.devices[a].emulated) - Boolean(content.devices[b].emulated) || a - b);
    keepOptions(deviceSelect, devices.map((index) => [String(index), content.devices[index].name]));
    const counts = new Map();
    for (const cell of cells.filter((found) => String(found.device) === deviceSelect.value)) for (const score of scoresOf(cell)) {
      const entry = counts.get(score.key) || { text: score.of, models: new Set() };
      entry.models.add(cell.model);
      counts.set(score.key, entry);
    }
    keepOptions(scoreSelect, [...counts].sort((a, b) => b[1].models.size - a[1].models.size).map(([key, entry]) => [key, entry.text]));
  }
  fill();
  update(one);
  renderers.push(() => { fill(); update(one); });
}

function keepOptions(select, options) {
  const kept = select.value;
  select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
  if (options.some(([value]) => value === kept)) select.value = kept;
  select.disabled = options.length < 2;
}

// Points sorted by latency of which each is more accurate than all faster ones.
function frontOf(points) {
  let best = -Infinity;
  return [...points].sort((a, b) => a.ms - b.ms || b.score - a.score).filter((point) => point.score > best && ((best = point.score), true));
}

function drawAccuracy(deviceIndex, key) {
  const cells = shownCells().filter((cell) => cell.device === deviceIndex && isNumber(cell.p50));
  const points = cells.flatMap((cell) => scoresOf(cell).filter((score) => score.key === key).map((score) => ({ cell, ms: cell.p50, score: score.value, metric: score.metric })));
  if (!points.length) return { empty: content.cells.length ? "No accuracy is known of these cells: give the device a labelled folder in the inventory." : EMPTY };
  const front = frontOf(points);
  const emulated = content.devices[deviceIndex].emulated;
  const unit = emulated ? "emulated ms (nobody's latency)" : "p50, ms";
  const runtimes = content.runtimes.filter((runtime) => points.some((point) => point.cell.runtime === runtime));
  const label = (point) => `${modelName(point.cell)}, ${point.cell.runtime}, ${threadsText(point.cell)}`;
  return {
    description: `${points.length} cells on ${content.devices[deviceIndex].name}${emulated ? " (emulated)" : ""}: ${points[0].metric} against p50 in milliseconds. On the Pareto front, from fast to accurate: ${front.map((point) => `${label(point)} (${exact(point.ms)} ms, ${exact(point.score)})`).join("; ")}.`,
    height: 380,
    legend: [...runtimes.map((runtime, index) => ({ kind: `shape s${index + 1}`, shape: SHAPES[index % SHAPES.length][1], text: name(runtime) })), { kind: "swatch line s7", text: "Pareto front" }],
    walk: points.map((_, index) => ({ seriesIndex: 0, dataIndex: index })),
    tableTitle: "Accuracy against latency", columns: [{ title: "Cell" }, { title: unit, number: true }, { title: points[0].metric, number: true }, { title: "Pareto front" }],
    rows: () => [...points].sort((a, b) => a.ms - b.ms).map((point) => [label(point), exact(point.ms), exact(point.score), front.includes(point) ? "on it" : ""]),
    option: (look, width) => accuracyOption(look, width, points, front, runtimes, unit, label),
  };
}

function accuracyOption(look, width, points, front, runtimes, unit, label) {
  const item = (point) => {
    const index = runtimes.indexOf(point.cell.runtime);
    const on = front.includes(point);
    return { value: [point.ms, point.score], name: label(point), symbol: SHAPES[index % SHAPES.length][0], symbolSize: on ? 14 : 10,
      itemStyle: { color: look.series[index % SERIES], opacity: on ? 1 : 0.6, borderColor: look.page, borderWidth: 1 },
      label: { show: on, position: "top", formatter: () => `${modelName(point.cell).slice(0, 28)} ×${point.cell.threads}`, color: look.text, fontSize: 12 } };
  };
  return {
    grid: { left: 58, right: width < 500 ? 30 : 60, top: 44, bottom: 50 },
    xAxis: { type: "log", name: unit, nameLocation: "middle", nameGap: 30, ...axisLook(look), min: bound(points, 0.8), max: bound(points, 1.25), axisLabel: { color: look.quiet, hideOverlap: true, formatter: (value) => number(value) }, minorTick: { show: true }, splitLine: { lineStyle: { color: look.line } } },
    yAxis: { type: "value", scale: true, name: points[0].metric, boundaryGap: ["8%", "14%"], ...axisLook(look), nameTextStyle: { color: look.quiet, align: "left", padding: [0, 0, 0, -50] }, axisLabel: { color: look.quiet, formatter: (value) => number(value) } },
    tooltip: tooltip(look, { trigger: "item", formatter: (point) => tip(point.name, [[unit, exact(point.value[0])], [points[0].metric, exact(point.value[1])]]) }),
    series: [{ type: "scatter", data: points.map(item), labelLayout: { hideOverlap: true }, z: 3 },
      { type: "line", data: front.map((point) => [point.ms, point.score]), step: "end", symbol: "none", silent: true, lineStyle: { color: look.series[6], width: 2 }, tooltip: { show: false }, z: 2 }],
  };
}

function bound(points, factor) {
  const all = points.map((point) => point.ms);
  const value = (factor < 1 ? Math.min(...all) : Math.max(...all)) * factor;
  return Number(value.toPrecision(2));
}
