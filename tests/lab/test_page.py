"""The page in a real Chromium: it does by its names what a person asks, and shows the session's numbers."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

import glassnet as gn
from glassnet.lab.lessons.lesson import read_lesson, shipped
from glassnet.lab.session import Session
from glassnet.lab.sources import study_of_points, study_of_set

WAIT = 15_000


@pytest.fixture
def opened(serve, new_page):
    """`opened(session, **page)`: a page that shows a session, once it has drawn it."""

    def make(session, **settings):
        page = new_page(**settings)
        page.goto(serve(session).address)
        expect(iteration_of(page)).to_have_text(re.compile(r"\d"), timeout=WAIT)
        return page

    return make


@pytest.fixture
def session(new_session):
    return new_session(optimizer=gn.SGD(0.5))


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def iteration_of(page):
    return page.get_by_role("status").locator("b").first


def status(page):
    """Iteration and loss as the status says them."""
    said = page.get_by_role("status").inner_text()
    found = re.fullmatch(r"Iteration\s*(\d+)\s*·\s*loss\s*(\S+)\s*(.*)", " ".join(said.split()))
    return int(found[1]), float(found[2])


def until(page, session, iteration):
    """Wait for the page to show an iteration; its loss, which is the session's."""
    expect(iteration_of(page)).to_have_text(str(iteration), timeout=WAIT)
    shown, loss = status(page)
    assert shown == iteration == session.brief()["iteration"]
    assert loss == session.brief()["loss"]
    return loss


def same_run(session, iterations):
    study = session.study
    return gn.train(study.network, study.data.X, study.data.y, iterations=iterations, **study.settings)


def numbers(page):
    """Value and gradient by the parameter's name, from the table."""
    rows = page.get_by_role("table", name="All numbers").locator("tbody tr").all()
    cells = [row.locator("th, td").all_inner_texts() for row in rows]
    return {name: (float(value), float(gradient)) for name, value, gradient in cells}


def test_page_plays_to_the_end_with_the_bits_of_train(opened, session):
    page = opened(session)
    press(page, "Play")
    loss = until(page, session, 500)
    run = same_run(session, 500)
    assert loss == run.losses[-1]
    page.wait_for_timeout(300)
    shown = numbers(page)
    W1, b1 = run.parameters.weights[0], run.parameters.biases[0]
    assert shown["W1[1, 3]"][0] == W1[1, 3]
    assert shown["b1[7]"][0] == b1[7]
    assert len(shown) == session.study.network.n_parameters


def test_slider_and_step_back_wind_to_the_bits_of_then(opened, session):
    page = opened(session)
    for _ in range(3):
        press(page, "Step")
    until(page, session, 3)
    press(page, "Step back")
    assert until(page, session, 2) == same_run(session, 2).losses[-1]
    session.command({"do": "seek", "iteration": 3})
    session.command({"do": "step", "n": 37})
    until(page, session, 40)
    page.get_by_role("slider", name="Iteration").fill("17")
    assert until(page, session, 17) == same_run(session, 17).losses[-1]
    assert "wound back from 40" in page.get_by_role("status").inner_text()
    press(page, "Branch here")
    page.get_by_role("tab", name="Branches").click()
    page.get_by_role("button", name="Show Run").wait_for(timeout=WAIT)
    press(page, "Reset")
    until(page, session, 0)


def test_pause_stops_and_play_goes_on(opened, session):
    session.command({"do": "pace", "iterations": 1})
    page = opened(session)
    press(page, "Play")
    expect(iteration_of(page)).to_have_text(re.compile(r"^(\d\d+|[4-9])$"), timeout=WAIT)
    press(page, "Pause")
    page.get_by_text("paused").wait_for(timeout=WAIT)
    assert 3 < session.brief()["iteration"] < 500


def test_learning_rate_slider_changes_the_rate_and_says_the_limit(opened, session):
    page = opened(session)
    page.get_by_role("slider", name="Learning rate").fill("-2")
    expect(page.get_by_label("Rate in digits")).to_have_value("0.01")
    wait_for(lambda: session.setup()["training"]["optimizer"]["learning_rate"] == 0.01)
    page.get_by_text("Stable below").wait_for(timeout=WAIT)


