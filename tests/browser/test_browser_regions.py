"""A style per region, painted with a brush: by mouse, keyboard and touch."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from browser.steps import PHONE, OpenPage, Served, choose, choose_photo, expect_state, press_paint, style
from playwright.sync_api import Page, expect


def _open_regions(page: Page, photo: Path) -> None:
    choose_photo(page, photo)
    expect_state(page, "photo")
    style(page, "woodcut").check()
    page.get_by_role("button", name="Paint regions in different styles").click()
    style(page, "mosaic").check()  # of region 1, which is active
    expect(page.locator("#brush")).to_be_visible()


def _drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    box = page.locator("#brush").bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (begin, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=4)
    page.mouse.up()


def _alpha(page: Page, x: float, y: float) -> int:
    """Opacity of the regions shown over the photo, 0-255."""
    read = """([x, y]) => {
      const brush = document.getElementById("brush");
      return brush.getContext("2d").getImageData(x * brush.width, y * brush.height, 1, 1).data[3];
    }"""
    return int(page.evaluate(read, [x, y]))


def _paint(page: Page, served: Served) -> list[dict[str, object]]:
    """Paint, and return the styles of the job."""
    choose(page)
    press_paint(page)
    expect_state(page, "done")
    return list(served.job(page.url.rpartition("#")[2])["styles"])


def test_painted_region_gets_its_style_and_survives_a_reload(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    _open_regions(page, photo)
    _drag(page, (0.1, 0.5), (0.9, 0.5))
    assert _alpha(page, 0.5, 0.5) > 100
    assert _alpha(page, 0.5, 0.1) == 0

    styles = _paint(page, served)
    assert [entry["style"] for entry in styles] == ["woodcut", "mosaic"]
    assert styles[0]["mask"] is None
    assert str(styles[1]["mask"]).startswith("upl_")

    page.reload()
    expect_state(page, "done")
    expect(page.get_by_role("radio", name="Region 1")).to_be_visible()
    assert _paint(page, served)[1]["mask"] == styles[1]["mask"]


def test_undo_redo_erase_and_clear_change_the_regions(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    _open_regions(page, photo)
    undo, redo = (page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    _drag(page, (0.1, 0.5), (0.9, 0.5))
    undo.click()
    assert _alpha(page, 0.5, 0.5) == 0
    redo.click()
    assert _alpha(page, 0.5, 0.5) > 100

    page.get_by_role("radio", name="Erase").check()
    _drag(page, (0.5, 0.3), (0.5, 0.7))
    page.mouse.move(0, 0)
    assert _alpha(page, 0.5, 0.5) == 0
    assert _alpha(page, 0.2, 0.5) > 100

    page.get_by_role("button", name="Clear region").click()
    assert _alpha(page, 0.2, 0.5) == 0
    undo.click()
    assert _alpha(page, 0.2, 0.5) > 100


def test_photo_too_large_for_a_canvas_is_an_error_at_the_styles(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    _open_regions(page, photo)
    _drag(page, (0.1, 0.5), (0.9, 0.5))
    page.evaluate("() => { HTMLCanvasElement.prototype.toBlob = (done) => done(null); }")
    press_paint(page)
    expect(page.get_by_role("alert").filter(has_text="too large for this browser")).to_be_visible()
    expect_state(page, "photo")


def test_the_brush_erases_with_the_rest_selected(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    _open_regions(page, photo)
    _drag(page, (0.1, 0.5), (0.9, 0.5))
    page.get_by_role("radio", name="The rest").check()
    expect(page.get_by_role("button", name="Clear region")).to_be_disabled()
    _drag(page, (0.5, 0.3), (0.5, 0.7))
    page.mouse.move(0, 0)
    assert _alpha(page, 0.5, 0.5) == 0


def test_four_styles_and_a_kept_rest_reach_the_job(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    _open_regions(page, photo)
    for region, (x, name) in enumerate(((0.2, "mosaic"), (0.5, "watercolor"), (0.8, "pointillism")), 1):
        if region > 1:
            page.get_by_role("button", name="Add a region").click()
            expect(page.get_by_role("radio", name=f"Region {region}")).to_be_checked()
        style(page, name).check()
        _drag(page, (x, 0.2), (x, 0.8))
    expect(page.get_by_role("button", name="Add a region")).to_be_hidden()
    page.get_by_label("Keep the photo everywhere else").check()

    styles = _paint(page, served)
    assert [entry["style"] for entry in styles] == ["mosaic", "watercolor", "pointillism"]
    assert all(entry["mask"] for entry in styles)


def test_a_region_without_paint_is_left_out(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    _open_regions(page, photo)
    assert [(entry["style"], entry["mask"]) for entry in _paint(page, served)] == [("woodcut", None)]


def test_regions_are_painted_by_keyboard_and_announced(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    _open_regions(page, photo)
    said = page.locator("#brush-said")
    page.locator("#brush").focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text("55 % across, 50 % down")
    page.keyboard.press("+")
    expect(said).to_have_text("Brush size 12 %")
    page.keyboard.down(" ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.up(" ")
    expect(said).to_have_text("Painted Region 1")
    assert _alpha(page, 0.56, 0.5) > 100
    assert _alpha(page, 0.66, 0.5) > 100

    page.keyboard.press("e")
    expect(page.get_by_role("radio", name="Erase")).to_be_checked()
    page.keyboard.press("Space")
    expect(said).to_have_text("Erased")
    page.keyboard.press("Control+z")
    expect(said).to_have_text("Undone")
    page.keyboard.press("Control+y")
    expect(said).to_have_text("Redone")


def test_another_photo_starts_without_regions(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    _open_regions(page, photo)
    _drag(page, (0.1, 0.5), (0.9, 0.5))
    choose_photo(page, photo)
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    assert _alpha(page, 0.3, 0.5) == 0


def test_regions_can_be_edited_after_painting(open_page: OpenPage, photo: Path, served: Served) -> None:
    page = open_page()
    _open_regions(page, photo)
    _drag(page, (0.1, 0.5), (0.9, 0.5))
    first = _paint(page, served)
    page.get_by_role("button", name="Edit the regions").click()
    expect_state(page, "photo")
    _drag(page, (0.1, 0.8), (0.9, 0.8))
    assert _paint(page, served)[1]["mask"] != first[1]["mask"]


def test_a_finger_paints_on_a_phone_without_axe_violations(open_page: OpenPage, photo: Path) -> None:
    page = open_page(**PHONE, color_scheme="dark")
    _open_regions(page, photo)
    page.locator("#brush").scroll_into_view_if_needed()
    page.locator("#brush").tap(position={"x": 40, "y": 40})
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    results = Axe().run(page)
    assert not results.violations_count, results.generate_report()
