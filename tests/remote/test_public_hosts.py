"""Where only the public internet may be read, neither a redirect nor a name that changes leads elsewhere."""

from __future__ import annotations

import pytest

from vidcls.errors import RemoteError
from vidcls.remote.public_hosts import connecting_only, is_public
from vidcls.remote.requests import facts_of, read_range


@pytest.mark.parametrize(
    "private",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::1",
    ],
)
def test_an_address_of_a_private_network_is_known_in_every_spelling(private: str) -> None:
    assert not is_public(private)


def test_an_address_of_the_internet_is_public() -> None:
    for public in ("9.9.9.9", "2620:fe::fe", "::ffff:9.9.9.9", "64:ff9b::9.9.9.9"):
        assert is_public(public), public


def test_each_connection_is_checked_and_not_the_name(web) -> None:
    web.files["/a.mp4"] = b"x" * 100
    for host in ("127.0.0.1", "localhost", "0x7f000001"):
        address = f"http://{host}:{web.port}/a.mp4"
        with connecting_only(), pytest.raises(RemoteError, match="is in a private network") as raised:
            facts_of(address)
        assert raised.value.is_denied
    assert not web.requests
    address = f"{web.url}/a.mp4"
    with connecting_only(lambda host: host == "127.0.0.1"):
        facts = facts_of(address)
        assert read_range(address, 0, 10, facts) == b"x" * 10
    assert facts_of(address) == facts  # outside of the block nothing has changed


def test_a_redirect_leads_to_no_other_network(web, other_web) -> None:
    other_web.files["/secret"] = b"secret"
    web.redirects["/a.mp4"] = f"{other_web.url}/secret"
    connections = iter([True, False])  # the second one is that of the redirect
    with connecting_only(lambda _: next(connections)), pytest.raises(RemoteError, match="is in a private network"):
        facts_of(f"{web.url}/a.mp4")
    assert web.requests
    assert not other_web.requests


def test_no_proxy_is_asked_and_no_credentials_are_sent(web, other_web, monkeypatch, tmp_path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", other_web.url)
    web.files["/a.mp4"] = b"x" * 100
    with connecting_only(lambda _: True):
        facts_of(f"{web.url}/a.mp4")
    assert not other_web.requests
    assert all("Authorization" not in headers for _, headers in web.requests)
