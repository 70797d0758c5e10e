// Asks for what is new, again and again, and shows it. Whatever arrived is put in as text, never as markup.
"use strict";

const ROWS_MAX = 200;
const RETRY_MS = 1500;
const LATENCIES_MAX = 200;

const $ = (id) => document.getElementById(id);
const list = $("arrivals");
const rows = new Map(); // number -> { arrival, element, text }
const latencies = [];
const organizations = new Set();
let last = 0;
let paused = false;
let held = [];

function text(element, selector, value) {
  const found = element.querySelector(selector);
  found.textContent = value;
  return found;
}

function badge(element, selector, kind, value, title) {
  const found = text(element, selector, value);
  found.classList.add(kind);
  if (title) found.title = title;
}

function milliseconds(us) {
  const ms = us / 1000;
  if (ms >= 1000) return (ms / 1000).toFixed(1) + " s";
  return ms.toFixed(ms < 10 ? 1 : 0) + " ms";
}

// Indents JSON without parsing it, so that numbers and escapes stay as they came.
function indented(json) {
  let out = "";
  let depth = 0;
  let quoted = false;
  const line = () => "\n" + "  ".repeat(depth);
  for (let at = 0; at < json.length; at++) {
    const c = json[at];
    if (quoted) {
      out += c;
      if (c === "\\") out += json[++at] ?? "";
      else if (c === '"') quoted = false;
    } else if (c === '"') {
      quoted = true;
      out += c;
    } else if (c === "{" || c === "[") {
      const rest = json.slice(at + 1).match(/^\s*[}\]]/);
      if (rest) {
        out += c + rest[0].trim();
        at += rest[0].length;
      } else {
        depth++;
        out += c + line();
      }
    } else if (c === "}" || c === "]") {
      depth = Math.max(0, depth - 1);
      out += line() + c;
    } else if (c === ",") {
      out += c + line();
    } else if (c === ":") {
      out += ": ";
    } else if (!/\s/.test(c)) {
      out += c;
    }
  }
  return out;
}

function isJson(body) {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}

function fillDetail(element, arrival) {
  const why = arrival.signature.why ? "Signature: " + arrival.signature.why + ". " : "";
  const silent = arrival.status === null ? "Left without an answer on purpose, so that a time-out and its retry can be seen. " : "";
  const late = arrival.answered_after_ms ? "Answered after " + arrival.answered_after_ms / 1000 + " s on purpose. " : "";
  const failed = arrival.status >= 500 ? "Answered " + arrival.status + " on purpose, so that a retry can be seen. " : "";
  text(element, ".why", why + silent + late + failed + "POST " + arrival.path);
  if (arrival.statement) {
    text(element, ".statement", arrival.statement);
    element.querySelector(".cause").hidden = false;
  }
  const table = element.querySelector(".headers");
  for (const [name, value] of arrival.headers) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value;
  }
  text(element, ".size", arrival.body_bytes.toLocaleString() + " bytes");
  const body = element.querySelector(".body");
  const raw = element.querySelector(".raw");
  const pretty = isJson(arrival.body) ? indented(arrival.body) : arrival.body;
  body.textContent = pretty;
  raw.hidden = pretty === arrival.body;
  raw.addEventListener("click", () => {
    const pressed = raw.getAttribute("aria-pressed") !== "true";
    raw.setAttribute("aria-pressed", String(pressed));
    body.textContent = pressed ? arrival.body : pretty;
  });
}

function build(arrival) {
  const element = $("arrival").content.firstElementChild.cloneNode(true);
  const at = new Date(arrival.at_ms);
  const time = text(element, "time", at.toLocaleTimeString(undefined, { hour12: false }));
  time.dateTime = at.toISOString();
  text(element, ".type", arrival.event_type).title = arrival.changes ?? "";
  text(element, ".name", arrival.endpoint);
  text(element, ".endpoint small", [arrival.organization, arrival.contract].filter(Boolean).join(" · "));
  const { result, why } = arrival.signature;
  if (result === "verified") badge(element, ".signature", "good", "✓ verified");
  else if (result === "refused") badge(element, ".signature", "bad", "✗ wrong", why);
  else badge(element, ".signature", "wait", "not checked", why);
  const ok = arrival.status >= 200 && arrival.status < 300;
  badge(element, ".answer", ok ? "good" : "bad", arrival.status === null ? "no answer" : String(arrival.status));
  const again = arrival.attempt > 1 ? "attempt " + arrival.attempt : "";
  text(element, ".latency", arrival.latency_us === null ? again : milliseconds(arrival.latency_us));
  element.addEventListener("toggle", () => fillDetail(element, arrival), { once: true });
  return element;
}

function offer(organization) {
  if (!organization || organizations.has(organization)) return;
  organizations.add(organization);
  const option = document.createElement("option");
  option.textContent = organization;
  option.value = organization;
  $("organization").append(option);
}

function isWanted(row) {
  const organization = $("organization").value;
  const search = $("search").value.trim().toLowerCase();
  return (!organization || row.arrival.organization === organization) && (!search || row.text.includes(search));
}

function show(arrival, isNew) {
  const element = build(arrival);
  const headers = arrival.headers.map(([name, value]) => name + ": " + value).join("\n");
  const row = { arrival, element, text: [arrival.event_type, arrival.endpoint, headers, arrival.body].join("\n").toLowerCase() };
  rows.set(arrival.number, row);
  element.hidden = !isWanted(row);
  if (isNew) element.classList.add("new");
  list.prepend(element);
  offer(arrival.organization);
  if (arrival.latency_us !== null) latencies.push(arrival.latency_us);
  if (latencies.length > LATENCIES_MAX) latencies.shift();
  if (rows.size > ROWS_MAX) {
    const [oldest, { element: gone }] = rows.entries().next().value;
    rows.delete(oldest);
    gone.remove();
  }
}

function showTotals(totals) {
  for (const name of ["received", "verified", "refused", "failed"]) {
    $("total-" + name).textContent = totals[name].toLocaleString();
  }
  $("total-refused").classList.toggle("bad", totals.refused > 0);
  const sorted = [...latencies].sort((a, b) => a - b);
  $("median").textContent = sorted.length ? milliseconds(sorted[Math.floor(sorted.length / 2)]) : "–";
  $("empty").hidden = totals.received > 0;
}

function take(arrivals) {
  if (paused) {
    held = held.concat(arrivals).slice(-ROWS_MAX);
    $("pause").textContent = "Go on (" + held.length + " waiting)";
  } else {
    const isFirst = rows.size === 0;
    for (const arrival of arrivals) show(arrival, !isFirst);
  }
}

function link(state, words) {
  $("link").className = "link " + state;
  $("link-text").textContent = words;
}

async function ask() {
  const answer = await fetch("/arrivals?after=" + last, { cache: "no-store" });
  if (!answer.ok) throw new Error("status " + answer.status);
  const { arrivals, totals } = await answer.json();
  link("live", "live");
  // A receiver that began anew counts from 1 again.
  if (arrivals.length && arrivals[0].number <= last) {
    rows.clear();
    list.replaceChildren();
  }
  if (arrivals.length) last = arrivals[arrivals.length - 1].number;
  take(arrivals);
  showTotals(totals);
}

async function follow() {
  for (;;) {
    try {
      await ask();
    } catch {
      link("lost", "the demo is not running");
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function refilter() {
  for (const row of rows.values()) row.element.hidden = !isWanted(row);
}

$("organization").addEventListener("change", refilter);
$("search").addEventListener("input", refilter);
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = "Pause";
  if (!paused) {
    for (const arrival of held) show(arrival, true);
    held = [];
  }
});
follow();
