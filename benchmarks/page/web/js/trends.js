// How each cell did over the nights.
const MOMENTS = content.nights.map((night) => Date.parse(night));
const IS_TIME = MOMENTS.every(Number.isFinite);
const FIRST = 14;  // nights that a relative trend starts from
const RANGES = [["30", "30 nights"], ["90", "90 nights"], ["", "all nights"]];
let trendUnit = "change", trendRange = "";

function middle(values) {
  const sorted = values.filter(isNumber).sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length ? (sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2) : null;
}

// Cells by what a reader looks for first: those that moved tonight, then those with the newest steps.
const MOVED = ["REGRESSED", "IMPROVED", "NOISY"];
const moved = (cell) => (MOVED.indexOf(cell.word) + MOVED.length + 1) % (MOVED.length + 1);
const lastStep = (cell) => Math.max(-1, ...(cell.steps || []).map(([place]) => place));
const byInterest = (cells) => [...cells].sort((a, b) => moved(a) - moved(b) || lastStep(b) - lastStep(a));

function buildTrends() {
  const cellPager = pager(SERIES, "cells", () => { update(trendFigure); drawVisible(); });
  const unit = h("select", { id: "trend-unit", onchange: () => { trendUnit = unit.value; update(trendFigure); drawVisible(); } },
    h("option", { value: "change" }, "change in %"), h("option", { value: "ms" }, "milliseconds"));
  const range = h("select", { id: "trend-range", onchange: () => { trendRange = range.value; update(trendFigure); drawVisible(); } },
    RANGES.map(([value, text]) => h("option", { value }, text)));
  range.value = trendRange;
  const drawn = figure({ id: "trend", draw: () => drawTrend(cellPager.of(byInterest(shownCells().filter((cell) => (cell.trend || []).some(isNumber)))), trendUnit, Number(trendRange)) });
  const trendFigure = [...figures].find((one) => one.element === drawn);
  byId("trends").append(
    h("p", { class: "note" }, "Medians of each night's fresh starts. Dashed upright lines: steps found in the whole history, with their size. Triangles: nights that were judged REGRESSED or IMPROVED; crosses: DEVICE-DOWN, at the first of its nights; rings: NOISY.",
      content.thinned > 1 ? ` Older nights are drawn as medians of ${content.thinned}, so that a year stays a small page; steps are found in all nights.` : ""),
    h("div", { class: "bar", hidden: content.nights.length < 2 }, h("label", { class: "control" }, "Scale", unit), h("label", { class: "control" }, "Range", range), cellPager.element), drawn);
  renderers.push(() => { cellPager.reset(); update(trendFigure); });
}

function drawTrend(cells, unit, range) {
  if (!cells.length) return { empty: content.cells.length ? "No cell of these filters was measured." : EMPTY };
  if (content.nights.length === 1) return { empty: "One night so far: a trend begins with the second." };
  const from = range ? Math.max(0, content.nights.length - range) : 0;
  const places = content.nights.map((_, index) => index).slice(from);
  const bases = cells.map((cell) => middle(places.map((place) => cell.trend[place]).filter(isNumber).slice(0, FIRST)));
  const value = (index, place) => {
    const ms = cells[index].trend[place];
    return !isNumber(ms) ? null : unit === "ms" ? ms : (ms / bases[index] - 1) * 100;
  };
  return {
    description: `${cells.length === 1 ? cellText(cells[0]) : `${cells.length} cells`}, ${places.length} ${content.thinned > 1 ? "places" : "nights"} from ${dayText(content.nights[from])} to ${dayText(content.nights[content.nights.length - 1])}, p50 ${unit === "ms" ? "in milliseconds" : `as change against the median of the first ${FIRST} nights shown`}. ${stepsText(cells, from)}`,
    legend: cells.map((cell, index) => ({ kind: lineKind(index), text: cellLabel(cell) })),
    option: (look, width) => trendOption(look, width, cells, places, value, unit),
    walk: places.map((place, index) => ({ seriesIndex: 0, dataIndex: index })),
    tableTitle: "Trend: p50 of each night in milliseconds",
    columns: [{ title: "Night" }, ...cells.map((cell) => ({ title: cellLabel(cell), number: true }))],
    rows: () => places.slice().reverse().map((place) => [nightText(content.nights[place]), ...cells.map((cell) => exact(cell.trend[place]) + markText(cell, place))]),
  };
}

const lineKind = (index) => `swatch line s${index + 1}${index > 2 ? " dashed" : ""}`;
const marksAt = (cell, place) => (cell.marks || []).filter(([at]) => at === place).map(([, word]) => word);
const markText = (cell, place) => [...marksAt(cell, place), ...(cell.steps || []).filter(([at]) => at === place).map(([, ratio]) => `step ${percent(ratio)}`)].map((text) => ` ${text}`).join("");

