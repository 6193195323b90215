from __future__ import annotations

from pathlib import Path

import pytest

from vidcls import allow_remote
from vidcls.errors import ConfigurationError
from vidcls.remote import is_address, place_of, shown
from vidcls.remote.addresses import is_signed
from vidcls.remote.permission import allowed_remote, permission_ends

pytest.importorskip("upath", reason="needs the extra remote")

REFUSED = {
    "file:///etc/passwd": "pass the path after file:// alone",
    "FILE:///etc/passwd": "pass the path",
    "local:///etc/passwd": "pass the path after local:// alone",
    "zip://inside.mp4::s3://bucket/a.zip": "chain",
    "simplecache::s3://bucket/a.mp4": "chain",
    "s3://bucket/a::file:///etc/passwd": "chain",
    "reference://a": "addresses of 'reference' are not read; expected s3, gs",
    "github://owner:repo@main/a.mp4": "not read",
    "sftp://host/a.mp4": "not read",
    "jar://a": "not read",
    "arrow_hdfs://a": "not read",
    "dask://a": "not read",
    "data://text": "not read",
    "s3://bucket/a\nb.mp4": "control character",
}


@pytest.mark.parametrize(("address", "words"), REFUSED.items(), ids=REFUSED)
def test_only_the_protocols_of_the_list_are_read_whatever_is_allowed(address: str, words: str) -> None:
    with permission_ends():
        allow_remote("s3", "gs", "hf", "http", "https", "memory")
        with pytest.raises(ConfigurationError, match=words):
            place_of(address)


def test_nothing_is_read_without_permission_and_the_message_names_the_option() -> None:
    with permission_ends():
        allow_remote("https")
        with pytest.raises(ConfigurationError, match=r"add --allow-remote s3 to the command.*allow_remote\(\"s3\"\)"):
            place_of("s3://bucket/a.mp4")
        with pytest.raises(ConfigurationError, match="--allow-remote http "):  # https does not allow http
            place_of("http://example.org/a.mp4")
        assert str(place_of("https://example.org/a.mp4")) == "https://example.org/a.mp4"
    assert "https" not in allowed_remote()
    with pytest.raises(ConfigurationError, match="unknown protocol 'sftp'"):
        allow_remote("sftp")


def test_paths_stay_paths_and_addresses_that_pathlib_has_spoilt_are_read_right() -> None:
    assert place_of("clips/a.mp4") == Path("clips/a.mp4")
    assert place_of(Path("clips")) == Path("clips")
    with permission_ends():
        allow_remote("s3")
        assert str(place_of(Path("s3://bucket/clips/a.mp4"))) == "s3://bucket/clips/a.mp4"
        place = place_of("s3://bucket/clips/a.mp4")
        assert (place.name, str(place.parent / "b.mp4")) == ("a.mp4", "s3://bucket/clips/b.mp4")
        assert place_of(place) == place
    assert not any(map(is_address, ("a.mp4", "C:/a.mp4", "C:\\a.mp4", "a::b.mp4", "10:30.mp4", "s3:/bucket/a")))


def test_passwords_and_signatures_are_not_shown_and_reach_no_place() -> None:
    signed = "https://example.org/a.mp4?X-Amz-Signature=1f2e&x=1"
    assert shown(signed) == "https://example.org/a.mp4?(signed)"
    assert shown("https://example.org/a.mp4?id=3") == "https://example.org/a.mp4?id=3"
    assert shown("https://user:pw@example.org/a.mp4") == "https://example.org/a.mp4"
    assert is_signed("https://host/a.mp4?sig=ab")
    assert not is_signed("s3://bucket/what?sig=ab")
    with permission_ends():
        allow_remote("https")
        for address, words in {signed: "signed address", "https://user:pw@example.org/a": "~/.netrc"}.items():
            with pytest.raises(ConfigurationError, match=words) as error:
                place_of(address)
            assert "1f2e" not in str(error.value)
            assert "pw@" not in str(error.value)


@pytest.mark.parametrize("name", ["token", "jwt", "pwd", "hmac", "X-Amz-Signature"])
@pytest.mark.parametrize("address", ["{0}?a=1;{1}=SECRET", "{0}#{1}=SECRET", "{0}?{1}=SECRET", "{0}?a=1&{1}=SECRET"])
def test_what_is_secret_in_an_address_is_not_shown(address: str, name: str) -> None:
    assert shown(address.format("https://example.org/0.mp4", name)) == "https://example.org/0.mp4?(signed)"


def test_a_protocol_in_capitals_is_the_same_one() -> None:
    with permission_ends():
        allow_remote("memory")
        assert str(place_of("MEMORY://a/b.csv")) == "memory://a/b.csv"
