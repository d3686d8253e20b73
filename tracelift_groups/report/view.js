"use strict";
// Every text of the data is put in with textContent or as an attribute's value, never as markup.
const $ = (id) => document.getElementById(id);
function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  for (const child of children.flat(9)) if (child !== null && child !== undefined && child !== false)
    node.append(child instanceof Node ? child : String(child));
  return node;
}
function s(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const number = (value, digits = 3) => value === null || value === undefined ? "" : value.toFixed(digits);

let data, shown = [], at = -1, state = {}, haystacks = [];
const ROW = 64;

async function load() {
  const packed = atob($("data").textContent.trim());
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  data = JSON.parse(await new Response(stream).text());
  $("data").remove();
  haystacks = data.groups.map((g) =>
    [g.group_id, g.problem, ...g.traces.map((t) => t.text)].join("\n").toLowerCase());
  data.groups.forEach((g, i) => { g.number = i; });
  document.title = data.title;
  $("title").textContent = data.title;
  fill($("kind"), "all kinds", Object.keys(data.overview.kinds));
  fill($("domain"), "all domains", [...new Set(data.groups.map((g) => g.domain))].sort());
  fill($("split"), "all splits", [...new Set(data.groups.map((g) => g.split || "none"))].sort());
  if ($("domain").options.length < 3) $("domain").hidden = true;
  if ($("split").options.length < 3) $("split").hidden = true;
  if (!data.rm) { $("rm").hidden = true; $("sort").hidden = true; }
  if (!data.rejected.length) $("rejected").hidden = true;
  read();
  window.addEventListener("hashchange", read);
  document.body.dataset.ready = "1";
}
function fill(select, all, values) {
  select.append(h("option", { value: "" }, all), ...values.map((v) => h("option", { value: v }, v)));
}

// The address holds the filters and the group, so that a place can be shared.
const FILTERS = ["q", "kind", "domain", "split", "rm", "sort"];
function read() {
  const hash = new URLSearchParams(location.hash.slice(1));
  state = Object.fromEntries(FILTERS.map((name) => [name, hash.get(name) || ""]));
  for (const name of FILTERS) if ($(name).value !== state[name]) $(name).value = state[name];
  filter();
  const id = hash.get("g");
  if (hash.get("page") === "rejected") rejections();
  else if (id !== null) open(shown.findIndex((g) => g.group_id === id), id);
  else overview();
}
function write(change) {
  const hash = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(change))
    if (value) hash.set(name, value); else hash.delete(name);
  history.replaceState(null, "", "#" + hash);
}
function filter() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  shown = data.groups.filter((g) =>
    (!state.domain || g.domain === state.domain) &&
    (!state.split || (g.split || "none") === state.split) &&
    (!state.kind || g.traces.some((t) => t.kind === state.kind)) &&
    (!state.rm || (g.rm > 0) === (state.rm === "right")) &&
    words.every((word) => haystacks[g.number].includes(word)));
  if (state.sort === "worst") shown.sort((a, b) => a.rm - b.rm);
  $("count").textContent = `${shown.length} of ${data.groups.length} groups`;
  $("inner").style.height = `${shown.length * ROW}px`;
  $("list").scrollTop = 0;
  draw();
}
function draw() {
  const top = Math.max(0, Math.floor($("list").scrollTop / ROW) - 4);
  const end = Math.min(shown.length, top + Math.ceil($("list").clientHeight / ROW) + 8);
  const rows = [];
  for (let i = top; i < end; i++) {
    const g = shown[i], flawed = g.traces.filter((t) => t.role === "flawed").length;
    const mark = data.rm ? (g.rm > 0 ? " · RM right" : " · RM wrong") + ` (${g.rm.toFixed(2)})` : "";
    rows.push(h("div", { class: "row", role: "option", style: `top:${i * ROW}px`, "aria-selected": i === at,
      id: "row" + i, onclick: () => go(i) }, h("div", {}, g.problem),
      h("small", {}, `${g.split || ""} · ${flawed} flawed${mark} · ${g.group_id}`)));
  }
  $("inner").replaceChildren(...rows);
}
function go(i) {
  if (i < 0 || i >= shown.length) return;
  write({ g: shown[i].group_id, page: "" });
  open(i);
}
function open(i, id) {
  at = i;
  const g = i >= 0 ? shown[i] : data.groups.find((one) => one.group_id === id);
  document.body.classList.add("reading");
  if (!g) { $("main").replaceChildren(h("p", {}, `There is no group ${id}.`)); return; }
  if (i >= 0) {
    const list = $("list"), y = i * ROW;
    if (y < list.scrollTop || y + ROW > list.scrollTop + list.clientHeight)
      list.scrollTop = y - list.clientHeight / 2;
    $("list").setAttribute("aria-activedescendant", "row" + i);
  }
  draw();
  $("main").replaceChildren(page(g));
  $("main").scrollTop = 0;
}

