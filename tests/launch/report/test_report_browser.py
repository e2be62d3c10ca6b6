"""The page in headless Chromium: no console error, the table filters, the plot follows the film and a click seeks."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from linkvla.launch.report.live import LiveRun, make_server
from linkvla.launch.report.page.render import PageSettings, render
from linkvla.launch.report.run_folder import read_run

# The browser's part of it: packages that it needs may be missing, or hidden by others of their name.
pytest.importorskip(
    "selenium.webdriver.chrome.webdriver",
    reason="selenium (of the extra test) cannot be imported",
    exc_type=ImportError,
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver here")

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--window-size=1400,1100")  # fmt: skip
EVIL = "</script><script>window.pwned=1</script><img src=x onerror='window.pwned=1'>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator:
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


class Visit:
    """A page that is open."""

    def __init__(self, browser, address: str) -> None:
        self._browser = browser
        browser.get("about:blank")
        browser.get_log("browser")
        browser.get(address)

    def run(self, script: str, *arguments):
        return self._browser.execute_script(f"return {script}", *arguments)

    def until(self, script: str):
        """Wait for an expression to be true; its value."""
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self._browser, 60, 0.1).until(lambda _: self.run(script), f"never came true: {script}")

    def shown(self) -> list[str]:
        rows = "[...document.querySelectorAll('#rows tr')].filter(row => !row.hidden).map(row => row.dataset.key)"
        return [key.split("_")[1] for key in self.run(rows)]

    def click(self, selector: str) -> None:
        from selenium.webdriver.common.by import By

        self._browser.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, selector: str, text: str) -> None:
        from selenium.webdriver.common.by import By

        self._browser.find_element(By.CSS_SELECTOR, selector).send_keys(text)

    def click_plot(self, seconds: float) -> None:
        """Where that moment is on the axis of time."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.by import By

        plot = self._browser.find_element(By.ID, "cursor")
        self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
        across = self.run("drive.plots.pixelOf(arguments[0])", seconds) - plot.size["width"] / 2
        ActionChains(self._browser).move_to_element_with_offset(plot, round(across), 0).click().perform()

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self._browser.get_log("browser")]


def write_page(run: Path, film_bytes: int = 0) -> str:
    file = run / "report.html"
    file.write_text(render(read_run(run), PageSettings(file, film_bytes=film_bytes)), encoding="utf-8")
    return file.as_uri()


def test_the_table_filters_sorts_and_shows_failures_first(browser, recorded_run):
    page = Visit(browser, write_page(recorded_run(films=False)))
    assert page.shown() == ["3", "2", "1"]
    page.type("#search", "vehicle")
    assert page.shown() == ["2"]
    page.click("#clear")
    page.click("button[data-status=good]")
    assert page.shown() == ["1"]
    page.click("button[data-status=bad]")
    assert page.shown() == ["3", "1"] and page.run("document.getElementById('shown').textContent") == "2 of 3 routes"
    page.click("#clear")
    page.run("(town => { town.value = 'Nutmeg'; town.onchange({ target: town }) })(document.getElementById('town'))")
    assert page.shown() == ["2", "1"]
    page.click("#clear")
    page.click("[data-sort=score]")
    page.click("[data-sort=score]")
    assert page.shown() == ["1", "2", "3"]
    page.click("button.kind")
    assert page.shown() == ["2"]
    assert page.run("document.querySelectorAll('.mark').length") == 1
    assert page.run("document.querySelectorAll('.track.faded').length") == 1  # that of route 3
    assert page.complaints() == []


