"""How much callers may bring: room for files that is right at any time, and a share for each key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from uploads import store_upload
from waiting import PATIENCE

from stylizer_service.adapters.local import Local, open_local
from stylizer_service.adapters.local.disk import reachable_disk
from stylizer_service.adapters.local.orphans import remove_orphans
from stylizer_service.adapters.local.quota import Quota, size_of
from stylizer_service.adapters.local.settings import LocalSettings
from stylizer_service.jobs.leases import claim
from stylizer_service.models import StylizationRequest
from stylizer_service.ports import Clock, StorageFull
from stylizer_service.problems import Problem, ProblemError
from stylizer_service.settings import Settings
from stylizer_service.usecases import Service

MIB = 2**20
Picture = Callable[..., bytes]
Refusal = Callable[..., Problem]
Open = Callable[..., Local]


@pytest.fixture
def opened(settings: Settings, clock: Clock) -> Iterator[Open]:
    """Open the service, as the server does: `opened(**limits)`; again for a restart."""
    each: list[Local] = []

    def made(**limits: object) -> Local:
        own = LocalSettings.model_validate({**settings.model_dump(), **limits})
        each.append(open_local(own, clock, limits=own))
        return each[-1]

    yield made
    for local in each:
        local.close()


@pytest.fixture(autouse=True)
def no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full quota is measured again each time."""
    monkeypatch.setattr("stylizer_service.adapters.local.quota._HASTE", -1.0)
    monkeypatch.setattr("stylizer_service.adapters.local.quota._SHARE", 0)


def fill(service: Service, photo: bytes) -> int:
    """Add uploads until there is no room for more; returns how many there was room for."""
    for number in range(100):
        try:
            store_upload(service, photo)
        except ProblemError as error:
            if error.problem.code == "storage-full":
                return number
            raise
    raise AssertionError("there is no end to it")


@pytest.fixture
def large(picture: Picture) -> bytes:
    """A picture of a third of a MiB."""
    return picture(400, 300, "TIFF")


def test_what_would_pass_the_quota_is_refused_before_it_is_kept(opened: Open, large: bytes) -> None:
    service = opened(max_disk=2 * MIB).service
    room = fill(service, large)
    folder = service.settings.data_dir

    assert 2 <= room <= 2 * MIB // len(large)
    assert size_of(folder) <= 2 * MIB
    assert len(list((folder / "blobs" / "uploads").iterdir())) == room


def test_quota_is_right_after_restarts_and_foreign_writes(opened: Open, large: bytes) -> None:
    room = fill(opened(max_disk=2 * MIB).service, large)
    assert fill(opened(max_disk=2 * MIB).service, large) == 0

    local = opened(max_disk=4 * MIB)
    store_upload(local.service, large)
    (local.service.settings.data_dir / "drafts" / "painter").write_bytes(bytes(MIB))  # half-written by another process
    assert fill(local.service, large) < room


def test_what_expires_gives_its_room_back(opened: Open, large: bytes, clock: Clock) -> None:
    local = opened(max_disk=2 * MIB, upload_ttl=60)
    room = fill(local.service, large)
    clock.advance(minutes=2)  # type: ignore[attr-defined]

    assert local.service.sweep() == room + 1  # with the upload whose file found no room
    assert fill(local.service, large) >= room - 1  # the log of the database has grown


def test_drafts_count_toward_the_quota_until_cleaned_up(opened: Open, large: bytes) -> None:
    local = opened(max_disk=2 * MIB)
    (local.service.settings.data_dir / "drafts" / "left").write_bytes(bytes(2 * MIB))
    assert fill(local.service, large) == 0

    remove_orphans(local.blobs, local.service.ports, grace=timedelta(days=-1))

    assert fill(local.service, large) >= 2


