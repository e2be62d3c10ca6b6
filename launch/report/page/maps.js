// Maps of the towns: marks with a tip that lead to the moment, wheel and drag to look closer.
report.parts.push(() => {
  for (const map of all("svg.map")) {
    const whole = map.getAttribute("viewBox").split(" ").map(Number);
    let view = [...whole], from = null;
    const show = () => {
      map.setAttribute("viewBox", view.join(" "));
      const scale = Math.max(view[2] / map.clientWidth, view[3] / map.clientHeight) || 1;
      map.style.setProperty("--unit", scale);
    };
    const place = event => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
      return [point.x, point.y];
    };
    map.onwheel = event => {
      if (!event.ctrlKey && !event.metaKey) return; // the wheel alone scrolls the page
      event.preventDefault();
      const [x, y] = place(event), factor = clamp(Math.exp(event.deltaY * 0.0015), 0.6, 1.6);
      const width = clamp(view[2] * factor, whole[2] / 60, whole[2]), real = width / view[2];
      view = width === whole[2] ? [...whole] : [x - (x - view[0]) * real, y - (y - view[1]) * real, width, view[3] * real];
      show();
    };
    map.onpointerdown = event => { from = { at: place(event), moved: false }; };
    map.onpointermove = event => {
      const over = event.target.closest(".mark");
      report.tip(over?.dataset.tip ?? "", event);
      if (!from || !event.buttons) return;
      const now = place(event), [dx, dy] = [from.at[0] - now[0], from.at[1] - now[1]];
      from.moved ||= Math.hypot(dx, dy) > view[2] / 200;
      view[0] += dx;
      view[1] += dy;
      show();
    };
    map.onpointerleave = () => { from = null; report.tip(""); };
    map.ondblclick = () => { view = [...whole]; show(); };
    const go = target => {
      const mark = target.closest("[data-key]");
      if (!mark) return;
      report.tip("");
      location.hash = `route=${encodeURIComponent(mark.dataset.key)}` + (mark.dataset.seconds ? `&t=${mark.dataset.seconds}` : "");
    };
    map.onclick = event => { if (!from?.moved) go(event.target); from = null; };
    map.onkeydown = event => { if (event.key === "Enter") go(event.target); };
    show();
    new ResizeObserver(show).observe(map);
  }
});
