from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from stylizer_service.outbound.addresses import ALLOWED, check_address, is_public
from stylizer_service.problems import Problem

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",  # metadata of Alibaba Cloud
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's own
    "169.254.169.254",  # metadata of AWS, Azure and Google
    "169.254.170.2",  # credentials of ECS tasks
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # metadata of Oracle Cloud
    "192.0.2.1",
    "192.168.1.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "2002:808:808::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of AWS
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("address", INSIDE)
def test_private_address_is_refused_as_a_webhook(address: str, refusal: Callable[..., Problem]) -> None:
    assert not is_public(ip_address(address))
    host = f"[{address}]" if ":" in address else address
    assert "not a public one" in refusal(check_address, f"https://{host}:8443/painted").detail


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_address_is_accepted_as_a_webhook(address: str) -> None:
    assert is_public(ip_address(address))
    check_address(f"https://[{address}]/painted" if ":" in address else f"https://{address}/painted")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://hooks.example.com:8443/a/b;c?d=e&f=%20g",
        "HTTPS://EXAMPLE.COM/",
        "https://xn--bcher-kva.example/",
        "https://a_b.example.co/",
        "https://3com.example/",
        "https://example.com/" + "a" * 1980,
    ],
)
def test_a_public_https_address_is_taken_without_asking_dns(url: str) -> None:
    check_address(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "does not start with https://"),
        ("ftp://example.com/", "does not start with https://"),
        ("example.com/painted", "does not start with https://"),
        ("//example.com/painted", "does not start with https://"),
        ("/painted", "does not start with https://"),
        ("", "characters"),
        ("https:///painted", "no host"),
        ("https:example.com", "no host"),
        ("https://:443/", "no host"),
        ("https://ann@example.com/", "user name"),
        ("https://ann:secret@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        (r"https://example.com\@10.0.0.1/", "user name"),
        ("https://example.com/#top", "fragment"),
        ("https://example.com/#", "fragment"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:65536/", "cannot be read"),
        ("https://example.com:https/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://exa mple.com/", "characters"),
        ("https://example.com/\r\nX-Evil: yes", "characters"),
        ("https://bücher.example/", "characters"),
        ("https://example.com/" + "a" * 1981, "more than 2000"),
        ("https://localhost/", "not a public one"),
        ("https://LOCALHOST:8000/", "not a public one"),
        ("https://api.localhost/", "not a public one"),
        ("https://localhost.localdomain/", "not a public one"),
        ("https://printer.local/", "not a public one"),
        ("https://metadata.google.internal/", "not a public one"),
        ("https://intranet/", "not a public one"),
        ("https://localhost./", "not a public one"),
        ("https://127.1/", "not a public one"),
        ("https://2130706433/", "not a public one"),
        ("https://0x7f000001/", "not a public one"),
        ("https://0x7f.0.0.0x1/", "not a public one"),
        ("https://0177.0.0.1/", "not a public one"),
        ("https://127.0.0.1./", "not a public one"),
        ("https://[fe80::1%25eth0]/", "not a public one"),
        ("https://%31%32%37.0.0.1/", "not a public one"),
        ("https://a..example.com/", "not a public one"),
        (f"https://{'a' * 64}.com/", "not a public one"),
        (f"https://{'a.' * 126}com/", "not a public one"),
    ],
)
def test_non_public_or_non_https_url_is_refused_with_reason(
    url: str, why: str, refusal: Callable[..., Problem]
) -> None:
    problem = refusal(check_address, url)

    assert (problem.status, problem.code, problem.field) == (422, "invalid-request", "webhook")
    assert why in problem.detail
    assert repr(url)[:40] in problem.detail
    assert problem.allowed == ALLOWED