def test_schedule_loss_and_early_stopping_are_chosen_with_their_settings(opened, session):
    page = opened(session)
    page.get_by_label("Schedule").select_option("cosine")
    cosine = {"schedule": "cosine", "rate": 0.5, "steps": 500, "final": 0.0, "per": "iteration"}
    wait_for(lambda: session.setup()["training"]["optimizer"]["learning_rate"] == cosine)
    page.get_by_text("More of cosine").click()
    page.get_by_label("Rate in digits").fill("0.2")
    page.get_by_label("Rate in digits").press("Enter")
    wait_for(
        lambda: session.study.settings["optimizer"].learning_rate == gn.Cosine(0.2, 500, per="iteration")
    )
    page.get_by_label("Final").fill("0.01")
    page.get_by_label("Final").press("Enter")
    wait_for(lambda: session.study.settings["optimizer"].learning_rate.final == 0.01)
    page.get_by_label("Loss", exact=True).select_option("brier")
    page.get_by_role("note").filter(has_text="Losses of two kinds").wait_for(timeout=WAIT)
    assert session.study.network.loss.name == "brier"
    page.get_by_label("First weights").select_option("he")
    wait_for(lambda: session.study.settings.get("scheme") == "he")
    page.get_by_text("Early stopping: never").click()
    page.get_by_label("Patience").fill("4")
    page.get_by_label("Patience").press("Enter")
    page.get_by_text("Early stopping: after 4 without better").wait_for(timeout=WAIT)
    page.get_by_label("Keep the best").uncheck()
    wait_for(lambda: session.study.settings["stopping"] == gn.EarlyStopping(4, restore_best=False))


def test_small_rate_is_shown_whole_in_its_field(opened, session):
    session.command({"do": "train_with", "optimizer": {"name": "sgd", "learning_rate": 5e-5}})
    expect(opened(session).get_by_label("Rate in digits")).to_have_value("5e-5")


def test_emptied_field_gets_its_number_back_where_nothing_is_no_answer(opened, session):
    page = opened(session)
    page.get_by_text("Early stopping").click()
    for name, value in (("Rate in digits", "3"), ("L2", "0"), ("Patience", "")):
        box = page.get_by_label(name, exact=True)
        box.fill("3")
        box.press("Enter")
        expect(box).to_have_attribute("data-value", "3")
        box.fill("")
        box.press("Enter")
        expect(box).to_have_value(value)
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize("wrong", ["-1", "0"])
def test_bad_input_is_said_in_words_and_disturbs_nothing(opened, session, wrong):
    page = opened(session)
    box = page.get_by_label("Rate in digits")
    box.fill(wrong)
    box.press("Enter")
    page.get_by_role("alert").filter(has_text="learning_rate is").wait_for(timeout=WAIT)
    expect(box).to_have_value("0.5")
    units = page.get_by_label("Units of layer 1", exact=True)
    units.fill("10000")
    units.press("Enter")
    page.get_by_role("alert").filter(has_text="2-10000-2 is too large").wait_for(timeout=WAIT)
    press(page, "Step")
    until(page, session, 1)
    assert page.get_by_role("alert").filter(has_text="too large").count() == 0


def test_table_is_opened_from_a_file_and_a_broken_one_refused(opened, session, tmp_path):
    good, bad = tmp_path / "boxes.csv", tmp_path / "broken.csv"
    good.write_text(
        "width,height,kind\n" + "".join(f"{i % 7},{i * i % 11},{'ab'[i % 3 == 0]}\n" for i in range(60))
    )
    bad.write_text("a,b\n1,2\n1\n3,4,5\n")
    page = opened(session)
    for path in (bad, good):
        with page.expect_file_chooser() as chooser:
            press(page, "Open table")
        chooser.value.set_files(path)
        if path is bad:
            page.get_by_role("alert").filter(has_text="Line 3 of broken.csv").wait_for(timeout=WAIT)
    page.get_by_role("heading", name="boxes.csv").wait_for(timeout=60_000)  # scikit-learn is loaded first
    page.get_by_label("Column to predict").select_option("width")
    wait_for(lambda: session.study.data.target == "width")
    press(page, "Step")
    until(page, session, 1)
    assert session.study.data.target == "width"
    score = page.locator(".gl-map .gl-hint")
    assert score.evaluate("node => node.scrollWidth <= node.clientWidth")


