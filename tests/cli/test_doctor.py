"""``vidcls doctor``: what it says of an intact installation, and of every kind of broken one."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from vidcls.cli import health_checks, health_extras, install_hints, main
from vidcls.cli.health_checks import Finding, all_findings
from vidcls.errors import DecodeError


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    """What the installation that runs the tests shows."""
    return list(all_findings())


def test_an_intact_installation_is_seen_as_such(findings: list[Finding]) -> None:
    status_of = {(found.group, found.name): found.status for found in findings}
    for group, name in (
        ("python", "python"),
        ("packages", "torch"),
        ("packages", "opencv-python"),
        ("devices", "cpu"),
        ("decoders", "decord"),
        ("decoders", "pyav"),
        ("flow", "dis"),
        ("flow", "farneback"),
        ("folders", "cache"),
    ):
        assert status_of[group, name] == "ok", (group, name)


def test_every_extra_for_users_is_looked_at_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (importlib.metadata.metadata("vidcls").get_all("Provides-Extra")) or []
    for_users = {*lines} - {"dev", "notebook", "torchcodec"}  # the decoders are tried by decoding
    assert {found.name for found in health_extras.check_extras()} == for_users

    def versions(name: str) -> str:
        if name == "optuna":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "onnxruntime" else "1000"

    monkeypatch.setattr(install_hints, "version", versions)
    found = {finding.name: finding for finding in health_extras.check_extras()}
    assert (found["sweep"].status, found["sweep"].detail) == ("note", "vidcls sweep: needs optuna >=5")
    assert found["sweep"].fix.endswith("-m pip install 'vidcls[sweep]'")
    assert "needs onnxruntime >=" in found["runtime"].detail  # too old
    assert found["ray"].status == "ok"
    assert "ray 1000" in found["ray"].detail


def _checks(*found: Finding) -> dict[str, object]:
    return {"group": lambda: iter(found)}


def test_status_1_and_the_command_where_something_required_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Finding("packages", "cv2", "fail", "ImportError: libGL.so.1", "apt-get install -y libgl1")
    monkeypatch.setattr(health_checks, "CHECKS", _checks(broken))
    assert main(["doctor"]) == 1
    assert "cv2: apt-get install -y libgl1" in capsys.readouterr().out


def test_status_0_where_only_what_is_optional_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    optional = Finding("decoders", "torchcodec", "note", "not installed", "pip install torchcodec")
    monkeypatch.setattr(health_checks, "CHECKS", _checks(optional))
    assert main(["doctor"]) == 0
    assert "torchcodec: pip install torchcodec" in capsys.readouterr().out


def test_json_says_the_same(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_checks, "CHECKS", _checks(Finding("a", "b", "fail", "c", "d")))
    assert main(["doctor", "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["ok"] is False
    assert content["findings"] == [{"group": "a", "name": "b", "status": "fail", "detail": "c", "fix": "d"}]


def test_a_check_that_breaks_is_a_finding_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> Iterator[Finding]:
        yield Finding("first", "before", "ok", "")
        raise SystemError("deep trouble")

    after = Finding("second", "after", "ok", "")
    monkeypatch.setattr(health_checks, "CHECKS", {"first": breaks, "second": lambda: iter([after])})
    before, broken, last = all_findings()
    assert (before.name, last) == ("before", after)
    assert (broken.status, broken.detail) == ("fail", "SystemError: deep trouble")


def test_an_import_that_fails_is_told_with_its_remedy_and_the_others_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_import = importlib.import_module

    def without_gl(name: str) -> ModuleType:
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
        return real_import(name)

    monkeypatch.setattr(importlib, "import_module", without_gl)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    found = {finding.name: finding for finding in health_checks.check_packages()}
    assert found["opencv-python"].status == "fail"
    assert found["opencv-python"].fix.endswith("apt-get install -y libgl1 libglib2.0-0")
    assert found["torch"].status == "ok"
    assert found["matplotlib"].status == "ok"


def test_a_decoder_that_cannot_read_is_required_or_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    from vidcls.video import reader

    def refuse(_: Path) -> None:
        raise DecodeError("torchcodec does not find FFmpeg's libraries")

    monkeypatch.setitem(reader.BACKENDS, "torchcodec", refuse)
    monkeypatch.setitem(reader.BACKENDS, "decord", refuse)
    status_of = {finding.name: finding.status for finding in health_checks.check_decoders()}
    assert status_of == {"decord": "fail", "torchcodec": "note", "pyav": "ok"}


@pytest.mark.parametrize(
    ("message", "packages"),
    [
        ("libGL.so.1: cannot open shared object file", "libgl1 libglib2.0-0"),
        ("libgthread-2.0.so.0: cannot open shared object file", "libgl1 libglib2.0-0"),
        ("libSM.so.6: cannot open shared object file", "libsm6"),
        ("libavutil.so.58: cannot open shared object file", "ffmpeg"),
        ("torchcodec does not find FFmpeg's libraries", "ffmpeg"),
    ],
)
def test_a_missing_library_names_the_packages_that_hold_it(
    monkeypatch: pytest.MonkeyPatch, message: str, packages: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apt-get")
    assert install_hints.install_hint(ImportError(message), ("numpy",)).endswith(f"apt-get install -y {packages}")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "platform", "linux")
    expected = f"install what Debian calls {packages}, by your system's package manager"
    assert install_hints.install_hint(ImportError(message), ("numpy",)) == expected
    monkeypatch.setattr(sys, "platform", "darwin")
    on_mac = install_hints.install_hint(ImportError(message), ("numpy",))
    assert on_mac == ("brew install ffmpeg" if packages == "ffmpeg" else expected)


def test_a_package_that_is_not_there_is_to_be_installed_by_this_python() -> None:
    fix = install_hints.install_hint(ModuleNotFoundError("No module named 'no_such'"), ("no-such-package",))
    assert fix.endswith("-m pip install no-such-package")


def test_a_cache_folder_that_cannot_be_written_to_fails_with_how_to_fix_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def read_only(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    cache = next(finding for finding in health_checks.check_folders() if finding.name == "cache")
    assert (cache.status, cache.detail) == ("fail", f"{tmp_path / 'vidcls'}: Permission denied")
    assert "XDG_CACHE_HOME" in cache.fix
