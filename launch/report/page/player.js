// One drive: film, plots, plan and words share one clock. The film leads where there is one; else the page counts.
const film = $("film");
let drive = null; // what is being looked at

const wanted = () => new URLSearchParams(location.hash.slice(1));

async function openDrive(key, seconds) {
  const route = report.route(key);
  if (!route) { location.hash = ""; return; }
  closeDrive();
  $("overview").hidden = true;
  $("drive").hidden = false;
  showFacts(route);
  const [log, source] = [await report.log(key), report.film(key)];
  if (wanted().get("route") !== key) return; // the visitor has gone on
  drive = { key, route, log, time: log?.start ?? 0, playing: false, last: 0 };
  showScreen(Boolean(source));
  if (source) film.src = source;
  $("plot-card").hidden = $("above").parentElement.hidden = !log;
  $("play").disabled = !log && !source;
  if (log) {
    const towns = JSON.parse($("towns").textContent);
    drive.plots = report.plots(log, route.events, seek);
    drive.above = report.above(log, towns[route.town]);
    drive.plots.draw();
  }
  showEvents(route);
  showSaid(log);
  $("words").replaceChildren(...(log ? [] : [element("p", route.why, { class: "quiet" })]));
  seek(seconds ?? drive.time);
  scrollTo(0, 0);
}

function closeDrive() {
  film.pause();
  $("picture").removeAttribute("src");
  film.removeAttribute("src");
  film.load();
  drive = null;
  $("drive").hidden = true;
  $("overview").hidden = false;
}

// The film, or the camera's pictures where there is none.
function showScreen(filmed) {
  const { route, log } = drive;
  $("drive").classList.toggle("nofilm", !filmed && !route.pictures);
  film.hidden = !filmed;
  $("picture").hidden = filmed || !route.pictures || !log;
  $("filmless").hidden = true;
}

// Pages travel without the films that lie beside them: the plots play all the same.
film.onerror = () => {
  if (!drive || !film.getAttribute("src")) return;
  showScreen(false);
  $("filmless").textContent = `The film cannot be played: ${decodeURI(film.getAttribute("src"))}`;
  $("filmless").hidden = false;
  $("play").disabled = !drive.log;
  drive.plots?.draw();
  seek(drive.time);
};