def test_points_are_drawn_relabeled_and_erased_on_the_map(opened, new_session):
    session = new_session()
    page = opened(session)
    press(page, "Draw")
    press(page, "Start empty")
    box = page.get_by_role("img", name="What the network answers").bounding_box()

    def at(x, y):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])

    at(0.4, 0.3)
    at(0.5, 0.35)
    press(page, "1")
    at(0.6, 0.6)
    page.get_by_role("heading", name="Drawn points").wait_for(timeout=WAIT)
    assert [point[2] for point in session.study.data.source["points"]] == [0, 0, 1]
    at(0.45, 0.5)
    wait_for(lambda: len(session.study.data.X) == 4)
    assert session.study.data.y.tolist() == [0, 0, 1, 1]
    assert not page.locator(".gl-tip").is_visible()  # it would cover where points go
    press(page, "Step")
    until(page, session, 1)


def wait_for(claim):
    for _ in range(200):
        if claim():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_inspector_explains_a_chosen_weight_and_sets_it(opened, session):
    session.command({"do": "step", "n": 4})
    page = opened(session)
    page.get_by_role("table", name="All numbers").get_by_role("button", name="W1[1, 2]").click()
    pane = page.get_by_role("tabpanel")
    pane.get_by_text("right: the two differ by").first.wait_for(timeout=WAIT)
    assert "W1[1, 2], the weight from input 1 to unit 2 of layer 1" in pane.inner_text()
    box = pane.get_by_label("New value")
    box.fill("0.75")
    box.press("Enter")
    wait_for(lambda: session.shown_run().parameters.weights[0][1, 2] == 0.75)


def test_why_it_does_not_learn_is_answered_and_mended(opened, new_session):
    zeros = np.zeros(8 * 3 + 9 * 2)
    session = new_session(parameters=zeros, optimizer=gn.SGD(0.5))
    session.command({"do": "step", "n": 20})
    page = opened(session)
    page.get_by_role("tab", name="Why it does not learn").click()
    press(page, "Look for reasons")
    page.get_by_role("heading", name="Equal units").wait_for(timeout=30_000)
    page.get_by_role("button", name="Try on a branch").first.click()
    wait_for(lambda: len(session.branches) == 2)


def test_lesson_is_told_saved_and_opened_again(opened, tmp_path):
    with Session(read_lesson(shipped()["stuck"])) as session:
        page = opened(session)
        page.get_by_role("note").filter(has_text="Press Play.").wait_for(timeout=WAIT)
        press(page, "Step")
        until(page, session, 1)
        with page.expect_download() as download:
            press(page, "Save lesson")
        download.value.save_as(tmp_path / "mine.toml")
        assert read_lesson((tmp_path / "mine.toml").read_text()).title.startswith("A network that does not")
        page.get_by_role("combobox", name="Lessons").select_option("backpropagation")
        page.get_by_role("heading", name="Backpropagation").wait_for(timeout=WAIT)
        assert page.get_by_role("complementary", name="Settings").get_by_role(
            "heading"
        ).all_inner_texts() == ["Training"]
        assert page.get_by_role("tab", name="Branches").count() == 0


