// The plan at one moment from above, in the ego's frame: forward is up. Roads come from the town's map.
report.above = (log, town) => {
  const canvas = $("above");
  const lanes = town ? town.map(outline => ({ outline, box: bounds(outline) })) : [];
  let now = log.start;

  function bounds(outline) {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < outline.length; i += 2) {
      left = Math.min(left, outline[i]); right = Math.max(right, outline[i]);
      top = Math.min(top, outline[i + 1]); bottom = Math.max(bottom, outline[i + 1]);
    }
    return [left, top, right, bottom];
  }

  // Where the ego was at a time, between the samples.
  function pose(seconds) {
    const { t, x, y, yaw } = log.columns, i = report.indexAt(t, seconds), j = Math.min(i + 1, t.length - 1);
    if ([x[i], y[i], yaw[i], x[j], y[j], yaw[j]].includes(null)) return null;
    const part = j > i ? clamp((seconds - t[i]) / (t[j] - t[i]), 0, 1) : 0;
    const turn = Math.atan2(Math.sin(yaw[j] - yaw[i]), Math.cos(yaw[j] - yaw[i]));
    return [x[i] + part * (x[j] - x[i]), y[i] + part * (y[j] - y[i]), yaw[i] + part * turn];
  }

  function draw(seconds = now) {
    now = seconds;
    const { clientWidth: width, clientHeight: height } = canvas, ratio = devicePixelRatio || 1;
    if (!width || !height || !log.columns.t.length) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const pen = canvas.getContext("2d"), ego = pose(seconds);
    const scale = height / 46, reach = Math.hypot(width, height) / scale;
    const base = [width / 2 * ratio, height * 0.74 * ratio];
    // ego frame: x forward is up, y right is right
    const own = () => pen.setTransform(0, -scale * ratio, scale * ratio, 0, base[0], base[1]);
    if (ego) {
      const [x, y, yaw] = ego, [c, s] = [Math.cos(yaw), Math.sin(yaw)], k = scale * ratio;
      // world -> ego -> canvas: right = -(p - ego) * s + ... ; up = (p - ego) along the heading
      pen.setTransform(-s * k, -c * k, c * k, -s * k, base[0] + (s * x - c * y) * k, base[1] + (c * x + s * y) * k);
      drawRoads(pen, x, y, reach);
      drawDriven(pen, seconds, scale);
    }
    own();
    drawRings(pen, scale);
    const plan = log.plans[report.indexAt(log.planTimes, seconds)];
    if (plan && plan.time <= seconds + 0.05) drawPlan(pen, plan, scale);
    pen.fillStyle = colour("--ink");
    pen.beginPath();
    pen.roundRect(-2.4, -1, 4.8, 2, 0.6);
    pen.fill();
    pen.fillStyle = colour("--panel");
    pen.fillRect(0.6, -0.75, 0.7, 1.5);
  }

  function drawRoads(pen, x, y, reach) {
    pen.beginPath();
    for (const { outline, box } of lanes) {
      if (box[0] > x + reach || box[2] < x - reach || box[1] > y + reach || box[3] < y - reach) continue;
      for (let i = 0; i < outline.length; i += 2) i ? pen.lineTo(outline[i], outline[i + 1]) : pen.moveTo(outline[0], outline[1]);
      pen.closePath();
    }
    pen.fillStyle = colour("--road");
    pen.strokeStyle = colour("--kerb");
    pen.lineWidth = 0.15;
    pen.fill();
    pen.stroke();
  }

  function drawDriven(pen, seconds, scale) {
    const { t, x, y } = log.columns;
    pen.beginPath();
    for (let i = report.indexAt(t, seconds); i < t.length && t[i] < seconds + 4; i++)
      if (x[i] !== null && y[i] !== null) pen.lineTo(x[i], y[i]);
    pen.strokeStyle = colour("--driven");
    pen.lineWidth = 2.2 / scale;
    pen.setLineDash([0.6, 0.6]);
    pen.stroke();
    pen.setLineDash([]);
  }

  function drawRings(pen, scale) {
    pen.strokeStyle = colour("--edge");
    pen.lineWidth = 1 / scale;
    for (const radius of [10, 20, 30]) {
      pen.beginPath();
      pen.arc(0, 0, radius, -1.1, 1.1);
      pen.stroke();
    }
  }

  // How sure the network was: the likeliest cells of the two end points, the fainter the less likely.
  function drawCells(pen, cells) {
    const most = Math.max(...cells.map(cell => cell[2]), 0.02);
    for (const [x, y, probability] of cells) {
      pen.globalAlpha = 0.08 + 0.55 * Math.sqrt(probability / most);
      pen.fillStyle = colour("--warn");
      pen.beginPath();
      pen.arc(x, y, 0.55, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  function drawPlan(pen, plan, scale) {
    drawCells(pen, plan.cells);
    pen.beginPath();
    for (const [x, y] of plan.path) pen.lineTo(x, y);
    pen.strokeStyle = colour("--path");
    pen.lineWidth = 3 / scale;
    pen.lineJoin = "round";
    pen.stroke();
    pen.fillStyle = colour("--way");
    for (const [x, y] of plan.waypoints) {
      pen.beginPath();
      pen.arc(x, y, 3.4 / scale, 0, 7);
      pen.fill();
    }
  }

  return { draw };
};
