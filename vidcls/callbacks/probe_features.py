"""The networks of a probe and videos -> the features of each video, from the store or computed now."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from vidcls.clips.settings import InputSettings
from vidcls.console import say
from vidcls.errors import DecodeError, FeatureError, UnreachableError, first_line
from vidcls.features import FeatureKey, FeatureStore, compute_features, default_root
from vidcls.features.encoding import Device
from vidcls.features.key import input_facts
from vidcls.jobs import AllReachable, Pool, is_here, local_pool
from vidcls.layers.weights_digest import weights_digest
from vidcls.loading import VideoDataModule
from vidcls.models.probe import Probe, prefix_of
from vidcls.models.stream_encoder import EncoderPlan
from vidcls.remote.places import Place, is_remote
from vidcls.remote.transfer import upload
from vidcls.remote.whole_files import remove_file
from vidcls.types import Stream, VideoRecord
from vidcls.video import open_video

NAME_OF = {"rgb": "backbone", "flow": "flow_backbone"}  # the argument that names the network of a stream


@dataclass(frozen=True)
class ProbeFeatures:
    """The features of the videos that could be read.

    Args:
        records: these videos.
        tokens: of each ``(V, T, P, D)`` by level, mapped from the store.
        failures: name of each other video, and why.
    """

    records: list[VideoRecord]
    tokens: list[dict[str, Tensor]]
    failures: list[tuple[str, str]]


def probe_features(
    model: Probe,
    data: VideoDataModule,
    records: Sequence[VideoRecord],
    root: Place | None,
    *,
    device: Device = "cpu",
    pool: Pool | None = None,
) -> ProbeFeatures:
    """The features of all levels of all networks of a probe; what the store lacks is computed.

    Args:
        model: says which networks there are.
        data: says how videos are read.
        records: the videos.
        root: of the store; None for one in the cache, by data set.
        device: where the networks run.
        pool: who computes; None for so many processes of this machine as load.

    Raises:
        FeatureError: the store holds something else, values of it are damaged, or the disk lacks room.
    """
    root = default_root(data.dataset.root) if root is None else root
    readable = [record for record in records if record.source not in data.known_bad]
    failures = {r.name: data.known_bad[r.source] for r in records if r.source in data.known_bad}
    if data.bad_videos == "error":  # told in seconds, not after all features
        failures |= _not_opened(readable, data)
        if failures:
            return ProbeFeatures([], [], sorted(failures.items()))
    stores: list[tuple[Stream, FeatureStore]] = []
    for stream in model.streams:
        settings = _of_stream(data.input_settings, stream)
        store = FeatureStore(root, _key(model, stream, settings))
        stores.append((stream, store))
        if store.missing_of(readable):
            workers = pool or local_pool(data.num_workers)
            failures |= _compute(model, data, stream, store, settings, readable, device=device, pool=workers)
    kept = [record for record in records if record.name not in failures]
    tokens: list[dict[str, Tensor]] = []
    for record in kept:
        found: dict[str, Tensor] = {}
        for stream, store in stores:
            found |= {
                prefix_of(stream) + level: value for level, value in store.read(record, check_values=True).items()
            }
        tokens.append(found)
    return ProbeFeatures(kept, tokens, sorted(failures.items()))


def _not_opened(records: Sequence[VideoRecord], data: VideoDataModule) -> dict[str, str]:
    """The files that no decoder opens, with the reasons; what is wrong further on in a file, reading it tells."""
    found: dict[str, str] = {}
    for record in records:
        try:
            with open_video(record.source, data.input_settings.decoder):
                pass
        except UnreachableError:
            raise
        except DecodeError as error:
            found[record.name] = error.reason
    return found


def _of_stream(settings: InputSettings, stream: Stream) -> InputSettings:
    is_flow = stream.kind == "flow"
    return replace(settings, streams=(stream,), flow_settings=settings.flow_settings if is_flow else None)


def _key(model: Probe, stream: Stream, settings: InputSettings) -> FeatureKey:
    encoder = model.encoders[stream.name]
    fed = "" if encoder.fed_as == "frames" else f" on flow as {encoder.fed_as}"
    bound = f" up to {encoder.bound_px:g}" if encoder.fed_as == "pictures" else ""
    is_joined = encoder.network.input_len is not None and encoder.encoder.num_snippets != model.clip.num_snippets
    joined = " on joined snippets" if is_joined else ""
    levels = model.all_levels[stream.name]
    return FeatureKey(
        backbone=f"{model.hparams[NAME_OF[stream.name]]}{fed}{bound}{joined}",
        weights=weights_digest(encoder.network),
        shapes={level: model.shapes[prefix_of(stream) + level] for level in levels},
        grid=encoder.encoder.grid,
        inputs=input_facts(settings),
        num_views=settings.num_views,
    )


def _compute(
    model: Probe,
    data: VideoDataModule,
    stream: Stream,
    store: FeatureStore,
    settings: InputSettings,
    records: Sequence[VideoRecord],
    *,
    device: Device,
    pool: Pool,
) -> dict[str, str]:
    """Keep what is missing; returns the videos that failed with the reasons."""
    encoder = model.encoders[stream.name]
    with _kept_weights(encoder.network, store, pool) as state_file:
        plan = EncoderPlan(
            backbone=model.hparams[NAME_OF[stream.name]],
            in_channels=encoder.network.input_shape[0],
            levels=model.all_levels[stream.name],
            grid=encoder.encoder.grid,
            num_snippets=encoder.encoder.num_snippets,
            fed_as=encoder.fed_as,
            bound_px=encoder.bound_px,
            state_file=state_file,
            travelling={name: dict(settings) for name, settings in encoder.network.travelling.items()},
        )
        report = compute_features(
            records,
            store,
            plan.build,
            settings,
            pool=AllReachable(pool),
            flow_source=data.flow_source if stream.kind == "flow" else None,
            device=device,
            tell=say,
        )
    return dict(report.failures)


@contextmanager
def _kept_weights(network: nn.Module, store: FeatureStore, pool: Pool) -> Iterator[Place]:
    """A file of the weights where the workers see it, as long as the block lasts.

    Workers on other machines see the store, and not the folder of temporary files of this one.
    """
    is_sent = not is_here(pool) and is_remote(store.folder)
    shared = None
    if not is_here(pool) and isinstance(store.folder, Path):
        store.folder.mkdir(parents=True, exist_ok=True)
        shared = store.folder
    with tempfile.TemporaryDirectory(prefix=".vidcls_probe_", dir=shared) as folder:
        file = Path(folder) / "weights.pt"
        _save_weights(network, file)
        if not is_sent:
            yield file
            return
        place = store.folder / f"{Path(folder).name}.pt"
        upload(file, place)
        try:
            yield place
        finally:
            remove_file(place)


def _save_weights(network: nn.Module, file: Path) -> None:
    try:
        torch.save(network.state_dict(), file)
    except (OSError, RuntimeError) as error:  # PyTorch's writer says RuntimeError where the disk is full
        raise FeatureError(
            f"{file.parent}: the weights of the network, which the processes that compute features need, cannot be "
            f"written there ({first_line(error)}): make room, or name another folder for temporary files as TMPDIR"
        ) from error