function page(g) {
  const byId = new Map(g.traces.map((t) => [t.trace_id, t]));
  const reference = g.traces.find((t) => t.role === "reference");
  const sound = g.traces.filter((t) => t.role !== "flawed");
  const flawed = g.traces.filter((t) => t.role === "flawed");
  const wanted = state.kind ? [...flawed].sort((a, b) => (b.kind === state.kind) - (a.kind === state.kind)) : flawed;
  return h("article", {},
    h("h2", {}, g.group_id), h("p", { class: "faint" }, [g.source, g.domain, g.split, g.answer !== null && `answer ${g.answer}`]
      .filter(Boolean).join(" · ")),
    h("p", { class: "problem" }, g.problem),
    g.reference_solution && g.domain === "code" && more("Reference program", h("pre", {}, g.reference_solution)),
    g.tests && more("Tests", h("pre", {}, g.tests)),
    h("div", { class: "cards" }, sound.map((t) => card(t, t === reference ? null : reference))),
    h("div", { class: "cards" }, wanted.map((t) => card(t, byId.get(t.parent_id) || reference))));
}
const more = (title, ...inside) => h("details", {}, h("summary", {}, title), ...inside);
function card(t, parent) {
  const c = t.certificate, flaw = t.role === "flawed";
  const title = flaw ? t.kind : t.role;
  return h("section", { class: `card ${flaw ? "flawed" : "sound"}` },
    h("div", { class: "head" }, h("h3", {}, title),
      c && h("span", { class: "chip" }, c.operator), c && h("span", { class: "chip" }, c.severity),
      c && c.answer_before !== null && h("span", { class: "chip" }, `answer ${c.answer_before} → ${c.answer_after}`),
      t.rm !== undefined && h("span", { class: `chip ${flaw ? "bad" : "good"}` }, `RM ${number(t.rm)}`),
      t.uplift && h("span", { class: "chip" }, `uplift ${number(t.uplift.uplift, 2)}`)),
    h("div", { class: "text" }, parent ? diff(parent.text, t.text, c) : t.text),
    c && c.input !== null && h("div", {}, h("table", {}, h("tbody", {},
      ["input", "expected", "got"].map((name) => h("tr", {}, h("th", {}, name), h("td", {}, c[name])))))),
    c && c.program && more("Program that follows from it", h("pre", {}, c.program)),
    rubric(t, parent),
    c && more("Certificate", h("table", {}, h("tbody", {}, Object.entries(c)
      .filter(([name, value]) => value !== null && !["program", "input", "expected", "got"].includes(name) ||
        name === "expected" && c.input === null && value !== null)
      .map(([name, value]) => h("tr", {}, h("th", {}, name), h("td", {}, value)))))),
    h("small", {}, `${t.trace_id} · ${t.author}${t.parent_id ? ` · from ${t.parent_id}` : ""}`));
}
function rubric(t, parent) {
  const rows = Object.entries(t.rubric.labels).map(([name, label]) => {
    const before = parent ? parent.rubric.labels[name] : label;
    return h("tr", {}, h("th", {}, name.replaceAll("_", " ")), h("td", { class: "n" },
      "●".repeat(label) + "○".repeat(4 - label), ` ${label}`, before !== label ? ` (${label - before})` : ""));
  });
  const total = h("tr", {}, h("th", {}, "total"), h("td", { class: "n" }, number(t.rubric.total, 2)));
  return more(`Rubric, total ${number(t.rubric.total, 2)}`, h("table", {}, h("tbody", {}, rows, total)));
}