function stepsText(cells, from) {
  const said = cells.flatMap((cell) => (cell.steps || []).filter(([place]) => place >= from).map(([place, ratio]) => `${cellText(cell)} ${percent(ratio)} at ${dayText(content.nights[place])}`));
  return said.length ? `Steps: ${said.slice(0, 3).join("; ")}${said.length > 3 ? `; and ${said.length - 3} more` : ""}.` : "No steps.";
}

// How high each step's label stands: labels of steps that are close to each other would cover one another.
function labelHeights(cells, places, width) {
  const steps = cells.flatMap((cell, index) => (cell.steps || []).filter(([place]) => place >= places[0]).map(([place]) => ({ place, key: `${index} ${place}` }))).sort((a, b) => a.place - b.place);
  const near = (places.length * 48) / width;  // nights that a label covers
  const heights = new Map();
  let before = null;
  for (const step of steps) {
    heights.set(step.key, before && step.place - before.place < near ? (heights.get(before.key) + 1) % 3 : 0);
    before = step;
  }
  return heights;
}

function trendOption(look, width, cells, places, value, unit) {
  const x = (place) => (IS_TIME ? MOMENTS[place] : content.nights[place]);
  const symbols = { REGRESSED: ["triangle", 0], IMPROVED: ["triangle", 180], "DEVICE-DOWN": ["path://M0,1L1,0L5,4L9,0L10,1L6,5L10,9L9,10L5,6L1,10L0,9L4,5Z", 0], NOISY: ["circle", 0] };
  const format = (number_) => (unit === "ms" ? `${number(number_)}` : `${number_ > 0 ? "+" : ""}${number(number_)} %`);
  const heights = labelHeights(cells, places, width);
  const series = cells.map((cell, index) => {
    const colour = look.series[index];
    const inRange = ([place]) => place >= places[0];
    return {
      type: "line", name: cellText(cell), showSymbol: places.length < 8, symbolSize: 6, symbol: "circle", connectNulls: false, data: places.map((place) => [x(place), value(index, place)]),
      lineStyle: { color: colour, width: 1.75, type: index > 2 ? "dashed" : "solid" }, itemStyle: { color: colour }, emphasis: { disabled: true },
      markPoint: { silent: true, data: (cell.marks || []).filter(inRange).filter(beginsRun).map(([place, word]) => markOf(place, word)).filter(Boolean) },
      markLine: { silent: true, symbol: "none", animation: false, lineStyle: { color: colour, type: "dashed", width: 1.5 }, data: (cell.steps || []).filter(inRange).map(([place, ratio]) => ({ xAxis: x(place), label: { formatter: () => percent(ratio, 0), color: look.text, fontSize: 11, backgroundColor: look.page, padding: [1, 3], position: "end", distance: 2 + heights.get(`${index} ${place}`) * 13 } })) },
    };
    function beginsRun([place, word]) { return !marksAt(cell, place - 1).includes(word) || place === places[0]; }
    function markOf(place, word) {
      const [symbol, rotate] = symbols[word] || [];
      let at = value(index, place);
      for (let back = place - 1; at === null && back >= places[0]; back--) at = value(index, back);
      return symbol && at !== null ? { coord: [x(place), at], symbol, symbolRotate: rotate, symbolSize: word === "NOISY" ? 9 : 11, itemStyle: { color: word === "NOISY" ? "transparent" : look.colour(word === "DEVICE-DOWN" ? "down" : word.toLowerCase()), borderColor: word === "NOISY" ? look.colour("noisy") : look.page, borderWidth: word === "NOISY" ? 2 : 1 }, label: { show: false } } : null;
    }
  });
  return {
    grid: { left: 58, right: 22, top: 56, bottom: 34 }, series,
    xAxis: { type: IS_TIME ? "time" : "category", ...axisLook(look), splitLine: { show: false }, ...(IS_TIME ? { axisLabel: { color: look.quiet, hideOverlap: true, formatter: { year: "{yyyy}", month: width < 500 ? "{MMM}" : "{MMM} {yyyy}", day: "{d} {MMM}", hour: "{HH}:{mm}", minute: "{HH}:{mm}" } }, splitNumber: width < 500 ? 4 : 8 } : {}) },
    yAxis: { type: "value", scale: true, name: unit === "ms" ? "p50, ms" : "change of p50", nameLocation: "end", ...axisLook(look), nameTextStyle: { color: look.quiet, align: "left", padding: [0, 0, 0, -50] }, axisLabel: { color: look.quiet, formatter: format } },
    tooltip: tooltip(look, { trigger: "axis", axisPointer: { lineStyle: { color: look.strong } }, formatter: (points) => tip(dayText(content.nights[places[points[0].dataIndex]]), points.map((point) => [point.seriesName, !isNumber(point.value[1]) ? "–" : unit === "ms" ? `${exact(point.value[1])} ms` : percent(1 + point.value[1] / 100), lineKind(point.seriesIndex)])) }),
  };
}
