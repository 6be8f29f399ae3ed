// Where an image's time goes, what a cold start is made of, and what the memory holds: bars whose parts follow each other.
const ROWS = 12;
const difference = (whole_, ...parts) => (isNumber(whole_) ? Math.max(0, whole_ - parts.reduce((sum, part) => sum + (part || 0), 0)) : undefined);

const COSTS = {
  image: { place: "time", title: "One image, warm", unit: "ms", colours: [7, 5, 3, 1, 4],
    note: "Read, decode, preprocess, invoke and postprocess follow each other for each image.",
    parts: { read: (l) => l.read, decode: (l) => l.decode, preprocess: (l) => l.preprocess, invoke: (l) => l.invoke, postprocess: (l) => l.postprocess }, of: (cell) => cell.latency },
  cold: { place: "time", title: "Cold start", unit: "ms", colours: [7, 2, 5, 1, 4],
    note: "From the start of a process to its end with one answer. What is not measured inside, the start of the program and its libraries, is the remainder.",
    parts: { "start and libraries": (l) => difference(l.cold_start, l.load, l.read, l.decode, l.preprocess, l.first_invoke, l.postprocess), "load the model": (l) => l.load, "read, decode, preprocess": (l) => (l.read || 0) + (l.decode || 0) + (l.preprocess || 0), "first invoke": (l) => l.first_invoke, postprocess: (l) => l.postprocess },
    of: (cell) => (cell.latency && isNumber(cell.latency.cold_start) ? cell.latency : undefined) },
  memory: { place: "memory", title: "Peak memory of the process", unit: "MB", colours: [1, 7],
    note: "What loading the model added, and the rest of the process's peak: program, libraries, image.",
    parts: { model: (m) => m.model, "program, libraries, image": (m) => difference(m.peak, m.model) }, of: (cell) => (cell.memory && isNumber(cell.memory.peak) ? cell.memory : undefined) },
};

function buildCosts() {
  for (const [key, cost] of Object.entries(COSTS)) {
    const rowPager = pager(ROWS, "cells", () => { update(one); drawVisible(); });
    const drawn = figure({ id: `cost-${key}`, draw: () => drawCost(cost, rowPager) });
    const one = [...figures].find((found) => found.element === drawn);
    byId(cost.place).append(h("h3", {}, cost.title), h("p", { class: "note" }, cost.note), h("div", { class: "bar" }, rowPager.element), drawn);
    renderers.push(() => { rowPager.reset(); update(one); });
  }
}

function drawCost(cost, rowPager) {
  const all = shownCells().filter((cell) => cost.of(cell) && Object.values(cost.parts).some((part) => isNumber(part(cost.of(cell)))));
  const cells = rowPager.of(all);
  if (!cells.length) return { empty: content.cells.length ? "Not measured for these cells." : EMPTY };
  const values = cells.map((cell) => Object.values(cost.parts).map((part) => part(cost.of(cell)) ?? null));
  const sums = values.map((row) => row.reduce((sum, value) => sum + (value || 0), 0));
  const names = Object.keys(cost.parts);
  const most = sums.indexOf(Math.max(...sums)), least = sums.indexOf(Math.min(...sums));
  const range = cells.length === 1 ? `${withUnit(sums[0], cost.unit)} for ${cellText(cells[0])}` : `from ${withUnit(sums[least], cost.unit)} (${cellText(cells[least])}) to ${withUnit(sums[most], cost.unit)} (${cellText(cells[most])})`;
  return {
    description: `${cost.title}: ${range}.`,
    height: 64 + cells.length * (innerWidth < 640 ? 46 : 34),
    legend: names.map((text, index) => ({ kind: `swatch box s${cost.colours[index]}`, text })),
    walk: cells.map((_, index) => ({ seriesIndex: 0, dataIndex: index })),
    tableTitle: cost.title, columns: [{ title: "Cell" }, ...[...names, "sum"].map((text) => ({ title: `${text}, ${cost.unit}`, number: true }))],
    rows: () => cells.map((cell, index) => [cellLabel(cell), ...values[index].map(exact), exact(sums[index])]),
    option: (look, width) => costOption(look, width, cost, cells, values, sums, names),
  };
}

function costOption(look, width, cost, cells, values, sums, names) {
  const narrow = width < 560;
  const room = narrow ? 132 : 260;
  const label = (cell) => (narrow ? `${modelName(cell)}\n${device(cell).name}\n${cell.runtime} ×${cell.threads}` : `${modelName(cell)} · ${device(cell).name} · ${cell.runtime} ×${cell.threads}`) + (isEmulated(cell) ? (narrow ? " (em.)" : " (emulated)") : "");
  return {
    grid: { left: room + 10, right: 64, top: 8, bottom: 44 },
    xAxis: { type: "value", name: cost.unit, nameLocation: "middle", nameGap: 26, ...axisLook(look), axisLabel: { color: look.quiet, hideOverlap: true, formatter: (value) => number(value) } },
    yAxis: { type: "category", inverse: true, data: cells.map(label), ...axisLook(look), axisTick: { show: false }, axisLabel: { color: look.text, width: room, overflow: "truncate", interval: 0, fontSize: narrow ? 11 : 12, lineHeight: 14 } },
    tooltip: tooltip(look, { trigger: "axis", axisPointer: { type: "shadow" }, formatter: (bars) => tip(cellText(cells[bars[0].dataIndex]), [...names.map((text, index) => [text, withUnit(values[bars[0].dataIndex][index], cost.unit), `swatch box s${cost.colours[index]}`]), ["sum", withUnit(sums[bars[0].dataIndex], cost.unit)]]) }),
    series: names.map((text, index) => ({
      type: "bar", name: text, stack: "all", barMaxWidth: 20, emphasis: { disabled: true }, data: values.map((row) => row[index]), itemStyle: { color: look.series[cost.colours[index] - 1], borderColor: look.page, borderWidth: 1 },
      label: index === names.length - 1 ? { show: true, position: "right", formatter: (bar) => number(sums[bar.dataIndex]), color: look.text } : { show: false },
    })),
  };
}
