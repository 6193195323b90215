"""One look at each thing that vidcls stands on -> what was found, and the command that mends it."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from vidcls.cli.address_checks import check_addresses
from vidcls.cli.health_extras import check_extras
from vidcls.cli.health_finding import Finding, Status
from vidcls.cli.install_hints import install_hint, installed
from vidcls.cli.moving_square import NUM_FRAMES, STEP_PX, moving_square
from vidcls.files import cache_folder

# Module, the packages that bring it, and whether vidcls can do without. Decoders are only tried by decoding.
_PACKAGES: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("numpy", ("numpy",), False),
    ("torch", ("torch",), False),
    ("torchvision", ("torchvision",), False),
    ("lightning", ("lightning",), False),
    ("torchmetrics", ("torchmetrics",), False),
    ("jsonargparse", ("jsonargparse",), False),
    ("cv2", ("opencv-python", "opencv-contrib-python", "opencv-python-headless"), False),
    ("sklearn", ("scikit-learn",), False),
    ("matplotlib", ("matplotlib",), False),
    ("wandb", ("wandb",), True),
)
_DECODER_PACKAGES = {"decord": ("decord2", "decord"), "pyav": ("av",), "torchcodec": ("torchcodec",)}
_OPTIONAL_DECODERS = ("torchcodec",)
_MALICIOUS_LIGHTNING = ("2.6.2", "2.6.3")
_GB = 1e9
_LITTLE_DISK_BYTES = 2 * _GB
_LITTLE_SHARED_MEMORY_BYTES = 1 * _GB


def all_findings() -> Iterator[Finding]:
    """Run every check; one that breaks is a finding and stops no other."""
    for group, check in CHECKS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield from check()
            except Exception as error:  # noqa: BLE001 - a broken installation may fail in any way, and must be told
                yield _broken(group, group, error, is_optional=False)


def check_python() -> Iterator[Finding]:
    """The version of Python."""
    fits = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{platform.python_version()} at {sys.executable}, {platform.platform(terse=True)}"
    yield Finding("python", "python", "ok" if fits else "fail", detail, "" if fits else "use Python 3.11, 3.12 or 3.13")


def check_packages() -> Iterator[Finding]:
    """What is needed, and the extra that comes with it."""
    for module, packages, is_optional in _PACKAGES:
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - as above: an import runs a stranger's code
            yield _broken("packages", packages[0], error, is_optional=is_optional, packages=packages)
            continue
        name, number = installed(packages) or (module, "of unknown version")
        if name == "lightning" and number in _MALICIOUS_LIGHTNING:
            detail, fix = f"{number}: this release was malicious", f"{sys.executable} -m pip install -U lightning"
            yield Finding("packages", name, "fail", f"{detail}; renew every password that this machine holds", fix)
        else:
            yield Finding("packages", name, "ok", number)
    if installed(("decord",)) and installed(("decord2",)):
        fix = f"{sys.executable} -m pip uninstall -y decord decord2 && {sys.executable} -m pip install decord2"
        yield Finding(
            "packages", "decord", "fail", "decord and decord2 are both installed and overwrite each other", fix
        )


def check_devices() -> Iterator[Finding]:
    """The GPUs, and what they need."""
    import torch

    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("devices", "cpu", "ok", f"{num_cores} cores, {torch.get_num_threads()} threads")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        torch.zeros(1, device=f"cuda:{index}")
        detail = f"{properties.name}, {properties.total_memory / _GB:.0f} GB, CUDA {torch.version.cuda}"
        yield Finding("devices", f"cuda:{index}", "ok", detail)
    if not torch.cuda.is_available():
        if shutil.which("nvidia-smi"):
            fix = "update the NVIDIA driver, or install a torch for it: https://pytorch.org/get-started/locally/"
            yield Finding("devices", "cuda", "note", "nvidia-smi is here, but torch cannot use the GPU", fix)
        else:
            yield Finding("devices", "cuda", "note", "no NVIDIA GPU: networks run on the CPU")
    if torch.backends.mps.is_available():
        yield Finding("devices", "mps", "ok", "Apple GPU, for training with --trainer.accelerator mps")


def check_decoders() -> Iterator[Finding]:
    """Write a small video and read it back by each decoder."""
    from vidcls.video import BACKENDS, open_video, write_video

    frames = moving_square()
    with tempfile.TemporaryDirectory(prefix="vidcls-doctor-") as folder:
        video_path = Path(folder) / "square.mp4"
        write_video(video_path, frames)
        for backend in BACKENDS:
            packages = _DECODER_PACKAGES[backend]
            try:
                with open_video(video_path, backend) as video:
                    off_by = (video.frames(range(NUM_FRAMES)).float() - frames.float()).abs().mean().item()
            except Exception as error:  # noqa: BLE001 - as above
                is_optional = backend in _OPTIONAL_DECODERS
                yield _broken("decoders", backend, error, is_optional=is_optional, packages=packages)
                continue
            works = off_by < 8  # of 255: what H.264 leaves of a sharp square
            detail = " ".join(installed(packages) or (backend,)) + (
                "" if works else f" gives wrong frames (off by {off_by:.0f})"
            )
            yield Finding("decoders", backend, "ok" if works else "fail", detail)


def check_flow() -> Iterator[Finding]:
    """Ask each method for the motion of a square whose motion is known."""
    from vidcls.errors import MissingExtraError
    from vidcls.flow import estimate
    from vidcls.flow.settings import COMPUTED_METHODS

    for method in COMPUTED_METHODS:
        if method == "raft":
            yield _raft_weights()
            continue
        try:
            fields = estimate(moving_square()[:2], method)  # (1, 2, H, W)
        except MissingExtraError as error:
            yield Finding("flow", method, "note", "not installed", str(error).partition("run `")[2].partition("`")[0])
            continue
        except Exception as error:  # noqa: BLE001 - as above
            yield _broken("flow", method, error, is_optional=method != "dis", packages=("opencv-python",))
            continue
        found_px = fields[0, 0, 22:42, 25:41].median().item()
        works = abs(found_px - STEP_PX) < 0.5
        yield Finding("flow", method, "ok" if works else "fail", f"sees a motion of {STEP_PX} px as {found_px:.2f} px")


def _raft_weights() -> Finding:
    import torch
    from torchvision.models.optical_flow import Raft_Small_Weights

    name = Raft_Small_Weights.DEFAULT.url.rpartition("/")[2]
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    return Finding(
        "flow", "raft", "ok", f"weights {'at' if file.is_file() else 'will be downloaded at first use to'} {file}"
    )


def check_folders() -> Iterator[Finding]:
    """The folders that are written to."""
    cache = cache_folder()
    for name, folder, fix in (
        ("cache", cache, "set XDG_CACHE_HOME to a folder that you may write to"),
        ("current folder", Path.cwd(), "runs are written here: go elsewhere, or pass --trainer.default_root_dir"),
        ("temporary", Path(tempfile.gettempdir()), "set TMPDIR to a folder that you may write to"),
    ):
        existing = next(place for place in (folder, *folder.parents) if place.is_dir())
        try:
            with tempfile.TemporaryFile(dir=existing):
                free_bytes = shutil.disk_usage(existing).free
        except OSError as error:
            yield Finding("folders", name, "fail", f"{folder}: {error.strerror}", fix)
            continue
        is_little = free_bytes < _LITTLE_DISK_BYTES
        detail, fix = f"{folder}, {free_bytes / _GB:.1f} GB free", "make room on this disk" if is_little else ""
        yield Finding("folders", name, "note" if is_little else "ok", detail, fix)
    shared_memory = Path("/dev/shm")
    if shared_memory.is_dir():
        free_bytes = shutil.disk_usage(shared_memory).free
        is_little = free_bytes < _LITTLE_SHARED_MEMORY_BYTES
        fix = "docker run --shm-size=2g, or --data.num_workers 0: loader workers need it" if is_little else ""
        status: Status = "note" if is_little else "ok"
        yield Finding("folders", "shared memory", status, f"{shared_memory}, {free_bytes / _GB:.1f} GB free", fix)


def check_configs() -> Iterator[Finding]:
    """The shipped configurations."""
    from vidcls.cli.shipped_configs import configs_folder

    folder = configs_folder()
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if names:
        yield Finding("configurations", "configs", "ok", f"{', '.join(names)} in {folder}")
    else:
        yield Finding("configurations", "configs", "fail", f"none in {folder}", "install vidcls again")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": check_python,
    "packages": check_packages,
    "extras": check_extras,
    "devices": check_devices,
    "decoders": check_decoders,
    "flow": check_flow,
    "folders": check_folders,
    "addresses": check_addresses,
    "configurations": check_configs,
}


def _broken(group: str, name: str, error: Exception, *, is_optional: bool, packages: tuple[str, ...] = ()) -> Finding:
    reason = (str(error).strip().splitlines() or [""])[0]
    detail = "not installed" if packages and not installed(packages) else f"{type(error).__name__}: {reason}"
    return Finding(group, name, "note" if is_optional else "fail", detail, install_hint(error, packages))
