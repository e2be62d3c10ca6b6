"use strict";

const PERIOD_MS = 500;
const byId = (id) => document.getElementById(id);

function show(id, text) {
  byId(id).textContent = text || "-";
}

async function send(options) {
  try {
    const reply = await fetch("instruction", options);
    const value = await reply.json();
    byId("answer").textContent = value.error || "";
    return reply.ok;
  } catch {
    byId("answer").textContent = "The drive is over.";
    return false;
  }
}

function showState(state) {
  const from = state.instruction_from ? ` (${state.instruction_from})` : "";
  show("instruction", state.instruction && state.instruction + from);
  show("said", state.said);
  show("agreement", state.agreement && state.agreement.summary);
  show("speed", `${state.speed.toFixed(1)} m/s, ${(3.6 * state.speed).toFixed(0)} km/h`);
  show("driven", state.driven === undefined ? "" :
    `${state.driven.toFixed(0)} m` + (state.route === undefined ? "" : `, ${state.route.toFixed(0)} % of the route`));
  const [throttle, steer, brake] = state.control.map((value) => value.toFixed(2));
  show("control", `throttle ${throttle}, steer ${steer}, brake ${brake}, by ${state.source}`);
  show("time", `${state.time.toFixed(1)} s`);
}

async function look() {
  try {
    const state = await (await fetch("state")).json();
    if (state.tick !== undefined) {
      showState(state);
      byId("picture").src = `picture.jpg?${state.tick}`;
    }
    setTimeout(look, PERIOD_MS);
  } catch {
    byId("answer").textContent = "The drive is over.";
    setTimeout(look, 5 * PERIOD_MS);
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const field = byId("text");
  const headers = {"Content-Type": "application/json"};
  if (await send({method: "POST", headers, body: JSON.stringify({text: field.value})})) field.value = "";
});
byId("clear").addEventListener("click", () => send({method: "DELETE"}));
look();
