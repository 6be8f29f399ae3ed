// What all parts use. Text from devices and models reaches the document as text only: never as markup.
const content = JSON.parse(document.getElementById("content").textContent);

function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

const byId = (id) => document.getElementById(id);
const announce = (text) => { byId("announcer").textContent = text; };  // to screen readers
const quiet = (text) => h("span", { class: "quiet" }, text);
const hidden = (text) => h("span", { class: "hidden" }, text);
const name = (text) => h("bdi", {}, text);  // a name's writing direction is its own

const WORDS = {
  REGRESSED: ["▲", "slower than its baseline, confirmed by a re-run"],
  "DEVICE-DOWN": ["✕", "no answer from the device, or the model fails there"],
  MISSED: ["!", "a target of the paper or model is missed"],
  NOISY: ["≈", "the device or its noise, not the model"],
  IMPROVED: ["▼", "faster than its baseline, confirmed by a re-run"],
  PASS: ["✓", "as fast as its baseline"],
};
const RANK = Object.keys(WORDS);
const rank = (cell) => (cell.word ? RANK.indexOf(cell.word) : RANK.length);

function badge(word, text) {
  if (!WORDS[word]) return h("span", { class: "badge" }, text || "no verdict");
  return h("span", { class: `badge ${word}` }, h("i", { "aria-hidden": "true" }, `${WORDS[word][0]} `), text || word);
}

const emulatedBadge = () => h("span", { class: "badge emulated" }, "emulated");

const significant = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const number = (value) => (!isNumber(value) ? "–" : Math.abs(value) >= 1000 ? whole.format(value) : significant.format(value));
const exact = (value) => (isNumber(value) ? new Intl.NumberFormat("en", { maximumSignificantDigits: 4 }).format(value) : "–");
const withUnit = (value, unit) => (isNumber(value) ? `${number(value)} ${unit}` : "–");
const percent = (ratio, digits = 1) => {
  if (!isNumber(ratio)) return "–";
  const change = ((ratio - 1) * 100).toFixed(digits);
  return `${Number(change) > 0 ? "+" : change.startsWith("-") && Number(change) !== 0 ? "−" : "±"}${change.replace("-", "")} %`;
};
const nightText = (night) => String(night).replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?.*Z$/, "$1 $2 UTC");
const dayText = (night) => String(night).replace(/T\d\d:\d\d.*Z$/, "");

const device = (cell) => content.devices[cell.device];
const isEmulated = (cell) => Boolean(device(cell).emulated);
const modelName = (cell) => content.models[cell.model];
const threadsText = (cell) => `${cell.threads} thread${cell.threads === 1 ? "" : "s"}`;
const emulatedText = (cell) => (isEmulated(cell) ? " (emulated)" : "");
const cellText = (cell) => `${modelName(cell)} on ${device(cell).name}, ${cell.runtime}, ${threadsText(cell)}${emulatedText(cell)}`;
const cellLabel = (cell) => [name(modelName(cell)), " on ", name(device(cell).name), ", ", name(cell.runtime), `, ${threadsText(cell)}${emulatedText(cell)}`];
const ratioOf = (cell) => (cell.evidence && isNumber(cell.evidence.ratio) ? cell.evidence.ratio : null);

function scrolling(label, table) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
}

// A table of columns {title, number?} and rows of text or nodes.
function table(label, columns, rows, kind = "") {
  const head = columns.map((column) => h("th", { scope: "col", class: column.number && "number" }, column.title));
  const body = rows.map((row) => h("tr", {}, row.map((value, place) =>
    h(place ? "td" : "th", { class: columns[place].number && "number", scope: place ? null : "row" }, value))));
  return scrolling(label, h("table", { class: kind }, h("caption", { class: "hidden" }, label),
    h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

function replaceBelow(section, ...children) {
  while (section.children.length > 1) section.lastChild.remove();
  section.append(...children.flat(2).filter(Boolean));
}