function showFacts(route) {
  $("drive-name").textContent = `${route.name} · ${route.town}`;
  $("drive-status").className = `status s-${route.state}`;
  $("drive-status").textContent = route.status;
  $("drive-facts").replaceChildren(...route.facts.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
  const at = report.shown.indexOf(route.key);
  const link = (id, other) => {
    if (other === undefined) $(id).removeAttribute("href"); else $(id).href = `#route=${encodeURIComponent(other)}`;
  };
  link("previous", at > 0 ? report.shown[at - 1] : undefined);
  link("next", at >= 0 ? report.shown[at + 1] : undefined);
}

function entry(seconds, ...parts) {
  const item = element("li", "", seconds === null ? {} : { "data-seconds": seconds });
  item.append(element("time", seconds === null ? "" : clockText(seconds)), ...parts);
  if (seconds !== null) item.onclick = () => seek(seconds);
  return item;
}

function showEvents(route) {
  const items = route.events.map(event => {
    const text = element("div", event.label);
    text.append(element("div", event.message, { class: "quiet" }));
    return entry(event.seconds, element("i", "", { class: `dot k-${event.kind}` }), text);
  });
  if (!items.length) items.push(element("li", "None that costs score.", { class: "quiet" }));
  if (route.error) items.push(element("pre", route.error));
  $("events").replaceChildren(...items);
}

function showSaid(log) {
  const items = (log?.words ?? []).filter(word => word.text).map(word => entry(word.time, element("span", word.kind), element("div", word.text)));
  $("said").replaceChildren(...(items.length ? items : [element("li", "Nothing was recorded.", { class: "quiet" })]));
}

// Seconds of the film at a moment of the drive. Films of other tools may run at another speed.
function filmTime(seconds) {
  const start = drive.log?.start ?? 0, span = (drive.log?.end ?? film.duration) - start;
  const stretch = film.duration && span && Math.abs(film.duration / span - 1) > 0.1 ? film.duration / span : 1;
  return { at: (seconds - start) * stretch, back: shown => start + shown / stretch };
}

function seek(seconds) {
  if (!drive) return;
  if (film.hidden) { show(seconds); return; }
  const go = () => {
    if (!drive) return;
    film.currentTime = clamp(filmTime(seconds).at, 0, Math.max(0, film.duration - 0.02));
    show(seconds);
  };
  film.readyState ? go() : film.addEventListener("loadedmetadata", go, { once: true });
  show(seconds);
}

function show(seconds) {
  const { log } = drive;
  drive.time = log ? clamp(seconds, log.start, log.end) : seconds;
  $("clock").textContent = clockText(drive.time);
  if (!log) return;
  drive.plots.move(drive.time);
  drive.above.draw(drive.time);
  if (!$("picture").hidden) showPicture(log);
  const i = report.indexAt(log.columns.t, drive.time), column = name => log.columns[name][i];
  const number = (value, digits) => value === null || value === undefined ? "–" : value.toFixed(digits);
  $("now").replaceChildren(element("b", number(column("speed"), 1)), " m/s   steer ", element("b", number(column("steer"), 2)),
    "   throttle ", element("b", number(column("throttle"), 2)), "   brake ", element("b", number(column("brake"), 2)),
    "   route ", element("b", number(column("route"), 0)), " %");
  showWords(log);
}

// Where there is no film: the camera's picture of that moment, or the last one before.
function showPicture(log) {
  const wantedSource = drive.route.pictures + log.pictures[report.indexAt(log.pictureTimes, drive.time)].name;
  if ($("picture").getAttribute("src") !== wantedSource) $("picture").src = wantedSource;
}

function showWords(log) {
  const last = {};
  for (const word of log.words) if (word.time <= drive.time + 0.01) last[word.kind] = word.text;
  const lines = Object.entries(last).filter(([, text]) => text).map(([kind, text]) => {
    const line = element("div");
    line.append(element("span", `${kind}: `), text);
    return line;
  });
  $("words").replaceChildren(...lines);
}

function toggle() {
  if (!drive || $("play").disabled) return;
  if (!film.hidden) { film.paused ? film.play() : film.pause(); return; }
  drive.playing = !drive.playing;
  if (drive.playing && drive.time >= drive.log.end) drive.time = drive.log.start;
  drive.last = performance.now();
}

function tick(now) {
  if (drive && !film.hidden && !film.paused) show(filmTime(0).back(film.currentTime));
  else if (drive?.playing) {
    show(drive.time + (now - drive.last) / 1000 * $("rate").value);
    drive.playing = drive.time < drive.log.end;
  }
  if (drive) {
    drive.last = now;
    $("play").textContent = drive.playing || (!film.hidden && !film.paused) ? "❚❚" : "▶";
  }
  requestAnimationFrame(tick);
}

film.onclick = toggle;
$("play").onclick = toggle;
$("rate").onchange = event => { film.playbackRate = Number(event.target.value); };

document.addEventListener("keydown", event => {
  if (!drive || event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const events = drive.route.events.map(found => found.seconds).filter(seconds => seconds !== null).sort((a, b) => a - b);
  const step = { ArrowLeft: -0.5, ArrowRight: 0.5 }[event.key];
  if (step) seek(drive.time + step);
  else if (event.key === " ") toggle();
  else if (event.key === "j") $("next").click();
  else if (event.key === "k") $("previous").click();
  else if (event.key === "Escape") location.hash = "";
  else if (event.key === "e" && events.length) seek(events.find(seconds => seconds > drive.time + 0.05) ?? events[0]);
  else return;
  event.preventDefault();
});

function follow() {
  const asked = wanted();
  if (!asked.has("route")) { closeDrive(); return; }
  openDrive(asked.get("route"), asked.has("t") ? Number(asked.get("t")) : undefined);
}

const redraw = () => { drive?.plots?.draw(); drive?.above?.draw(); };
report.onTheme = redraw;
addEventListener("resize", redraw);
addEventListener("hashchange", follow);
for (const part of report.parts) part();
requestAnimationFrame(tick);
follow();
