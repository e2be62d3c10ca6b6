// Curves of a drive over one axis of time. The curves are drawn once, the cursor on a canvas of its own.
const LANES = [
  { label: "speed", unit: "m/s", weight: 1.5, low: 0, high: 8, grows: true, curves: [["wish", "--quiet", "planned"], ["speed", "--accent", "driven"]] },
  { label: "steer", unit: "", weight: 1, low: -0.3, high: 0.3, grows: true, curves: [["steer", "--lost", "right is positive"]] },
  { label: "pedals", unit: "", weight: 1, low: 0, high: 1, curves: [["throttle", "--good", "throttle"], ["brake", "--bad", "brake"]] },
];
const LEFT = 58, RIGHT = 12, BOTTOM = 22, GAP = 22;

report.plots = (log, events, seek) => {
  const curves = $("curves"), cursor = $("cursor");
  let width = 0, height = 0, time = log.start;
  const x = seconds => LEFT + (seconds - log.start) / Math.max(log.end - log.start, 1e-6) * (width - LEFT - RIGHT);
  const secondsAt = pixel => clamp(log.start + (pixel - LEFT) / (width - LEFT - RIGHT) * (log.end - log.start), log.start, log.end);

  function fit(canvas) {
    const ratio = devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "12px system-ui, sans-serif";
    return pen;
  }

  function lanes() {
    const whole = LANES.reduce((sum, lane) => sum + lane.weight, 0), room = height - BOTTOM - GAP * LANES.length;
    let top = GAP;
    return LANES.map(lane => {
      const tall = room * lane.weight / whole, values = lane.curves.flatMap(([name]) => log.columns[name]).filter(value => value !== null);
      const most = Math.max(...values.map(Math.abs), 0) * 1.05;
      const high = lane.grows ? Math.max(lane.high, most) : lane.high, low = lane.low < 0 ? -high : 0, start = top;
      top += tall + GAP;
      return { ...lane, low, high, top: start, bottom: start + tall, y: value => start + tall - (value - low) / (high - low) * tall };
    });
  }

  function draw() {
    const box = curves.getBoundingClientRect();
    [width, height] = [box.width, box.height];
    if (!width) return;
    const pen = fit(curves);
    drawTime(pen);
    for (const lane of lanes()) drawLane(pen, lane);
    for (const event of events.filter(found => found.seconds !== null)) {
      pen.fillStyle = colour("--bad");
      pen.fillRect(x(event.seconds) - 1, 6, 2, height - BOTTOM - 6);
      pen.beginPath();
      pen.arc(x(event.seconds), 6, 4, 0, 7);
      pen.fill();
    }
    fit(cursor);
    move(time);
  }

  function drawTime(pen) {
    const span = log.end - log.start, step = [1, 2, 5, 10, 20, 30, 60, 120, 300].find(found => span / found <= 14) ?? 600;
    pen.textAlign = "center";
    for (let at = Math.ceil(log.start / step) * step; at <= log.end; at += step) {
      pen.fillStyle = colour("--edge");
      pen.fillRect(x(at), GAP, 1, height - BOTTOM - GAP);
      pen.fillStyle = colour("--quiet");
      pen.fillText(clockText(at).replace(/\.0$/, ""), x(at), height - 6);
    }
  }

  function drawLane(pen, lane) {
    pen.fillStyle = colour("--edge");
    pen.fillRect(LEFT, lane.y(0), width - LEFT - RIGHT, 1);
    pen.textAlign = "right";
    pen.fillStyle = colour("--ink");
    pen.fillText(lane.label, LEFT - 10, lane.top + 11);
    pen.fillStyle = colour("--quiet");
    pen.fillText(lane.unit, LEFT - 10, lane.top + 26);
    pen.fillText(lane.high.toFixed(lane.high < 2 ? 1 : 0), LEFT - 10, lane.top + 41);
    pen.textAlign = "left";
    let legend = LEFT;
    for (const [name, tone, label] of lane.curves) {
      pen.strokeStyle = colour(tone);
      pen.lineWidth = name === "wish" ? 1.2 : 1.7;
      pen.beginPath();
      let gap = true;
      log.columns[name].forEach((value, i) => {
        if (value === null) { gap = true; return; }
        const [px, py] = [x(log.columns.t[i]), lane.y(clamp(value, lane.low, lane.high))];
        gap ? pen.moveTo(px, py) : pen.lineTo(px, py);
        gap = false;
      });
      pen.stroke();
      pen.fillStyle = colour(tone);
      pen.fillText(label, legend, lane.top - 6);
      legend += pen.measureText(label).width + 14;
    }
  }

  function move(seconds) {
    time = seconds;
    cursor.dataset.seconds = seconds.toFixed(2);
    if (!width) return;
    const pen = cursor.getContext("2d");
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = colour("--ink");
    pen.fillRect(x(seconds) - 0.75, 2, 1.5, height - BOTTOM);
    const i = report.indexAt(log.columns.t, seconds);
    for (const lane of lanes())
      for (const [name, tone] of lane.curves) {
        const value = log.columns[name][i];
        if (value === null || value === undefined) continue;
        pen.beginPath();
        pen.fillStyle = colour(tone);
        pen.arc(x(seconds), lane.y(clamp(value, lane.low, lane.high)), 3.6, 0, 7);
        pen.fill();
      }
  }

  const at = event => event.clientX - cursor.getBoundingClientRect().left;
  cursor.onpointerdown = event => { cursor.setPointerCapture(event.pointerId); seek(secondsAt(at(event))); };
  cursor.onpointermove = event => {
    if (event.buttons) seek(secondsAt(at(event)));
    const near = events.find(found => found.seconds !== null && Math.abs(x(found.seconds) - at(event)) < 6);
    report.tip(near ? `${clockText(near.seconds)}  ${near.label}` : "", event);
  };
  cursor.onpointerleave = () => report.tip("");
  return { draw, move, secondsAt, pixelOf: x };
};