// A diff over words: the longest common subsequence between what the texts do not share at the ends.
function diff(before, after, certificate) {
  const a = before.match(/\s+|[^\s]+/g) || [], b = after.match(/\s+|[^\s]+/g) || [];
  let head = 0, tail = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const x = a.slice(head, a.length - tail), y = b.slice(head, b.length - tail);
  const steps = x.length * y.length > 4e6 ? [...x.map((w) => ["del", w]), ...y.map((w) => ["ins", w])] : align(x, y);
  const all = [...b.slice(0, head).map((w) => ["", w]), ...steps, ...b.slice(b.length - tail).map((w) => ["", w])];
  const nodes = [];
  let place = 0, last = null;
  const put = (kind, text, marked) => {
    const key = kind + marked;
    if (last && last.key === key) { last.node.append(text); return; }
    const node = h(kind || "span", { class: marked ? "span" : null }, text);
    nodes.push(node);
    last = { key, node };
  };
  const from = certificate ? certificate.start : -1, to = certificate ? certificate.end : -1;
  for (const [kind, word] of all) {
    if (kind === "del") { put("del", word, false); continue; }
    // Offsets are in code points.
    let plain = "", marked = "";
    const flush = () => { if (plain) put(kind, plain, false); if (marked) put(kind, marked, true); plain = marked = ""; };
    for (const char of word) {
      if (place >= from && place < to) { if (plain) flush(); marked += char; } else { if (marked) flush(); plain += char; }
      place++;
    }
    flush();
  }
  return nodes;
}
function align(x, y) {
  const width = y.length + 1, table = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--)
    table[i * width + j] = x[i] === y[j] ? table[(i + 1) * width + j + 1] + 1
      : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
  const steps = [];
  let i = 0, j = 0;
  while (i < x.length && j < y.length) {
    if (x[i] === y[j]) { steps.push(["", y[j]]); i++; j++; }
    else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) steps.push(["del", x[i++]]);
    else steps.push(["ins", y[j++]]);
  }
  while (i < x.length) steps.push(["del", x[i++]]);
  while (j < y.length) steps.push(["ins", y[j++]]);
  return steps;
}

function overview() {
  at = -1;
  draw();
  document.body.classList.toggle("reading", matchMedia("(min-width: 801px)").matches);
  const o = data.overview, blocks = [];
  const block = (title, ...inside) => blocks.push(h("section", { class: "card" }, h("h3", {}, title), ...inside));
  block("Groups with each kind", bars(Object.entries(o.kinds), data.groups.length));
  block("Length in characters, sound and flawed", histogram(o.lengths));
  block("Mean rubric total", bars(Object.entries(o.totals), 1, 2));
  if (Object.keys(o.rejections).length) block("Rejected seeds, by reason", bars(Object.entries(o.rejections)));
  if (data.rm) {
    block("Reward model: pairs in order, by kind", bars(Object.entries(data.rm.kinds), 1, 3),
      h("p", { class: "faint" }, `${number(data.rm.pairs)} of all pairs; a sound trace on top in ${number(data.rm.top)} of groups`));
    block("Reward model: calibration", calibration(data.rm.bins));
  }
  if (o.uplift) block("Success of the executor", bars(o.uplift, 1, 3));
  if (data.audit) block(data.audit.passed ? "Audit: within all limits" : "Audit: over a limit", audit(data.audit));
  $("main").replaceChildren(h("article", {}, h("h2", {}, "Overview"),
    h("p", { class: "faint" }, data.subtitle), h("div", { class: "cards" }, blocks)));
}
function bars(rows, most, digits = 0) {
  const top = most || Math.max(1, ...rows.map(([, value]) => value)), height = 22;
  const svg = s("svg", { viewBox: `0 0 420 ${rows.length * height}`, width: "100%", role: "img" });
  rows.forEach(([name, value], i) => {
    const label = s("text", { x: 0, y: i * height + 15 }, name.replaceAll("_", " "));
    const bar = s("rect", { x: 170, y: i * height + 4, width: Math.max(0, 180 * value / top), height: 14, fill: "var(--bar)" });
    svg.append(label, bar, s("text", { x: 355, y: i * height + 15 }, digits ? value.toFixed(digits) : String(value)));
  });
  return svg;
}
function histogram(lengths) {
  const svg = s("svg", { viewBox: "0 0 420 150", width: "100%", role: "img" });
  const sums = ["sound", "flawed"].map((name) => Math.max(1, lengths[name].reduce((a, b) => a + b, 0)));
  const top = Math.max(...["sound", "flawed"].map((name, k) => Math.max(...lengths[name]) / sums[k]));
  const step = 400 / lengths.edges.length;
  ["sound", "flawed"].forEach((name, k) => lengths[name].forEach((count, i) => {
    const high = 110 * count / sums[k] / top;
    svg.append(s("rect", { x: 10 + i * step + k * step / 2, y: 120 - high, width: step / 2 - 1, height: high,
      fill: k ? "var(--bar2)" : "var(--bar)" }));
  }));
  lengths.edges.forEach((edge, i) => { if (i % 4 === 0) svg.append(s("text", { x: 10 + i * step, y: 135 }, String(edge))); });
  svg.append(s("rect", { x: 300, y: 4, width: 10, height: 10, fill: "var(--bar)" }), s("text", { x: 314, y: 13 }, "sound"),
    s("rect", { x: 358, y: 4, width: 10, height: 10, fill: "var(--bar2)" }), s("text", { x: 372, y: 13 }, "flawed"));
  return svg;
}
function calibration(bins) {
  const svg = s("svg", { viewBox: "0 0 240 230", width: "100%", style: "max-width:20rem", role: "img" });
  svg.append(s("line", { x1: 30, y1: 200, x2: 230, y2: 0, class: "axis" }), s("line", { x1: 30, y1: 200, x2: 230, y2: 200, class: "axis" }),
    s("line", { x1: 30, y1: 0, x2: 30, y2: 200, class: "axis" }), s("text", { x: 90, y: 225 }, "score"), s("text", { x: 34, y: 12 }, "share that is sound"));
  const most = Math.max(1, ...bins.map((b) => b[2]));
  for (const [score, share, count] of bins) if (count)
    svg.append(s("circle", { cx: 30 + 200 * score, cy: 200 - 200 * share, r: 3 + 6 * Math.sqrt(count / most), fill: "var(--bar)" }));
  return svg;
}
function audit(report) {
  const rows = Object.entries(report.probes).map(([name, one]) => h("tr", {}, h("td", {}, name.replaceAll("_", " "),
    one.note && h("small", {}, ` ${one.note}`)), h("td", { class: "n" }, number(one.overall[0])), h("td", { class: "n" }, number(one.limit, 2))));
  const found = Object.entries(report.structure).map(([name, one]) => h("tr", {}, h("td", {}, name.replaceAll("_", " ")),
    h("td", { class: "n" }, `${one.found} of ${one.of}`), h("td", {})));
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ["probe", "pairs in order", "limit"].map((t) => h("th", {}, t)))),
    h("tbody", {}, rows, found)), report.failures.map((line) => h("p", {}, line)));
}
function rejections() {
  at = -1;
  document.body.classList.add("reading");
  const reasons = [...new Set(data.rejected.map((r) => r.reason))].sort();
  const body = h("tbody", {});
  const select = h("select", { "aria-label": "reason", onchange: () => put() }, h("option", { value: "" }, "all reasons"), reasons.map((r) => h("option", { value: r }, r)));
  const put = () => body.replaceChildren(...data.rejected.filter((r) => !select.value || r.reason === select.value).slice(0, 500)
    .map((r) => h("tr", {}, h("td", {}, r.reason), h("td", {}, r.detail), h("td", {}, r.problem || ""), h("td", {}, r.where))));
  put();
  $("main").replaceChildren(h("article", {}, h("h2", {}, `${data.rejected.length} rejected seeds`), select, h("div", { class: "scroll" },
    h("table", {}, h("thead", {}, h("tr", {}, ["reason", "detail", "problem", "where"].map((t) => h("th", {}, t)))), body)),
    data.rejected.length > 500 && h("p", { class: "faint" }, "The first 500 are shown.")));
}