def test_job_reserves_quota_for_its_painting_only(opened: Open, large: bytes, refusal: Refusal) -> None:
    service = opened(max_disk=4 * MIB).service
    photo = store_upload(service, large)

    def ask(**options: object) -> StylizationRequest:
        return StylizationRequest.model_validate({"content": photo, "style": "ink", **options})

    assert refusal(service.create_stylization, "ann", ask(size=1024, format="png")).code == "storage-full"
    accepted = [service.create_stylization("ann", ask(size=1024))[0] for _ in range(3)]
    assert refusal(service.create_stylization, "ann", ask(size=1024)).code == "storage-full"

    for job in accepted:  # once it is painted it counts for what it is
        lease = claim(service.ports, service.settings, job.id)
        assert lease is not None
        lease.succeed(b"painting", preview=b"small", width=64, height=43)
    service.create_stylization("ann", ask(size=1024))


def test_the_painter_is_never_refused_room(opened: Open, settings: Settings, clock: Clock, large: bytes) -> None:
    service = opened(max_disk=MIB).service
    photo = store_upload(service, large)
    job, _ = service.create_stylization("ann", StylizationRequest(content=photo, style="ink", size=64))
    fill(service, large)

    with closing(open_local(settings, clock)) as painter:
        lease = claim(painter.service.ports, settings, job.id)
        assert lease is not None
        lease.succeed(bytes(MIB), preview=b"small", width=64, height=43)
    assert service.get_stylization("ann", job.id).status == "succeeded"


def test_so_much_of_the_disk_stays_free(tmp_path: Path, refusal: Refusal) -> None:
    Quota(tmp_path, max_bytes=None, min_free=0).check(MIB)
    assert refusal(Quota(tmp_path, max_bytes=None, min_free=2**60).check).code == "storage-full"


def test_the_folder_is_not_walked_through_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylizer_service.adapters.local.quota._HASTE", 1.0)
    now = 0.0
    walks: list[Path] = []

    def walked(folder: Path) -> int:
        walks.append(folder)
        return 0

    monkeypatch.setattr("stylizer_service.adapters.local.quota.size_of", walked)
    quota = Quota(tmp_path, max_bytes=100, min_free=0, clock=lambda: now)
    for _ in range(100):
        with quota.hold(1):
            pass
    for _ in range(10):
        with suppress(ProblemError):
            quota.check(1)
    assert len(walks) == 1
    now = 2.0
    quota.check(1)
    assert len(walks) == 2


def test_hard_links_count_once_and_deleted_files_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one").write_bytes(bytes(MIB))
    before = size_of(tmp_path)
    (tmp_path / "two").hardlink_to(tmp_path / "folder" / "one")

    assert before >= MIB
    assert size_of(tmp_path) - before < 10_000


def test_each_key_has_its_share_of_queue_uploads_and_styles(opened: Open, picture: Picture, refusal: Refusal) -> None:
    service = opened(key_queue_limit=2, key_uploads=3, key_styles=1).service

    def use(owner: str) -> str:
        photo = store_upload(service, picture(), owner)
        for _ in range(2):
            service.create_stylization(owner, StylizationRequest(content=photo, style="ink"))
            service.create_upload(owner, "image/png")
        service.create_style(owner, photo, "Mine")
        return photo

    photo = use("key_ann")
    again = StylizationRequest(content=photo, style="ink")
    assert refusal(service.create_stylization, "key_ann", again).code == "queue-full"
    assert refusal(service.create_upload, "key_ann", "image/png").code == "too-many-uploads"
    assert refusal(service.create_style, "key_ann", photo, "Mine").code == "too-many-styles"
    use("key_bob")
    for _ in range(2):
        use("local")


def test_those_who_come_at_once_do_not_get_more_than_there_is(tmp_path: Path) -> None:
    quota = Quota(tmp_path, max_bytes=size_of(tmp_path) + 1000, min_free=0)

    done = threading.Barrier(20)

    def gets(_: int) -> bool:
        with suppress(ProblemError), quota.hold(100):
            done.wait(PATIENCE)  # all of it is still being written: none of it can be measured
            return True
        done.wait(PATIENCE)
        return False

    with ThreadPoolExecutor(20) as callers:
        assert sum(callers.map(gets, range(20))) == 10


def test_a_disk_that_is_full_is_told_from_one_that_fails() -> None:
    with pytest.raises(StorageFull), reachable_disk(), Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"anything")
