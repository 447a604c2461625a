"""History of paintings: list, open, stop and delete."""

from __future__ import annotations

from pathlib import Path

from browser.steps import Ask, OpenPage, Served, expect_state, start_long_job
from playwright.sync_api import Route, expect


def test_earlier_painting_opens_with_its_options(open_page: OpenPage, ask: Ask, served: Served) -> None:
    job_id = ask("watercolor", strength="0.5", preserve_color="luminance")
    served.wait_until_ended(job_id)
    page = open_page()

    card = page.locator(f"#history-list a[href='#{job_id}']")
    expect(card).to_contain_text("Watercolor")
    card.click()

    expect_state(page, "done")
    expect(card).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("region", name="Your picture")).to_be_focused()
    expect(page.locator("input[name=style]:checked")).to_have_value("watercolor")
    expect(page.get_by_label("Strength")).to_have_value("0.5")
    expect(page.locator("input[name=preserve_color]:checked")).to_have_value("luminance")
    expect(page.get_by_role("slider", name="Before and after")).to_be_hidden()  # the photo was never in this browser
    assert page.get_by_role("img", name="The painting").evaluate("image => image.naturalWidth") == 64


def test_late_image_does_not_replace_a_newer_painting(open_page: OpenPage, ask: Ask, served: Served) -> None:
    late, present = ask(), ask(size="96")
    for job_id in (late, present):
        served.wait_until_ended(job_id)
    page = open_page()
    held: list[Route] = []
    page.route(f"**/v1/stylizations/{late}/image", lambda route: held.append(route))
    with page.expect_request(f"**/v1/stylizations/{late}/image"):
        page.locator(f"#history-list a[href='#{late}']").click()
    page.locator(f"#history-list a[href='#{present}']").click()
    expect(page.locator("#caption")).to_contain_text("96")

    with page.expect_response("**/v1/files/**"):
        held[0].continue_()
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 500))")  # time to decode it

    assert page.get_by_role("img", name="The painting").evaluate("image => image.naturalWidth") == 96
    expect(page.locator("#caption")).to_contain_text("96")


def test_history_loads_page_by_page(open_page: OpenPage, ask: Ask) -> None:
    oldest, *others = [ask() for _ in range(14)]
    page = open_page()
    cards = page.locator("#history-list li")

    expect(cards).to_have_count(12)
    expect(page.locator(f"#history-list a[href='#{others[-1]}']")).to_be_visible()
    expect(page.locator(f"#history-list a[href='#{oldest}']")).to_have_count(0)
    page.get_by_role("button", name="Show older paintings").click()
    expect(page.locator(f"#history-list a[href='#{oldest}']")).to_be_visible()
    expect(cards.nth(12).get_by_role("link")).to_be_focused()


def test_running_job_is_stopped_from_the_history(open_page: OpenPage, photo: Path) -> None:
    page = open_page()
    start_long_job(page, photo)
    card = page.locator("#history-list li").first
    expect(card).to_contain_text("In progress")

    card.get_by_role("button", name="Stop painting").click()

    expect(card).to_contain_text("Stopped")
    expect(card.get_by_role("link")).to_be_focused()
    expect_state(page, "photo")


def test_painting_is_deleted_from_history_after_confirmation(open_page: OpenPage, ask: Ask, served: Served) -> None:
    job_id = ask("woodcut")
    served.wait_until_ended(job_id)
    page = open_page()
    card = page.locator("#history-list li", has=page.locator(f"a[href='#{job_id}']"))
    card.get_by_role("link").click()
    expect_state(page, "done")
    delete = card.get_by_role("button", name="Delete painting Woodcut")

    page.once("dialog", lambda dialog: dialog.dismiss())
    delete.click()
    expect(delete).to_be_enabled()
    assert served.job(job_id)["status"] == "succeeded"
    page.once("dialog", lambda dialog: dialog.accept())
    delete.click()

    expect(card).to_contain_text("Expired")
    expect(card.get_by_role("link")).to_be_focused()
    expect(delete).to_have_count(0)
    expect_state(page, "empty")
    assert served.job(job_id)["status"] == "expired"