@pytest.mark.parametrize("film_bytes", [0, 10**8], ids=["beside", "embedded"])
def test_the_plot_follows_the_film_and_a_click_seeks(browser, recorded_run, film_bytes):
    page = Visit(browser, write_page(recorded_run(), film_bytes))
    page.click(".mark")
    page.until("film.readyState >= 2 && drive && drive.plots")
    assert abs(page.run("film.currentTime") - 6.0) < 0.15  # the moment of the collision
    page.click_plot(3.0)
    page.until("!film.seeking && Math.abs(film.currentTime - 3.0) < 0.06")
    assert abs(float(page.run("document.getElementById('cursor').dataset.seconds")) - 3.0) < 0.06
    page.click("#play")
    page.until("!film.paused && film.currentTime > 3.4")
    page.until("Number(document.getElementById('cursor').dataset.seconds) > 3.4")
    page.click("#play")
    page.until("film.paused")
    page.until("Math.abs(Number(document.getElementById('cursor').dataset.seconds) - film.currentTime) < 0.3")
    assert "instruction: Slow down." in page.run("document.getElementById('words').textContent")
    page.click("#events li")
    page.until("Math.abs(film.currentTime - 6.0) < 0.15")
    page.click("#back")
    page.until("!document.getElementById('overview').hidden && film.paused")
    assert page.complaints() == []


def test_a_drive_without_a_film_plays_its_plots_and_pictures(browser, recorded_run):
    page = Visit(browser, write_page(recorded_run(films=False)) + "#route=RouteScenario_3_rep0&t=4")
    page.until("drive && drive.plots")
    page.until("document.getElementById('picture').naturalWidth === 64")
    page.until("document.getElementById('picture').src.endsWith('RouteScenario_3_rep0/frames/000080.jpg')")
    assert page.run("film.hidden") and page.run("document.getElementById('clock').textContent") == "0:04.0"
    page.click("#play")
    page.until("Number(document.getElementById('cursor').dataset.seconds) > 4.3")
    page.click("#next")
    page.until("drive && drive.key === 'RouteScenario_2_rep0'")
    assert page.complaints() == []


def test_a_page_without_the_films_that_lie_beside_it_plays_its_plots(browser, recorded_run):
    run = recorded_run()
    address = write_page(run)
    (run / "drives" / "RouteScenario_2_rep0" / "drive.mp4").unlink()
    page = Visit(browser, address + "#route=RouteScenario_2_rep0&t=4")
    page.until("drive && drive.plots && film.hidden && !document.getElementById('filmless').hidden")
    page.click("#play")
    page.until("Number(document.getElementById('cursor').dataset.seconds) > 4.3")


def test_texts_of_a_run_stay_texts(browser, recorded_run):
    page = Visit(browser, write_page(recorded_run(said=EVIL, films=False)) + "#route=RouteScenario_2_rep0&t=5")
    page.until("drive && drive.plots")
    assert EVIL in page.run("document.getElementById('words').textContent")
    assert page.run("window.pwned === undefined") and page.complaints() == []


def test_the_live_page_renews_itself_and_keeps_the_filter(browser, recorded_run):
    run = recorded_run()
    late = run / "routes" / "RouteScenario_3_rep0.json"
    kept = late.read_bytes()
    late.unlink()
    server = make_server(LiveRun(run), 0)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        page = Visit(browser, f"http://127.0.0.1:{server.server_port}/")
        page.until("document.getElementById('pulse').textContent.startsWith('live · 2 of')")
        assert page.shown() == ["2", "1"]
        page.click("button[data-status=bad]")
        assert page.shown() == []
        late.write_bytes(kept)
        page.until("document.querySelectorAll('#rows tr').length === 3")
        assert page.shown() == ["3"]
        page.run("void (location.hash = 'route=RouteScenario_2_rep0&t=2')")
        page.until("film.readyState >= 2 && drive && drive.plots && Math.abs(film.currentTime - 2) < 0.06")
        page.click_plot(9.0)
        page.until("!film.seeking && Math.abs(film.currentTime - 9.0) < 0.06")
        page.run("void (location.hash = 'route=RouteScenario_3_rep0')")
        page.until("document.getElementById('picture').naturalWidth === 64")
        assert page.complaints() == []
    finally:
        server.shutdown()
        server.server_close()