def test_link_opens_the_same_session_once(opened, session):
    session.command({"do": "train_with", "l2": 0.01})
    session.command({"do": "step", "n": 4})
    page = opened(session)
    page.get_by_role("tab", name="Lesson").click()
    press(page, "As TOML")
    code = page.locator(".gl-lesson pre")
    expect(code).to_contain_text("l2 = 0.01")
    press(page, "As link")
    expect(code).to_contain_text("glassnet lab '#lesson=")
    link = code.inner_text().split("'")[1]
    assert not re.search(r"[^\w#=%+.*-]", link)  # nothing that a shell or a letter would change
    address, loss = page.url, session.brief()["loss"]
    session.command({"do": "data", "name": "moons"})
    until(page, session, 0)
    page.evaluate("link => (location.hash = link)", link)
    wait_for(lambda: session.study.data.name == "Your data")
    assert page.evaluate("location.href") == address
    session.command({"do": "step", "n": 4})
    assert session.brief()["loss"] == loss
    session.command({"do": "data", "name": "moons"})
    page.goto("about:blank")
    page.goto(address + link)
    wait_for(lambda: session.study.data.name == "Your data")
    page.evaluate("location.hash = '#lesson=%'")
    page.get_by_role("alert").filter(has_text="This is no lesson").wait_for(timeout=WAIT)


def test_report_is_saved_from_the_page(opened, session):
    session.command({"do": "step", "n": 4})
    page = opened(session)
    page.get_by_role("tab", name="Lesson").click()
    with page.expect_download(timeout=60_000) as download:
        press(page, "As report")
    assert download.value.suggested_filename == "your-data.html"
    assert "<title>Your data</title>" in Path(download.value.path()).read_text("utf-8")


def test_page_works_by_keyboard_alone(opened, session):
    page = opened(session)

    def tab_to(name):
        for _ in range(80):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
            )
            if focused == name:
                return
        raise AssertionError(f"Tab never comes to {name}")

    tab_to("Step")
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    until(page, session, 2)
    tab_to("Iteration")
    page.keyboard.press("ArrowLeft")
    until(page, session, 1)
    tab_to("All numbers")
    page.keyboard.press("ArrowRight")
    page.get_by_label("What to explain").wait_for(timeout=WAIT)
    tab_to("What to explain")


@pytest.mark.parametrize(
    ("width", "height", "scheme"),
    [
        (1280, 800, "light"),
        (1920, 1080, "dark"),
        (960, 760, "light"),
        (375, 812, "light"),
        (375, 812, "dark"),
    ],
)
def test_page_fits_its_window_and_is_dark_where_the_system_is(opened, session, width, height, scheme):
    page = opened(session, width=width, height=height, color_scheme=scheme)
    root = page.locator(".gl-root")
    assert root.evaluate("node => node.scrollWidth <= node.clientWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    if width > 900:
        assert root.evaluate("node => node.scrollHeight <= node.clientHeight")
    tabs = page.get_by_role("tab")
    sides = [page.get_by_role("tablist").bounding_box(), *(tab.bounding_box() for tab in tabs.all())]
    assert max(box["x"] + box["width"] for box in sides[1:]) <= sides[0]["x"] + sides[0]["width"]
    for part in (
        page.get_by_role("tabpanel"),
        page.get_by_role("status"),
        page.get_by_role("group", name="Time"),
        page.get_by_text(re.compile(r"^\d+ parameters$")),
        page.locator(".gl-map .gl-hint"),
    ):
        assert part.evaluate("node => node.scrollWidth <= node.clientWidth")
    assert page.get_by_role("group", name="Time").get_by_text("Iteration", exact=True).is_visible()
    dark = page.locator(".glassnet-lab").evaluate("node => getComputedStyle(node).colorScheme") == "dark"
    assert dark == (scheme == "dark")
    page.get_by_role("button", name="Dark or light").click()
    assert page.locator(".glassnet-lab.is-dark").count() == (scheme != "dark")


def test_diagram_shows_the_activations_and_deltas_of_the_sample_that_is_pressed(opened, session):
    session.command({"do": "step", "n": 5})
    page = opened(session)
    network = page.get_by_role("figure").filter(has=page.get_by_role("heading", name="Network"))
    press(page, "deltas")
    network.get_by_text("sample 0").wait_for(timeout=WAIT)
    page.get_by_role("tab", name="Inspector").click()
    page.get_by_label("What to explain").select_option("pass")
    box = page.get_by_label("Sample", exact=True)
    box.fill("7")
    box.press("Enter")
    network.get_by_text("sample 7").wait_for(timeout=WAIT)
    area, tip = network.locator("canvas").bounding_box(), page.locator(".gl-tip")
    deltas = session.command({"do": "sample", "row": 7})["deltas"][1]
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + 50)  # the first of the hidden units
    expect(tip).to_contain_text("Unit 0 of layer 1")
    assert float(tip.inner_text().split("delta")[1]) == pytest.approx(deltas[0], rel=1e-15)