let typing = 0;
for (const name of FILTERS) $(name).addEventListener(name === "q" ? "input" : "change", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { write({ [name]: $(name).value, g: "" }); state[name] = $(name).value; at = -1; filter(); }, name === "q" ? 60 : 0);
});
$("list").addEventListener("scroll", () => requestAnimationFrame(draw));
window.addEventListener("resize", () => requestAnimationFrame(draw));
$("overview").addEventListener("click", () => { write({ g: "", page: "" }); overview(); if (innerWidth <= 800) document.body.classList.add("reading"); });
$("rejected").addEventListener("click", () => { write({ g: "", page: "rejected" }); rejections(); });
$("back").addEventListener("click", () => { document.body.classList.remove("reading"); draw(); });
const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = (name) => { document.documentElement.dataset.theme = name; };
theme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = event.target.closest("input, select, textarea");
  if (event.key === "Escape") { if (field) field.blur(); else { write({ g: "", page: "" }); overview(); } return; }
  if (field) { if (event.key === "Enter" && field.id === "q") { field.blur(); go(0); } return; }
  if (event.key === "/") { event.preventDefault(); $("q").focus(); }
  else if (event.key === "j" || event.key === "ArrowRight") go(at + 1);
  else if (event.key === "k" || event.key === "ArrowLeft") go(at - 1);
  else if (event.key === "o") $("overview").click();
  else if (event.key === "t") $("theme").click();
});
load().catch((error) => { $("main").textContent = `The page cannot be shown: ${error.message}`; });
