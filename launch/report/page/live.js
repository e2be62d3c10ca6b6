// While an evaluation runs: asks the server every two seconds, and renews the parts of the page that have changed.
if (document.documentElement.dataset.live) {
  let stamp = null;

  async function renew() {
    const fresh = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
    for (const part of all("[data-swap]")) {
      const other = fresh.getElementById(part.id);
      if (other) part.replaceChildren(...other.childNodes);
    }
    for (const id of ["data", "subtitle"]) $(id).replaceChildren(...fresh.getElementById(id).childNodes);
    for (const name of ["town", "scenario"]) {
      const chosen = $(name).value;
      $(name).replaceChildren(...fresh.getElementById(name).childNodes);
      $(name).value = chosen;
    }
    for (const wire of report.parts) wire();
  }

  function runner(route) {
    const row = element("div", "", { class: "runner" }), bar = element("span", "", { class: "bar" }), part = element("i");
    part.style.width = `${clamp(route.percent ?? 0, 0, 100)}%`;
    bar.append(part);
    row.append(element("b", route.name), element("span", route.state, { class: "quiet" }), bar,
      element("span", route.percent === null ? "" : `${route.percent.toFixed(0)} %`, { class: "number" }),
      element("span", route.speed === null ? "" : `${route.speed.toFixed(1)} m/s`, { class: "number quiet" }));
    return row;
  }

  async function ask() {
    try {
      const answer = await fetch("/state.json");
      if (!answer.ok) throw new Error(await answer.text());
      const state = await answer.json();
      $("running").hidden = !state.running.length;
      $("runners").replaceChildren(...state.running.map(runner));
      $("pulse").textContent = `live · ${state.done} of ${state.total}`;
      $("pulse").title = "";
      $("pulse").classList.remove("gone");
      if (stamp !== null && stamp !== state.stamp) await renew();
      stamp = state.stamp;
    } catch (error) {
      $("pulse").textContent = error instanceof TypeError ? "the server has stopped" : "the run cannot be read";
      $("pulse").title = error.message;
      $("pulse").classList.add("gone");
    }
    setTimeout(ask, 2000);
  }

  ask();
}
