"""The words of a command -> which protocols it may read, and the words without that option."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from vidcls.errors import ConfigurationError
from vidcls.remote.addresses import NAMES, PROTOCOLS, STREAMS, is_address, is_signed, protocol_of, shown
from vidcls.remote.cache_room import limit_bytes
from vidcls.remote.limits import limits
from vidcls.remote.permission import OPTION, allow_remote
from vidcls.remote.places import is_spoilt

OUTPUT = ("--output", "-o")
WRITTEN_HERE = (*OUTPUT, "--run", "--run_dir", "--overlay", "--fix_list", "--cache", "--trainer.default_root_dir")
WRITES_TO_ADDRESSES = ("flow",)  # by --output
READS_SIGNED = ("predict", "explain")  # they write no settings down


def take_remote_option(arguments: Sequence[str]) -> list[str]:
    """Allow what ``--allow-remote s3 https`` names; it may stand anywhere behind a command.

    Args:
        arguments: all words, the command first.

    Returns:
        the words without the option and its protocols.

    Raises:
        ConfigurationError: it names no protocol, or one that is not known; or an address with a password or a
            signature is typed where it would be written into the files of a run.
        MissingExtraError: a package for it is not installed.
    """
    kept: list[str] = []
    protocols: list[str] = []
    waiting = [*arguments][::-1]
    while waiting:
        word = waiting.pop()
        option, equals, value = word.partition("=")
        if option != OPTION:
            kept.append(word)
            continue
        found = value.replace(",", " ").split() if equals else []
        while not equals and waiting and (_is_protocol(waiting[-1]) or (not found and _is_name(waiting[-1]))):
            found.append(waiting.pop())
        if not found:
            raise ConfigurationError(f"{OPTION}: expected one or more of {', '.join([*NAMES, *STREAMS])}")
        protocols += found
    if protocols:
        allow_remote(*protocols)
        limits()
        limit_bytes()  # an invalid limit is reported before the first video
    for word in kept:
        _check_secrets(word, kept[0])
    _check_outputs(kept)
    return kept


def _check_outputs(words: Sequence[str]) -> None:
    """Refuse an address where a command writes to this machine alone, which would be a folder called ``s3:``."""
    takes_output = " ".join(words[:1]) in WRITES_TO_ADDRESSES
    for word, behind in pairwise([*words, ""]):
        option, equals, value = word.partition("=")
        if option not in WRITTEN_HERE or (takes_output and option in OUTPUT):
            continue
        value = value if equals else behind
        if is_address(value) or is_spoilt(value):
            hint = "; --copy_run copies a run to an address" if option.startswith("--run") else ""
            raise ConfigurationError(f"{option} {shown(value)}: is written on this machine alone: pass a path{hint}")
    if words[:1] == ["pack"] and (bad := next((word for word in words[1:3] if is_address(word)), None)):
        raise ConfigurationError(f"{shown(bad)}: is packed on this machine alone: pass a path")
    if words[:1] == ["export"] and (bad := next((word for word in words[2:3] if is_address(word)), None)):
        raise ConfigurationError(f"{shown(bad)}: is written on this machine alone: pass a path")


def _is_protocol(word: str) -> bool:
    return word.lower() in PROTOCOLS or word.lower() in STREAMS


def _is_name(word: str) -> bool:
    """Whether a word behind the option is meant as a protocol: a wrong one is to be said, not taken for a video."""
    return word.isalnum() and not word.isdecimal()


def _check_secrets(word: str, command: str) -> None:
    address = word.partition("=")[2] if word.startswith("--") and "=" in word else word
    if not is_address(address) or not address.lower().startswith(("http://", "https://")):
        return
    protocol_of(address)
    if is_signed(address) and command not in READS_SIGNED:
        raise ConfigurationError(
            f"{shown(address)}: is a signed address, which this command would write into files: list the videos in a "
            "csv file, whose signed addresses are written nowhere"
        )
