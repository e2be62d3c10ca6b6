// The table of routes: search, filters, order. What is shown decides what the maps show, and what "next" means.
const filter = { text: "", statuses: new Set(), kinds: new Set(), town: "", scenario: "", sort: "failures", descending: false };
report.shown = [];

function fits(row) {
  const { text, statuses, kinds, town, scenario } = filter;
  const own = row.dataset.kinds.split(" ");
  return (!statuses.size || statuses.has(row.dataset.status)) && (!town || row.dataset.town === town)
    && (!scenario || row.dataset.scenario === scenario) && (!kinds.size || own.some(kind => kinds.has(kind)))
    && text.split(/\s+/).every(word => row.textContent.toLowerCase().includes(word));
}

function compare(one, other) {
  const key = `by${filter.sort[0].toUpperCase()}${filter.sort.slice(1)}`;
  const [a, b] = [one.dataset[key], other.dataset[key]];
  const order = isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  return (filter.descending ? -order : order) || one.dataset.key.localeCompare(other.dataset.key, undefined, { numeric: true });
}

report.showTable = () => {
  const body = $("rows"), rows = all("tr", body).sort(compare);
  body.append(...rows);
  report.shown = rows.filter(row => { row.hidden = !fits(row); return !row.hidden; }).map(row => row.dataset.key);
  $("shown").textContent = report.shown.length === rows.length ? `${rows.length} routes` : `${report.shown.length} of ${rows.length} routes`;
  $("nothing").hidden = report.shown.length > 0;
  $("clear").hidden = !(filter.text || filter.statuses.size || filter.kinds.size || filter.town || filter.scenario);
  for (const mark of all("[data-key]", $("maps"))) {
    const otherKind = mark.dataset.kind && filter.kinds.size && !filter.kinds.has(mark.dataset.kind);
    mark.classList.toggle("faded", otherKind || !report.shown.includes(mark.dataset.key));
  }
};

function press(button, set, key) {
  set.has(key) ? set.delete(key) : set.add(key);
  button.setAttribute("aria-pressed", set.has(key));
  report.showTable();
}

$("search").oninput = event => { filter.text = event.target.value.toLowerCase().trim(); report.showTable(); };
for (const name of ["town", "scenario"]) $(name).onchange = event => { filter[name] = event.target.value; report.showTable(); };
for (const button of all("[data-status]", $("routes")).filter(found => found.tagName === "BUTTON"))
  button.onclick = () => press(button, filter.statuses, button.dataset.status);
$("clear").onclick = () => {
  Object.assign(filter, { text: "", town: "", scenario: "" });
  for (const name of ["search", "town", "scenario"]) $(name).value = "";
  filter.statuses.clear();
  filter.kinds.clear();
  for (const button of all("[aria-pressed=true]")) button.setAttribute("aria-pressed", false);
  report.showTable();
};
for (const button of all("[data-sort]"))
  button.onclick = () => {
    filter.descending = filter.sort === button.dataset.sort && !filter.descending;
    filter.sort = button.dataset.sort;
    for (const heading of all("th[aria-sort]", $("table"))) heading.removeAttribute("aria-sort");
    button.parentElement.setAttribute("aria-sort", filter.descending ? "descending" : "ascending");
    report.showTable();
  };

// What a live page renews has to be wired again.
report.parts.push(() => {
  for (const button of all(".kind")) {
    button.setAttribute("aria-pressed", filter.kinds.has(button.dataset.kind));
    button.onclick = () => press(button, filter.kinds, button.dataset.kind);
  }
  for (const row of all("tr", $("rows"))) {
    row.onclick = () => { location.hash = `route=${encodeURIComponent(row.dataset.key)}`; };
    row.onkeydown = event => { if (event.key === "Enter") row.onclick(); };
  }
  report.showTable();
});
