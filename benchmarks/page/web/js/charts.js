// Charts: each a figure with its legend, its description for screen readers, and its numbers as a table.
const figures = new Set();
const SERIES = 5;  // lines in one chart
const PALETTE = 8;

function theme() {
  const style = getComputedStyle(document.documentElement);
  const colour = (key) => style.getPropertyValue(`--${key}`).trim();
  return { text: colour("text"), quiet: colour("quiet"), line: colour("line"), strong: colour("strong-line"), page: colour("page"), raised: colour("raised"), colour,
    series: Array.from({ length: PALETTE }, (_, index) => colour(`series-${index + 1}`)), font: getComputedStyle(document.body).fontFamily };
}

// draw() returns {empty} or {option(theme), description, legend, columns, rows(), height, walk}.
function figure({ id, draw }) {
  const canvas = h("div", { class: "canvas", role: "img", tabindex: "0", onkeydown: (event) => walk(one, event) });
  const caption = h("figcaption");
  const legend = h("ul", { class: "legend" });
  const numbers = h("details", {}, h("summary", {}, "Show as a table"));
  const element = h("figure", { id }, caption, legend, canvas, numbers);
  const one = { element, canvas, caption, legend, numbers, draw, chart: null, drawn: null, stale: true, place: -1 };
  numbers.addEventListener("toggle", () => fillTable(one));
  for (const old of figures) if (!old.element.isConnected && old.element.id === id) { old.chart?.dispose(); figures.delete(old); }
  figures.add(one);
  update(one);
  return element;
}

function update(one) {
  one.drawn = one.draw();
  one.stale = true;
  one.place = -1;
  const { empty, description, legend = [] } = one.drawn;
  one.caption.textContent = empty || description;
  one.legend.replaceChildren(...(empty ? [] : legend).map((entry) => h("li", {}, h("span", { class: entry.kind, "aria-hidden": "true" }, entry.shape || ""), h("span", {}, entry.text))));
  one.canvas.hidden = one.numbers.hidden = Boolean(empty);
  one.canvas.style.height = empty ? "" : `${one.drawn.height || 340}px`;
  one.canvas.setAttribute("aria-label", empty ? "" : description);
  fillTable(one);
}

function fillTable(one) {
  one.numbers.querySelector(".scroll")?.remove();
  if (one.numbers.open && !one.drawn.empty) one.numbers.append(table(one.drawn.tableTitle || "Numbers of the chart", one.drawn.columns, one.drawn.rows()));
}

function paint(one) {
  if (!one.stale || typeof echarts === "undefined" || one.drawn.empty || !one.canvas.clientWidth) return;
  one.stale = false;
  one.chart ||= echarts.init(one.canvas, null, { renderer: "canvas" });
  one.chart.resize();
  const look = theme();
  one.chart.setOption({ animation: false, backgroundColor: "transparent", textStyle: { fontFamily: look.font, color: look.text },
    aria: { enabled: true, label: { description: one.drawn.description } }, ...one.drawn.option(look, one.canvas.clientWidth) }, { notMerge: true });
}

const isNear = (element) => { const box = element.getBoundingClientRect(); return box.width > 0 && box.bottom > -400 && box.top < innerHeight + 400; };
function drawVisible() {
  for (const one of figures) if (one.element.isConnected && isNear(one.canvas)) paint(one);
  if (typeof echarts !== "undefined") document.documentElement.dataset.drawn ||= performance.now();  // whoever takes an image waits for it
}
function redrawCharts() { for (const one of figures) one.stale = true; requestAnimationFrame(drawVisible); }

function watchCharts() {
  let waiting = false;
  const soon = () => { if (!waiting) { waiting = true; requestAnimationFrame(() => { waiting = false; drawVisible(); }); } };
  addEventListener("scroll", soon, { passive: true });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) figures.forEach(update);  // labels and heights fit the width
    width = innerWidth;
    redrawCharts();
  });
  addEventListener("beforeprint", () => figures.forEach(paint));
  soon();
}

// Arrow keys show the values that a pointer would.
function walk(one, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === "Escape") one.chart?.dispatchAction({ type: "hideTip" });
  if (!step || !one.chart || !one.drawn.walk) return;
  event.preventDefault();
  const targets = one.drawn.walk;
  one.place = Math.min(Math.max(one.place + step, 0), targets.length - 1);
  one.chart.dispatchAction({ type: "showTip", ...targets[one.place] });
  requestAnimationFrame(() => announce([...one.canvas.querySelectorAll(".tip > *")].map((line) => line.innerText).join("; ")));
}

// A tooltip of text nodes.
function tip(title, entries) {
  return h("div", { class: "tip" }, h("strong", {}, title), entries.map(([key, value, kind]) => h("div", {}, h("span", {}, kind && h("span", { class: kind, "aria-hidden": "true" }), name(key)), h("b", {}, value))));
}

const tooltip = (look, more) => ({ backgroundColor: look.raised, borderColor: look.strong, borderWidth: 1, padding: 8, confine: true, textStyle: { color: look.text }, ...more });
const axisLook = (look) => ({ axisLine: { lineStyle: { color: look.strong } }, axisTick: { lineStyle: { color: look.strong } }, axisLabel: { color: look.quiet }, nameTextStyle: { color: look.quiet }, splitLine: { lineStyle: { color: look.line } } });

// A control that shows so many at a time.
function pager(size, what, change) {
  let page = 0;
  const back = h("button", { type: "button", class: "button", onclick: () => turn(-1) }, `Previous ${size}`);
  const forth = h("button", { type: "button", class: "button", onclick: () => turn(1) }, `Next ${size}`);
  const said = h("span", { class: "quiet" });
  const turn = (by) => { page += by; change(); announce(said.textContent); };
  const of = (all) => {
    page = Math.max(0, Math.min(page, Math.ceil(all.length / size) - 1));
    const part = all.slice(page * size, (page + 1) * size);
    back.hidden = forth.hidden = all.length <= size;
    back.disabled = page === 0;
    forth.disabled = (page + 1) * size >= all.length;
    said.textContent = all.length > size ? `${page * size + 1} to ${page * size + part.length} of ${all.length} ${what}` : "";
    return part;
  };
  return { of, reset: () => { page = 0; }, element: [back, forth, said] };
}
