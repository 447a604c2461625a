"""Files on this machine: keys, links and upload forms."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from clocks import SteppedClock

from stylizer_service.adapters.local import Local
from stylizer_service.adapters.local.orphans import remove_orphans
from stylizer_service.adapters.local.signing import load_secret
from stylizer_service.ports import Unavailable
from stylizer_service.problems import Problem
from stylizer_service.settings import Settings

Refusal = Callable[..., Problem]
KEY = "uploads/upl_x/file"


@pytest.fixture
def root(settings: Settings) -> Path:
    return settings.data_dir / "blobs"


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def follow(local: Local, url: str, **changes: str) -> bytes:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | changes
    key = query.pop("key", unquote(parts.path.removeprefix("/v1/files/")))
    return local.blobs.resolve(key, **query).path.read_bytes()


def link(local: Local, key: str = KEY, filename: str = "päinted 1.jpg") -> str:
    expires_at = local.service.ports.clock.now() + timedelta(minutes=15)
    return local.blobs.url(key, expires_at=expires_at, filename=filename)


def form(local: Local, key: str = KEY) -> dict[str, str]:
    expires_at = local.service.ports.clock.now() + timedelta(minutes=15)
    made = local.blobs.upload_form(key, media_type="image/png", max_bytes=10, expires_at=expires_at)
    assert made.url == f"/v1/{key}"
    return made.fields


# Keys


@pytest.mark.parametrize(
    "key",
    [
        "../secret",
        "uploads/../../secret",
        "/etc/passwd",
        "uploads//file",
        "uploads/.",
        "uploads/.hidden",
        "uploads/a\\b",
        "uploads/a\0b",
        "uploads/file\n",
        "",
        "uploads/",
        "ü",
    ],
)
def test_a_key_that_is_not_of_plain_names_never_reaches_the_disk(
    local: Local, key: str, refusal: Refusal, settings: Settings
) -> None:
    local.blobs.put(KEY, b"mine", "image/png")
    before = files_in(settings.data_dir)

    for call in (
        lambda: local.blobs.put(key, b"x", "image/png"),
        lambda: local.blobs.open(key),
        lambda: local.blobs.size(key),
        lambda: local.blobs.copy(KEY, key),
        lambda: local.blobs.copy(key, "uploads/upl_y/file"),
        lambda: local.blobs.delete_folder(f"{key}/"),
        lambda: link(local, key),
    ):
        assert refusal(call).code == "not-found"
    assert files_in(settings.data_dir) == before


# Files


def test_deleted_folder_leaves_only_copies_on_disk(local: Local, root: Path) -> None:
    local.blobs.put("uploads/a/file", b"one", "image/png")
    local.blobs.copy("uploads/a/file", "jobs/b/content")
    local.blobs.put("uploads/a/file", io.BytesIO(b"other"), "image/png")
    local.blobs.delete_folder("uploads/a/")

    assert files_in(root) == ["jobs/b/content"]


def test_a_copy_is_made_where_the_file_system_has_no_hard_links(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    local.blobs.put("uploads/a/file", b"one", "image/png")
    local.blobs.copy("uploads/a/file", "jobs/b/content")
    local.blobs.put("uploads/a/file", b"other", "image/png")

    with local.blobs.open("jobs/b/content") as file:
        assert file.read() == b"one"


def test_a_system_without_handles_is_told_as_one_that_passes(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    local.blobs.put(KEY, b"one", "image/png")
    monkeypatch.setattr(Path, "open", refuse)

    for call in (lambda: local.blobs.open(KEY), lambda: local.blobs.put(KEY, b"two", "image/png")):
        with pytest.raises(Unavailable):
            call()


def test_file_survives_a_concurrent_folder_deletion(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def be_overtaken(draft: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        local.blobs.delete_folder("uploads/upl_x/")
        return replace(draft, target)

    local.blobs.put(KEY, b"earlier", "image/png")
    monkeypatch.setattr(Path, "replace", be_overtaken)
    local.blobs.put(KEY, b"photo", "image/png")

    with local.blobs.open(KEY) as file:
        assert file.read() == b"photo"


def test_file_cleaned_up_while_arriving_keeps_the_earlier_one(local: Local, clock: SteppedClock) -> None:
    local.blobs.put(KEY, b"earlier", "image/png")

    def stream() -> None:
        with local.blobs.writer(KEY, max_bytes=None) as writer:
            writer.write(b"later")
            assert local.blobs.remove_drafts(clock.now() + timedelta(days=1)) == 1

    with pytest.raises(FileNotFoundError):
        stream()
    with local.blobs.open(KEY) as file:
        assert file.read() == b"earlier"


def test_oversized_upload_is_refused_while_streaming(local: Local, settings: Settings, refusal: Refusal) -> None:
    local.blobs.put(KEY, b"earlier", "image/png")
    before = files_in(settings.data_dir)

    def stream() -> None:
        with local.blobs.writer(KEY, max_bytes=10) as writer:
            for piece in (b"12345", b"67890", b"!"):
                writer.write(piece)

    problem = refusal(stream)

    assert (problem.code, problem.status) == ("too-large", 413)
    assert files_in(settings.data_dir) == before
    with local.blobs.open(KEY) as file:
        assert file.read() == b"earlier"


# Links


def test_a_link_gives_the_file_until_its_time_is_over(local: Local, clock: SteppedClock, refusal: Refusal) -> None:
    local.blobs.put(KEY, b"painting", "image/jpeg")
    url = link(local)
    assert follow(local, url) == b"painting"
    clock.advance(minutes=16)

    problem = refusal(follow, local, url)

    assert (problem.code, problem.status) == ("expired", 410)


@pytest.mark.parametrize(
    "change",
    [
        {"key": "uploads/upl_y/file"},
        {"key": "../../secret"},
        {"expires": "99999999999"},
        {"filename": "evil.html"},
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "ü"},
    ],
)
def test_a_changed_link_gives_nothing(local: Local, refusal: Refusal, change: dict[str, str]) -> None:
    local.blobs.put(KEY, b"mine", "image/jpeg")
    local.blobs.put("uploads/upl_y/file", b"another's", "image/jpeg")

    assert refusal(follow, local, link(local), **change).code == "forbidden"


def test_a_link_to_a_file_that_is_gone_says_so(local: Local, refusal: Refusal) -> None:
    assert refusal(follow, local, link(local)).code == "not-found"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("result.jpg", "image/jpeg"), ("result.avif", "image/avif"), ("result.tif", "image/tiff")],
)
def test_a_result_is_served_as_what_it_is(local: Local, name: str, media_type: str) -> None:
    key = f"jobs/stz_x/token/{name}"
    local.blobs.put(key, b"painting", media_type)
    query = dict(parse_qsl(urlsplit(link(local, key)).query))

    stored = local.blobs.resolve(key, **query)

    assert (stored.media_type, stored.filename) == (media_type, "päinted 1.jpg")


# Upload forms


def test_a_form_allows_what_its_policy_says(local: Local) -> None:
    policy = local.blobs.check_form(KEY, form(local) | {"an-extra-field": "is ignored"})

    assert (policy.key, policy.media_type, policy.max_bytes) == (KEY, "image/png", 10)


@pytest.mark.parametrize("name", ["key", "Content-Type", "policy", "signature"])
def test_a_form_needs_every_field(local: Local, refusal: Refusal, name: str) -> None:
    fields = form(local)
    del fields[name]

    problem = refusal(local.blobs.check_form, KEY, fields)

    assert (problem.code, problem.field) == ("invalid-request", name)


@pytest.mark.parametrize(("name", "value"), [("key", "uploads/upl_y/file"), ("Content-Type", "image/jpeg")])
def test_form_that_violates_its_policy_is_refused(local: Local, refusal: Refusal, name: str, value: str) -> None:
    fields = form(local)

    problem = refusal(local.blobs.check_form, KEY, fields | {name: value})

    assert (problem.code, problem.field, problem.allowed) == ("invalid-request", name, [fields[name]])


def test_a_form_is_for_its_own_key_only(local: Local, refusal: Refusal) -> None:
    assert refusal(local.blobs.check_form, "uploads/upl_y/file", form(local)).field == "key"


def test_a_policy_that_was_changed_is_refused(local: Local, refusal: Refusal) -> None:
    fields = form(local)
    policy = json.loads(base64.b64decode(fields["policy"]))
    larger = base64.b64encode(json.dumps(policy | {"max_bytes": 10**9}).encode()).decode()

    for change in ({"policy": larger}, {"policy": "garbage"}, {"signature": "f" * 64}, {"signature": "ü"}):
        assert refusal(local.blobs.check_form, KEY, fields | change).code == "forbidden"


def test_a_link_does_not_pass_for_a_form(local: Local, refusal: Refusal) -> None:
    signature = dict(parse_qsl(urlsplit(link(local)).query))["signature"]

    assert refusal(local.blobs.check_form, KEY, form(local) | {"signature": signature}).code == "forbidden"


def test_a_form_is_not_taken_after_its_time(local: Local, clock: SteppedClock, refusal: Refusal) -> None:
    fields = form(local)
    clock.advance(minutes=16)

    problem = refusal(local.blobs.check_form, KEY, fields)

    assert (problem.code, problem.status) == ("expired", 410)


# The secret


def test_secret_is_created_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"

    first, second = load_secret(path), load_secret(path)

    assert first == second
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_secret_of_a_concurrent_process_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"

    def be_late(length: int) -> str:
        path.write_bytes(b"x" * 32)
        return "0" * length

    monkeypatch.setattr("stylizer_service.adapters.local.signing.secrets.token_hex", be_late)

    assert load_secret(path) == b"x" * 32
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


# Tidying


def test_orphaned_files_are_deleted_after_an_hour(
    local: Local, clock: SteppedClock, root: Path, settings: Settings
) -> None:
    known = local.service.create_upload("ann", "image/png")
    for key in (
        known.fields["key"],
        "uploads/upl_lost/file",
        "jobs/stz_lost/content",
        "styles/sty_lost/image",
    ):
        local.blobs.put(key, b"file", "image/png")
    (settings.data_dir / "drafts" / "unfinished").write_bytes(b"half")
    (settings.data_dir / "drafts" / "half-deleted").mkdir()

    assert remove_orphans(local.blobs, local.service.ports) == 0
    clock.advance(hours=1, seconds=5)
    assert remove_orphans(local.blobs, local.service.ports) == 5
    assert files_in(root) == [known.fields["key"]]
    assert list((settings.data_dir / "drafts").iterdir()) == []
