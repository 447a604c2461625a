"""Built-in styles and styles of one's own, over every set of adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adapters import on_both
from clocks import SteppedClock
from pictures import write_style
from uploads import store_upload

from stylizer import styles
from stylizer_service.models import StylizationRequest
from stylizer_service.problems import Problem
from stylizer_service.resources import Page
from stylizer_service.usecases import Service

Picture = Callable[..., bytes]
Order = Callable[..., StylizationRequest]
Refusal = Callable[..., Problem]
Finish = Callable[[str], None]
PhotoOf = Callable[[str], str]


def test_styles_list_catalog_in_order_then_own_newest_first(
    service: Service, picture: Picture, clock: SteppedClock, tmp_path: Path
) -> None:
    for name in ("ink", "oil", "wax", "chalk"):
        write_style(tmp_path / "ranked", name)
    (tmp_path / "ranked" / "order.toml").write_text('order = ["wax", "gone", "ink"]')
    service.catalog = styles.load(tmp_path / "ranked")
    for title in ("first", "second", "third"):
        upload = store_upload(service, picture())
        service.create_style("ann", upload, title)
        clock.advance(seconds=1)

    for limit in (1, 2, 3, 50):
        titles: list[str] = []
        page: Page[object] | None = None
        while page is None or page.next_cursor:
            got = service.list_styles("ann", limit=limit, cursor=page.next_cursor if page else None)
            assert len(got.items) <= limit
            titles += [style.title for style in got.items]
            page = Page(items=[], next_cursor=got.next_cursor)
        assert titles == ["In wax", "In ink", "In chalk", "In oil", "third", "second", "first"]
    assert [style.id for style in service.list_styles("ben").items] == ["wax", "ink", "chalk", "oil"]
    assert service.list_styles("ben", limit=4).next_cursor is None


def test_cursor_at_a_style_that_is_gone_is_refused(service: Service, refusal: Refusal) -> None:
    cursor = service.list_styles("ann", limit=1).next_cursor
    service.catalog = {}
    problem = refusal(service.list_styles, "ann", cursor=cursor)
    assert (problem.code, problem.field) == ("invalid-request", "cursor")


@on_both
def test_own_style_is_usable_and_outlives_its_upload(
    service: Service, order: Order, picture: Picture, clock: SteppedClock
) -> None:
    upload = store_upload(service, picture())
    style = service.create_style("ann", upload, "Quilt")
    clock.advance(days=2)
    service.sweep()

    job, _ = service.create_stylization("ann", order(style=style.id))

    assert service.get_style("ann", style.id) == style
    assert (style.title, style.own, style.artist) == ("Quilt", True, None)
    assert "/image.png" in str(service.style_image("ann", style.id))
    assert service.ports.blobs.size(f"styles/{style.id}/draft/file") is None
    with service.ports.blobs.open(f"jobs/{job.id}/style-0") as file:
        assert file.read() == picture()


def test_a_built_in_style_shows_its_facts_and_its_swatch(service: Service) -> None:
    style = service.get_style("ann", "ink")

    assert (style.title, style.artist, style.year, style.license) == ("In ink", "no one", "2026", "MIT")
    assert (style.description, style.own) == ("One color.", False)
    assert service.style_image("ann", "ink") == service.catalog["ink"].swatch


def test_a_cursor_of_the_paintings_is_no_place_in_the_styles(service: Service, order: Order, refusal: Refusal) -> None:
    for _ in range(2):
        service.create_stylization("ann", order())
    cursor = service.list_stylizations("ann", limit=1).next_cursor
    assert cursor is not None

    problem = refusal(service.list_styles, "ann", cursor=cursor)

    assert (problem.code, problem.field) == ("invalid-request", "cursor")
