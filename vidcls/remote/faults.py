"""What a client raised -> whether to ask again, and one line that names the object and says what to do.

The clients (botocore, aiohttp, google-auth, httpx) have error trees of their own, and wrap one another: what counts is
the status of the answer where there was one, else the kind of the first error in the chain that has a meaning.
"""

from __future__ import annotations

import logging
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Literal, TypeVar

from vidcls.errors import RemoteError, first_line
from vidcls.remote.addresses import protocol_of, shown
from vidcls.remote.limits import RETRIES, TIMEOUT, Limits, limits
from vidcls.remote.public_hosts import PrivateHostError

Kind = Literal["missing", "denied", "keys", "changed", "passing", "other"]
Result = TypeVar("Result")
_log = logging.getLogger(__name__)

_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 509, 529})
_PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "ServiceUnavailable", "InternalError", "Throttling"})
# What a connection dies of in botocore, aiohttp, httpx, requests and google-auth.
# fmt: off
_PASSING_NAMES = frozenset({
    "ConnectTimeoutError", "ReadTimeoutError", "EndpointConnectionError", "ConnectionClosedError",
    "IncompleteReadError", "ResponseStreamingError", "HTTPClientError", "ResponseParserError",
    "ClientPayloadError", "ClientConnectionError", "FlexibleChecksumError", "ChecksumError",
    "ServerTimeoutError", "ServerDisconnectedError", "FSTimeoutError", "TransportError", "TimeoutException",
    "RemoteProtocolError", "ChunkedEncodingError", "ConnectionError", "Timeout", "ProtocolError", "IncompleteRead",
})
_KEY_NAMES = frozenset({
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError",
    "UnauthorizedSSOTokenError", "ProfileNotFound", "DefaultCredentialsError", "RefreshError", "GoogleAuthError",
    "LocalTokenNotFoundError",
})
# fmt: on
_TREES = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("botocore.exceptions", "FlexibleChecksumError"),
    ("botocore.exceptions", "AwsChunkedWrapperError"),
    ("aiohttp", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("gcsfs.retry", "HttpError"),
    ("httpx", "HTTPError"),
    ("requests", "RequestException"),
    ("huggingface_hub.errors", "HfHubHTTPError"),
    ("azure.core.exceptions", "AzureError"),
)


class ShortReplyError(ConnectionError):
    """A server sent fewer bytes than there are, and ended as if that were all."""


class ChangedError(OSError):
    """An object is not the one any more whose first bytes were read."""


def clients_errors() -> tuple[type[Exception], ...]:
    """What a request may raise: the errors of those clients that are loaded."""
    modules = [(sys.modules.get(module), name) for module, name in _TREES]
    found = [getattr(module, name, None) for module, name in modules if module is not None]
    return (OSError, *(tree for tree in found if tree is not None))


def retried(address: str, request: Callable[[], Result], *, bounds: Limits | None = None) -> Result:
    """The result of a request, which is made again after a passing fault, with longer and longer pauses.

    Raises:
        RemoteError: it is not a passing fault, or the limits are reached.
        ChangedError: the object has changed since it was first looked at.
    """
    bounds = bounds or limits()
    start, failures = time.monotonic(), 0
    while True:
        try:
            return request()
        except ChangedError:
            raise
        except clients_errors() as error:
            kind, failures = kind_of(error), failures + 1
            if kind == "changed":
                raise ChangedError(f"{shown(address)}: {first_line(error)}") from error
            used = time.monotonic() - start
            if kind != "passing" or failures > bounds.retries or used > bounds.total_seconds:
                raise as_remote_error(address, error, tries=failures, seconds=used) from error
            pause = bounds.pause_seconds(failures - 1) * random.uniform(0.5, 1)
            _log.debug("%s: %s; asked again in %.1f s", shown(address), _words(error), pause)
            time.sleep(pause)


def kind_of(error: BaseException) -> Kind:
    """What an error means for the object."""
    if _refused_host(error) is not None:
        return "denied"
    for each in _chain(error):
        if isinstance(each, ChangedError):
            return "changed"
        status, code = _status(each), _code(each)
        if status in _PASSING_STATUS or code in _PASSING_CODES:
            return "passing"
        if status in (412, 416):
            return "changed"
        if status in (404, 410) or code in ("NoSuchKey", "NoSuchBucket", "404"):
            return "missing"
        if status in (401, 403):
            return "denied"
        if status is not None and status >= 400:
            return "other"
        names = {kind.__name__ for kind in type(each).__mro__}
        if names & _KEY_NAMES:
            return "keys"
        if isinstance(each, TimeoutError | ConnectionError) or names & _PASSING_NAMES:
            return "passing"
    return _kind_of_system(error)


def _kind_of_system(error: BaseException) -> Kind:
    if isinstance(error, FileNotFoundError):
        return "missing"
    return "denied" if isinstance(error, PermissionError) else "other"


def as_remote_error(address: str, error: BaseException, *, tries: int = 1, seconds: float = 0.0) -> RemoteError:
    """The one line about it."""
    kind, name, keys = kind_of(error), shown(address), protocol_of(address).keys
    if (refused := _refused_host(error)) is not None:
        return RemoteError(f"{name}: {refused}", is_denied=True)
    if kind == "missing":
        return RemoteError(f"{name}: there is no such object; check the address", is_missing=True)
    if kind == "keys":
        return RemoteError(f"{name}: there are no credentials to read it with ({_words(error)}): set {keys}")
    if kind == "denied":
        own = type(error).__name__ == "RedirectError"
        hint = "pass the address that it redirects to" if own else f"check the address and the credentials ({keys})"
        return RemoteError(f"{name}: access is denied ({_words(error)}): {hint}", is_denied=True)
    if kind == "passing":
        return RemoteError(
            f"{name}: cannot be read: {_words(error)}; asked {tries} times in {seconds:.0f} s: check the network and "
            f"the server, and try again later ({RETRIES} and {TIMEOUT} set how often and how long)"
        )
    return RemoteError(f"{name}: cannot be read: {_words(error)}; check the address")


def _words(error: BaseException) -> str:
    """What the client says, with the addresses in it as they may be shown."""
    if isinstance(error, TimeoutError) and not str(error):
        return "the server did not answer in time"
    return re.sub(
        r"\w+://[^\s'\"]+", lambda found: shown(found.group()), " ".join(str(error).split()) or first_line(error)
    )


def _refused_host(error: BaseException) -> PrivateHostError | None:
    return next((each for each in _chain(error) if isinstance(each, PrivateHostError)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore
        found: object = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = getattr(error, "status", None) or getattr(response, "status_code", None) or getattr(error, "code", None)
    return found if isinstance(found, int) else None


def _code(error: BaseException) -> str | None:
    response = getattr(error, "response", None)
    found = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return found if isinstance(found, str) else None
