"use strict";
/* The live page of linkvla sim. Asks for the state ten times a second and for one picture after the other; asks for
   nothing while the tab is hidden. All texts go through textContent: names come from whoever is connected. */

const STATE_MS = 100, PICTURE_MS = 110, CLOSEST = 30, FARTHEST = 0.05;
const COLOURS = { road: "#39434f", junction: "#3f4a57", edge: "#566272", walk: "#262e38", building: "#1f2731",
  wall: "#2e3946", stripe: "#7b8794", ego: "#38bdf8", walker: "#ff9f5a", prop: "#d6b26a", chosen: "#ffffff",
  light: ["#f4525c", "#f7c948", "#3ecf8e", "#5a6675", "#5a6675"] };
const $ = (id) => document.getElementById(id);
const canvas = $("canvas"), pen = canvas.getContext("2d");

let town = null, townOf = "", state = null, before = null, arrived = 0, chosen = 0, from = "behind";
let view = { x: 0, y: 0, scale: 1 }, follow = false, met = false, rates = [];

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/* ---------------------------------------------------------------- the map */

function outline(list, into) {
  into.moveTo(list[0], list[1]);
  for (let i = 2; i < list.length; i += 2) into.lineTo(list[i], list[i + 1]);
  into.closePath();
}

function widen(box, points) {
  for (let i = 0; i < points.length; i += 2) {
    box[0] = Math.min(box[0], points[i]); box[1] = Math.min(box[1], points[i + 1]);
    box[2] = Math.max(box[2], points[i]); box[3] = Math.max(box[3], points[i + 1]);
  }
}

function prepare(found) {
  const paths = { road: new Path2D(), junction: new Path2D(), walk: new Path2D(), building: new Path2D(),
    stripe: new Path2D() };
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [kind, points, inside] of found.lanes) {
    if (points.length < 6) continue;
    outline(points, kind === "walk" ? paths.walk : inside ? paths.junction : paths.road);
    widen(box, points);
  }
  found.buildings.forEach((points) => { outline(points, paths.building); widen(box, points); });
  found.crosswalks.forEach((points) => outline(points, paths.stripe));
  return { ...found, paths, box };
}

function fit() {
  if (!town) return;
  const [left, top, right, bottom] = town.box;
  view.x = (left + right) / 2; view.y = (top + bottom) / 2;
  view.scale = Math.min(canvas.clientWidth / (right - left + 30), canvas.clientHeight / (bottom - top + 30));
}

function resize() {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  return ratio;
}

function toWorld(event) {
  const box = canvas.getBoundingClientRect();
  return [view.x + (event.clientX - box.left - box.width / 2) / view.scale,
    view.y + (event.clientY - box.top - box.height / 2) / view.scale];
}

/* Actors between the last two states, so that they glide. */
function gliding() {
  if (!state) return [];
  const share = Math.min(1, (performance.now() - arrived) / STATE_MS);
  return state.actors.map((actor) => {
    const old = before && before.get(actor[0]);
    if (!old || Math.hypot(actor[3] - old[3], actor[4] - old[4]) > 12) return actor;
    const turn = ((actor[5] - old[5] + 540) % 360) - 180, now = actor.slice();
    now[3] = old[3] + (actor[3] - old[3]) * share; now[4] = old[4] + (actor[4] - old[4]) * share;
    now[5] = old[5] + turn * share;
    return now;
  });
}

function drawTown() {
  const { paths } = town;
  pen.fillStyle = COLOURS.walk; pen.fill(paths.walk);
  pen.fillStyle = COLOURS.building; pen.fill(paths.building);
  pen.strokeStyle = COLOURS.wall; pen.lineWidth = 1 / view.scale; pen.stroke(paths.building);
  pen.fillStyle = COLOURS.road; pen.fill(paths.road);
  if (view.scale > 1.2) {
    pen.strokeStyle = COLOURS.edge; pen.lineWidth = Math.max(0.14, 0.7 / view.scale); pen.stroke(paths.road);
  }
  pen.fillStyle = COLOURS.junction; pen.fill(paths.junction);
  pen.fillStyle = COLOURS.stripe; pen.globalAlpha = 0.28; pen.fill(paths.stripe); pen.globalAlpha = 1;
}

