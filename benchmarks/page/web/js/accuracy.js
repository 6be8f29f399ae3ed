// Accuracy against latency on one device, with the front of what nothing else beats in both.
const SHAPES = [["circle", "●"], ["diamond", "◆"], ["triangle", "▲"], ["rect", "■"]];
const METRICS = ["accuracy", "dice", "auc", "iou"];

// What can be compared: the same measure on the same images.
function scoresOf(cell) {
  const scores = [];
  const measured = cell.accuracy || {};
  for (const key of METRICS) {
    if (measured.metrics && isNumber(measured.metrics[key])) scores.push({ key: `${key}|${measured.folder || ""}`, metric: key, of: `${key} on ${measured.folder || "a labelled folder"} of the device`, value: measured.metrics[key] });
    const host = content.hosts[cell.digest];
    if (host && isNumber(host.metrics[key])) scores.push({ key: `${key}|host|${host.data}`, metric: key, of: `${key}, by the host: ${host.data}`, value: host.metrics[key] });
  }
  return scores;
}

function buildAccuracy() {
  const deviceSelect = h("select", { id: "accuracy-device", onchange: change });
  const scoreSelect = h("select", { id: "accuracy-score", onchange: change });
  const drawn = figure({ id: "pareto", draw: () => drawAccuracy(Number(deviceSelect.value), scoreSelect.value) });
  const one = [...figures].find((found) => found.element === drawn);
  const bar = h("div", { class: "bar" }, h("label", { class: "control" }, "On device", deviceSelect), h("label", { class: "control" }, "Accuracy", scoreSelect));
  byId("accuracy").append(
    h("p", { class: "note" }, "One device and one set of images at a time, because neither latencies of two boards nor accuracies on two sets compare. The line is the Pareto front: nothing else is both faster and more accurate."),
    bar, drawn);
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
    bar.hidden = !cells.length;
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
      itemStyle: { color: look.series[index % PALETTE], opacity: on ? 1 : 0.6, borderColor: look.page, borderWidth: 1 },
      label: { show: on, position: "top", formatter: () => `${modelName(point.cell).slice(0, 28)} ×${point.cell.threads}`, color: look.text, fontSize: 12 } };
  };
  const all = points.map((point) => point.ms);
  const [left, right] = [Math.min(...all) / 1.25, Math.max(...all) * 1.25];
  const ticks = decades(left, right);
  const scores = points.map((point) => point.score);
  const room = Math.max(0.01, (Math.max(...scores) - Math.min(...scores)) * 0.15);
  const [low, high] = [Math.max(0, round(Math.min(...scores) - room, Math.floor)), Math.min(1, round(Math.max(...scores) + room, Math.ceil))];
  return {
    grid: { left: 58, right: width < 500 ? 30 : 60, top: 44, bottom: 50 },
    xAxis: { type: "log", name: unit, nameLocation: "middle", nameGap: 30, ...axisLook(look), min: left, max: right, axisTick: { customValues: ticks, lineStyle: { color: look.strong } }, axisLabel: { customValues: ticks, color: look.quiet, hideOverlap: true, formatter: (value) => number(value) } },
    yAxis: { type: "value", name: points[0].metric, min: low, max: high, ...axisLook(look), nameTextStyle: { color: look.quiet, align: "left", padding: [0, 0, 0, -50] }, axisLabel: { color: look.quiet, formatter: (value) => number(value) } },
    tooltip: tooltip(look, { trigger: "item", formatter: (point) => tip(point.name, [[unit, exact(point.value[0])], [points[0].metric, exact(point.value[1])]]) }),
    series: [{ type: "scatter", data: points.map(item), labelLayout: { hideOverlap: true }, z: 3 },
      { type: "line", data: front.map((point) => [point.ms, point.score]), step: "end", symbol: "none", silent: true, lineStyle: { color: look.series[6], width: 2 }, tooltip: { show: false }, z: 2 }],
  };
}

const round = (score, how) => how(score * 50) / 50;

// 1, 2, 5, 10, 20 ... between two bounds.
function decades(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
    for (const digit of high / low < 4 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5]) {
      const value = Number((digit * 10 ** power).toPrecision(3));
      if (value >= low && value <= high) found.push(value);
    }
  return found;
}
