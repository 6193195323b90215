"""Text -> whether it is an address, of which protocol, and how it may be shown; asks no server and imports nothing.

One list says what can be read. Everything else is refused by name, above all what fsspec would read on this machine or
through another file system: ``file://``, ``local://``, ``zip://...::...``, ``simplecache::...``, ``reference://``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vidcls.errors import ConfigurationError

EXTRA = 'pip install "vidcls[remote]"'


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a protocol needs.

    Args:
        name: what ``--allow-remote`` calls it.
        package: the module that reads it.
        install: the command that installs that.
        keys: where its package looks for credentials.
    """

    name: str
    package: str
    install: str = EXTRA
    keys: str = ""


_AWS = (
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or FSSPEC_S3_ANON=true for a public bucket"
)
_S3 = Protocol("s3", "s3fs", keys=_AWS)
_GS = Protocol("gs", "gcsfs", keys="gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS")
_AZ = Protocol("az", "adlfs", "pip install adlfs", "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY")
PROTOCOLS = {
    "s3": _S3,
    "gs": _GS,
    "gcs": _GS,
    "az": _AZ,
    "abfs": _AZ,
    "abfss": _AZ,
    "hf": Protocol("hf", "huggingface_hub", keys="hf auth login, or HF_TOKEN"),
    "http": Protocol("http", "aiohttp", keys="~/.netrc"),
    "https": Protocol("https", "aiohttp", keys="~/.netrc"),
    "memory": Protocol("memory", "fsspec"),
}
NAMES = ("s3", "gs", "az", "hf", "http", "https")  # what a user is told of: memory:// ends with its process
STREAMS = ("rtsp", "tcp", "udp")  # of live streams alone, which FFmpeg reads; http and https serve both
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+._-]+):(?://|:.*://)", re.DOTALL)
_SECRET = re.compile(
    r"sig|token|key|credential|passw|pwd|secret|auth|policy|jwt|hmac|^sas$|^code$|^x-(amz|goog|ms)-", re.IGNORECASE
)
_SIGNED = "?(signed)"


def is_address(text: str) -> bool:
    """Whether a text is an address such as ``https://example.org/a.mp4``, whatever its protocol."""
    return ":" in text and _ADDRESS.match(text) is not None


def is_web(address: str) -> bool:
    """Whether an address is one of a web server, which lists nothing and takes nothing."""
    return address.lower().startswith(("http://", "https://"))


def protocol_of(address: str) -> Protocol:
    """The protocol of an address that can be read.

    Raises:
        ConfigurationError: it is none of the list, a chain of several, or holds a password.
    """
    found = _ADDRESS.match(address)
    word = found.group(1).lower() if found else ""
    if word in ("file", "local"):
        raise ConfigurationError(f"{address}: is an address of this machine: pass the path after {word}:// alone")
    if "::" in address:
        raise ConfigurationError(f"{shown(address)}: is a chain of addresses, which is not read: pass a plain one")
    if word not in PROTOCOLS:
        raise ConfigurationError(
            f"{shown(address)}: addresses of {word or address!r} are not read; expected {', '.join(NAMES)}: download "
            "it first, and pass the path of the file"
        )
    if any(ord(character) < 32 or character == "\x7f" for character in address):
        raise ConfigurationError(f"{address!a}: has a control character; check the address")
    if "@" in _host(address) and not _is_azure(address):
        raise ConfigurationError(
            f"{shown(address)}: has a user name or a password in it, which would reach files and messages: remove it; "
            f"credentials are looked for elsewhere ({PROTOCOLS[word].keys})"
        )
    if not _host(address) and word != "memory":
        raise ConfigurationError(f"{address}: has no {'host' if is_web(address) else 'bucket'}; check the address")
    return PROTOCOLS[word]


def is_signed(address: str) -> bool:
    """Whether whoever has the address has access: a signature, token or key is in its query."""
    if not is_web(address):
        return False
    return any(_SECRET.search(name) for name in re.findall(r"[?&;#]([^?&;#=]*)=", address))


def shown(address: str) -> str:
    """The address as messages and files may have it: without password, and without the query where that is signed.

    >>> shown("https://user:pw@example.org/a.mp4?X-Amz-Signature=1f")
    'https://example.org/a.mp4?(signed)'
    """
    if not is_address(address):
        return address
    head, _, rest = address.partition("://")
    place, slash, path = rest.partition("/")
    if not _is_azure(address):  # where the container stands before the account
        place = place.rpartition("@")[2]
    text = f"{head}://{place}{slash}{path}"
    return re.split(r"[?#;]", text, maxsplit=1)[0] + _SIGNED if is_signed(text) else text


def normal(address: str) -> str:
    """The address with its protocol in small letters, as file systems know it.

    >>> normal("S3://Bucket/A.mp4")
    's3://Bucket/A.mp4'
    """
    head, separator, rest = address.partition("://")
    return f"{head.lower()}{separator}{rest}"


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0]


def _is_azure(address: str) -> bool:
    return address.lower().startswith(("az://", "abfs://", "abfss://"))