function drawLights() {
  pen.lineCap = "round";
  town.lines.forEach((lines, index) => {
    pen.strokeStyle = COLOURS.light[state.lights[index] ?? 4];
    pen.lineWidth = Math.max(0.7, 2.6 / view.scale);
    pen.beginPath();
    for (const [x, y, yaw, width] of lines) {
      const across = (yaw + 90) * Math.PI / 180, dx = Math.cos(across) * width * 0.42, dy = Math.sin(across) * width * 0.42;
      pen.moveTo(x - dx, y - dy); pen.lineTo(x + dx, y + dy);
    }
    pen.stroke();
  });
  if (view.scale > 2) {
    for (const [kind, x, y] of town.signs) {
      pen.fillStyle = kind === "stop" ? COLOURS.light[0] : COLOURS.prop;
      pen.beginPath(); pen.arc(x, y, 0.7, 0, 7); pen.fill();
    }
  }
}

/* Dark paint would vanish on a dark map. */
function lit(colour) {
  const part = (at) => Math.round(70 + 0.72 * parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${part(1)} ${part(3)} ${part(5)})`;
}

function drawActor([id, kind, , x, y, yaw, halfX, halfY, colour]) {
  const ego = id === state.ego, least = (ego ? 7 : kind === "vehicle" ? 4.5 : 2.2) / view.scale;
  pen.save();
  pen.translate(x, y); pen.rotate(yaw * Math.PI / 180);
  if (kind === "walker") {
    pen.fillStyle = COLOURS.walker;
    pen.beginPath(); pen.arc(0, 0, Math.max(0.45, least), 0, 7); pen.fill();
    pen.fillRect(0, -0.1, Math.max(0.9, least * 1.6), 0.2);
  } else if (kind === "prop") {
    pen.fillStyle = COLOURS.prop;
    pen.fillRect(-Math.max(halfX, 0.25), -Math.max(halfY, 0.25), 2 * Math.max(halfX, 0.25), 2 * Math.max(halfY, 0.25));
  } else {
    const long = Math.max(halfX, least), wide = Math.max(halfY, least * 0.5);
    if (ego || id === chosen) {
      pen.fillStyle = ego ? "rgb(56 189 248 / .22)" : "rgb(255 255 255 / .18)";
      pen.beginPath(); pen.arc(0, 0, Math.max(5, 11 / view.scale), 0, 7); pen.fill();
    }
    pen.beginPath();  // a body with a pointed nose: the heading shows at any size
    pen.moveTo(long, 0); pen.lineTo(long * 0.72, wide); pen.lineTo(-long, wide);
    pen.lineTo(-long, -wide); pen.lineTo(long * 0.72, -wide); pen.closePath();
    pen.fillStyle = ego ? COLOURS.ego : lit(colour); pen.fill();
    pen.strokeStyle = id === chosen ? COLOURS.chosen : ego ? "#dff4ff" : "#c8d0da";
    pen.lineWidth = Math.max(0.16, 0.9 / view.scale); pen.stroke();
  }
  pen.restore();
}

function drawSpectator() {
  const [x, y, yaw] = state.spectator, size = 9 / view.scale;
  pen.save();
  pen.translate(x, y); pen.rotate(yaw * Math.PI / 180);
  pen.strokeStyle = "#e6ebf2"; pen.lineWidth = 1.3 / view.scale;
  pen.beginPath(); pen.moveTo(size * 1.8, -size); pen.lineTo(0, 0); pen.lineTo(size * 1.8, size); pen.stroke();
  pen.restore();
}

function draw() {
  requestAnimationFrame(draw);
  const ratio = resize(), actors = gliding();
  const target = followed(actors);
  if (follow && target) { view.x = target[3]; view.y = target[4]; }
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.fillStyle = "#161c24"; pen.fillRect(0, 0, canvas.width, canvas.height);
  const scale = view.scale * ratio;
  pen.setTransform(scale, 0, 0, scale, canvas.width / 2 - view.x * scale, canvas.height / 2 - view.y * scale);
  if (!town) return;
  drawTown();
  if (!state) return;
  drawLights(); drawSpectator();
  for (const kind of ["prop", "walker", "vehicle"]) actors.filter((a) => a[1] === kind && a[0] !== state.ego).forEach(drawActor);
  actors.filter((a) => a[0] === state.ego).forEach(drawActor);
}

/* ---------------------------------------------------------------- texts */

function followed(actors) {
  return actors.find((a) => a[0] === chosen) || (state && actors.find((a) => a[0] === state.ego)) || null;
}

function show() {
  const count = (kind) => state.actors.filter((a) => a[1] === kind).length;
  const seconds = Math.floor(state.elapsed), who = followed(state.actors);
  $("town").textContent = state.town;
  $("mode").textContent = state.synchronous ? "synchronous: a client ticks" : "asynchronous";
  $("clients").textContent = state.clients;
  $("word").textContent = state.clients === 1 ? "client" : "clients";
  $("time").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  $("frame").textContent = state.frame;
  $("vehicles").textContent = count("vehicle"); $("walkers").textContent = count("walker");
  $("props").textContent = count("prop"); $("sensors").textContent = state.sensors;
  $("hidden").textContent = state.hidden ? `and ${state.hidden} more, which are not on the map` : "";
  $("who").textContent = who ? `${who[2]} · ${who[10] || "no role"} · ${who[0]}` : "nobody: click a vehicle, or name one hero";
  $("speed").textContent = who ? `${(who[9] * 3.6).toFixed(0)} km/h` : "–";
  $("place").textContent = who ? `x ${who[3].toFixed(1)}  y ${who[4].toFixed(1)}  heading ${who[5].toFixed(0)}°` : "–";
  $("caption").textContent = from === "spectator" || !who ? "spectator" : from === "sensor" ? "its camera" : "from behind";
  $("welcome").hidden = state.clients > 0;
  $("gone").hidden = true;
  $("snippet").textContent =
    `import carla\n\nclient = carla.Client("${state.host}", ${state.port})\nworld = client.get_world()\n` +
    "car = world.get_blueprint_library().filter(\"vehicle.*\")[0]\n" +
    "car.set_attribute(\"role_name\", \"hero\")\n" +
    "hero = world.spawn_actor(car, world.get_map().get_spawn_points()[0])\nhero.set_autopilot(True)\n" +
    "input(\"press Enter to leave\")";
  if (state.ego && !met) { met = follow = true; view.scale = Math.max(view.scale, 5); press($("follow"), true); }
  if (!state.ego) met = false;
}

function showCpu(old, now, seconds) {
  const spent = Object.entries(now.cpu).map(([name, value]) => [name, Math.max(0, value - (old.cpu[name] || 0))]);
  const total = spent.reduce((sum, [, value]) => sum + value, 0);
  $("cpu").replaceChildren(...spent.flatMap(([name, value]) => {
    const label = document.createElement("span"), bar = document.createElement("span"), fill = document.createElement("i");
    const number = document.createElement("span"), ticks = now.frame - old.frame;
    label.textContent = name; bar.className = "bar"; number.className = "number";
    fill.style.width = `${total > 0 ? 100 * value / total : 0}%`;
    number.textContent = ticks > 0 ? `${(1000 * value / ticks).toFixed(2)} ms` : "–";
    bar.append(fill);
    return [label, bar, number];
  }));
  $("busy").textContent = `CPU per tick; ${(100 * total / seconds).toFixed(0)} % of one core in all`;
}

function press(button, on) { button.setAttribute("aria-pressed", String(on)); }

/* ---------------------------------------------------------------- conversation with the server */

async function readState() {
  const found = await (await fetch("/state.json")).json(), now = performance.now();
  const key = `${found.town} ${found.episode}`;
  if (key !== townOf) {
    const map = await (await fetch("/town.json")).json();
    if (map.lanes) {
      const moved = !town || town.name !== map.name;
      town = prepare(map); townOf = key;
      if (moved) fit();
    }
    before = null; chosen = 0; rates = [];
  } else if (state) before = new Map(state.actors.map((actor) => [actor[0], actor]));
  state = found; arrived = now;
  rates.push([now, found]);
  while (rates.length > 2 && now - rates[0][0] > 2000) rates.shift();
  const [since, old] = rates[0], seconds = (now - since) / 1000;
  if (seconds > 0.3) {
    $("rate").textContent = ((found.frame - old.frame) / seconds).toFixed(0);
    showCpu(old, found, seconds);
  }
  show();
}

async function states() {
  for (;;) {
    if (!document.hidden) {
      try { await readState(); } catch (error) {
        $("gone").hidden = false; $("welcome").hidden = true; state = null;
        await wait(1000);
      }
    }
    await wait(STATE_MS);
  }
}

async function pictures() {
  let last = "";
  for (;;) {
    const started = performance.now();
    if (!document.hidden && state) {
      try {
        const answer = await fetch(`/picture.jpg?from=${from}&actor=${chosen}`);
        if (answer.ok) {
          const url = URL.createObjectURL(await answer.blob());
          $("picture").src = url;
          if (last) URL.revokeObjectURL(last);
          last = url;
        }
      } catch (error) { await wait(500); }
    }
    await wait(Math.max(20, PICTURE_MS - (performance.now() - started)));
  }
}

/* ---------------------------------------------------------------- hands */

function zoom(factor, event) {
  const [x, y] = event ? toWorld(event) : [view.x, view.y], old = view.scale;
  view.scale = Math.min(CLOSEST, Math.max(FARTHEST, old * factor));
  if (!follow) { view.x = x + (view.x - x) * old / view.scale; view.y = y + (view.y - y) * old / view.scale; }
}

let held = null;
canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(Math.exp(-event.deltaY / 500), event); },
  { passive: false });
canvas.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, moved: 0 };
  canvas.setPointerCapture(event.pointerId); });
canvas.addEventListener("pointermove", (event) => {
  if (!held) return;
  const dx = event.clientX - held.x, dy = event.clientY - held.y;
  held = { x: event.clientX, y: event.clientY, moved: held.moved + Math.hypot(dx, dy) };
  if (held.moved > 4) { follow = false; press($("follow"), false); }
  view.x -= dx / view.scale; view.y -= dy / view.scale;
});
canvas.addEventListener("pointerup", (event) => {
  if (held && held.moved <= 4 && state) {
    const [x, y] = toWorld(event), reach = Math.max(4, 14 / view.scale);
    const near = state.actors.filter((a) => a[1] !== "prop")
      .map((a) => [Math.hypot(a[3] - x, a[4] - y), a[0]]).sort((a, b) => a[0] - b[0])[0];
    chosen = near && near[0] < reach ? near[1] : 0;
  }
  held = null;
});
$("in").onclick = () => zoom(1.5);
$("out").onclick = () => zoom(1 / 1.5);
$("fit").onclick = () => { follow = false; press($("follow"), false); fit(); };
$("follow").onclick = () => { follow = !follow; press($("follow"), follow); };
document.querySelectorAll("[data-from]").forEach((button) => {
  button.onclick = () => {
    from = button.dataset.from;
    document.querySelectorAll("[data-from]").forEach((other) => press(other, other === button));
  };
});
window.addEventListener("resize", () => { if (!follow && !state) fit(); });

states(); pictures(); draw();