def test_output_is_a_surface_that_keys_turn(opened, session):
    session.command({"do": "step", "n": 5})
    page = opened(session)
    surface = page.get_by_role("img", name="The output as a surface")
    assert not surface.is_visible()
    press(page, "3-D")
    assert not page.get_by_role("img", name="What the network answers over the plane").is_visible()
    pictures = [surface.screenshot()]
    surface.press("ArrowLeft")
    pictures.append(surface.screenshot())
    assert pictures[0] != pictures[1]
    press(page, "Draw")  # which is done on the map
    assert not surface.is_visible()


def test_losses_are_shown_over_the_seconds_of_training(opened, session):
    session.command({"do": "step", "n": 50})
    page = opened(session)
    press(page, "log x")
    press(page, "seconds")
    assert page.get_by_role("button", name="log x").get_attribute("aria-pressed") == "false"
    page.get_by_role("img", name="The loss over the iterations").hover()
    expect(page.locator(".gl-tip")).to_contain_text(re.compile(r"seconds\s+training, iteration"))


@pytest.mark.parametrize("name", ["sine", "iris", "digits", "blobs"])
def test_page_draws_every_kind_of_data(opened, name):
    with Session(study_of_set(name)) as session:
        session.command({"do": "step", "n": 3})
        page = opened(session)
        until(page, session, 3)
        for tab in page.get_by_role("tab").all():
            tab.click()
        drawn = page.evaluate(
            "[...document.querySelectorAll('.gl-fill > canvas')].filter(c => c.clientHeight).map(c => "
            "new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size)"
        )
        assert min(drawn) > 5


def test_samples_are_not_drawn_again_as_the_network_learns(opened, session):
    page = opened(session)
    page.evaluate(
        """() => {
          const { fill } = CanvasRenderingContext2D.prototype;
          window.fills = 0;
          CanvasRenderingContext2D.prototype.fill = function () {
            window.fills += 1;
            fill.call(this);
          };
        }"""
    )
    press(page, "Step")
    until(page, session, 1)
    assert 0 < page.evaluate("fills") < len(session.study.data.X) / 2


def test_page_goes_on_where_new_settings_come_with_a_rough_frame(opened, session, monkeypatch):
    monkeypatch.setattr("glassnet.lab.session.WHOLE_SECONDS", 1e9)
    session.command({"do": "step", "n": 500})
    session.command({"do": "pace", "iterations": 50})
    page = opened(session)
    page.get_by_role("tab", name="Branches").click()
    press(page, "Play")  # past the end, which moves it
    until(page, session, 1000)


def test_page_without_a_hidden_layer_draws(opened):
    study = study_of_points([[0, 0, 0], [1, 1, 1], [0, 1, 0]])
    with Session(study.with_network(gn.Network((2, 2)))) as session:
        page = opened(session)
        page.get_by_role("tab", name="Hidden layer").click()
        press(page, "Step")
        until(page, session, 1)


def test_markup_in_names_stays_text(opened):
    evil = "<img src=x onerror=alert(1)>"
    X, y = np.random.RandomState(0).randn(30, 2), [evil, "b"] * 15
    with Session(X, y, name=evil, features=[evil, "x"]) as session:
        session.command({"do": "note", "iteration": 0, "text": evil})
        page = opened(session)
        page.get_by_role("note").filter(has_text="onerror").wait_for(timeout=WAIT)
        assert page.locator("img").count() == 0
