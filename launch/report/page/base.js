"use strict";
// Shared by all parts of the page. Texts from runs reach the document as textContent only.
const report = { parts: [] };
const $ = id => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const clockText = seconds => {
  const whole = Math.max(0, seconds);
  return `${Math.floor(whole / 60)}:${(whole % 60).toFixed(1).padStart(4, "0")}`;
};

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// Remembered over visits where the browser lets a local page do so.
function remember(key, value) { try { localStorage.setItem(key, value); } catch (error) { /* not allowed: not kept */ } }
function recall(key) { try { return localStorage.getItem(key); } catch (error) { return null; } }

report.theme = theme => {
  document.documentElement.dataset.theme = theme;
  report.onTheme?.();
};
report.theme(recall("theme") ?? (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
$("theme").onclick = () => {
  report.theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  remember("theme", document.documentElement.dataset.theme);
};

report.route = key => {
  const found = $(`route-${key}`);
  return found ? JSON.parse(found.textContent) : null;
};

function bytesOf(text) {
  return Uint8Array.from(atob(text.trim()), character => character.charCodeAt(0));
}

// The log of a drive: in the page, packed, or with the server of the live page. Unpacked when it is looked at.
const logs = new Map();
report.log = async key => {
  if (!logs.has(key)) {
    let packed = null;
    if (report.route(key)?.logUrl) {
      const answer = await fetch(report.route(key).logUrl);
      if (answer.ok) packed = await answer.blob();
    } else if ($(`log-${key}`)) packed = new Blob([bytesOf($(`log-${key}`).textContent)]);
    if (!packed) return null;
    const text = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).text();
    logs.set(key, unscale(JSON.parse(text)));
  }
  return logs.get(key);
};

function unscale(log) {
  for (const [name, scale] of Object.entries(log.scales))
    log.columns[name] = log.columns[name].map(value => value === null ? null : value / scale);
  const points = flat => Array.from({ length: flat.length / 2 },
    (_, i) => [flat[2 * i] / log.planScale, flat[2 * i + 1] / log.planScale]);
  log.plans = log.plans.map(([time, path, waypoints, cells]) => ({ time: time / log.scales.t, path: points(path), waypoints: points(waypoints),
    cells: Array.from({ length: cells.length / 3 }, (_, i) => [cells[3 * i] / log.planScale, cells[3 * i + 1] / log.planScale, cells[3 * i + 2] / 1000]) }));
  log.pictures = log.pictures.map(([time, tick]) => ({ time: time / log.scales.t, name: `${String(tick).padStart(6, "0")}.jpg` }));
  log.pictureTimes = log.pictures.map(picture => picture.time);
  log.planTimes = log.plans.map(plan => plan.time);
  log.words = log.words.map(([time, kind, text]) => ({ time: time / log.scales.t, kind, text }));
  log.start = log.columns.t[0] ?? 0;
  log.end = log.columns.t.at(-1) ?? 0;
  return log;
}

// The last index whose time is not after `time`.
report.indexAt = (times, time) => {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 1e-6) low = middle; else high = middle - 1;
  }
  return low;
};

const films = new Map();
report.film = key => {
  const route = report.route(key);
  if (!route?.film) return null;
  if (route.film !== "embedded") return route.film;
  if (!films.has(key)) {
    const bytes = bytesOf($(`film-${key}`).textContent);
    films.set(key, URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })));
  }
  return films.get(key);
};

report.tip = (text, event) => {
  const tip = $("tip");
  tip.hidden = !text;
  if (!text) return;
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${clamp(event.clientX + 14, 6, innerWidth - box.width - 6)}px`;
  tip.style.top = `${clamp(event.clientY + 16, 6, innerHeight - box.height - 6)}px`;
};
