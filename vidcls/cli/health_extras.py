"""The extras of the package -> which of them are installed, and what each is for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from packaging.requirements import Requirement

from vidcls.cli.health_finding import Finding
from vidcls.cli.install_hints import installed

PURPOSES: dict[str, str] = {
    "export": "vidcls export to ONNX and .pt2",
    "runtime": "predictions from .onnx files",
    "serve": "vidcls serve, and its page",
    "sweep": "vidcls sweep",
    "ray": "--engine ray",
    "remote": "videos at s3://, gs:// and other addresses",
    "hub": "vidcls push and pull",
    "imagenet": "EfficientNet-Lite with weights from ImageNet",
    "timm": "networks of timm",
    "transformers": "networks of transformers",
    "tensorboard": "--trainer tensorboard",
    "mlflow": "--trainer mlflow",
}
"""What users install them for; extras that are not listed are not looked at."""


def check_extras() -> Iterator[Finding]:
    """The packages of each extra, by their versions; none of them is imported."""
    try:
        wanted = [Requirement(line) for line in requires("vidcls") or []]
    except PackageNotFoundError:  # run from its source without an installation
        return
    for extra, purpose in PURPOSES.items():
        needed = [one for one in wanted if one.marker is not None and one.marker.evaluate({"extra": extra})]
        needed = [one for one in needed if not one.marker.evaluate({"extra": ""})]  # type: ignore[union-attr]
        found = {one.name: installed((one.name,)) for one in needed}
        lacking = [
            f"{one.name} {one.specifier}".strip()
            for one in needed
            if (has := found[one.name]) is None or not one.specifier.contains(has[1], prereleases=True)
        ]
        if lacking:
            detail = f"{purpose}: needs {', '.join(lacking)}"
            yield Finding("extras", extra, "note", detail, f"{sys.executable} -m pip install 'vidcls[{extra}]'")
        else:
            numbers = ", ".join(" ".join(has) for has in found.values() if has)
            yield Finding("extras", extra, "ok", f"{purpose} ({numbers})")
