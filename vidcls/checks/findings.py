"""Records and what is known of their files -> what would spoil a training, or might."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vidcls.checks.cache import CheckedVideo
from vidcls.checks.duplicates import duplicate_findings, group_findings
from vidcls.checks.finding import Finding
from vidcls.checks.labels import imbalance, label_typos, lacking_classes
from vidcls.checks.near_duplicates import near_duplicate_findings
from vidcls.checks.parts import num_frames_of, part_findings
from vidcls.checks.unknown_groups import unknown_group_findings
from vidcls.clips.settings import InputSettings
from vidcls.datasets.record_facts import whole_videos
from vidcls.errors import FlowError
from vidcls.flow import FlowSettings, FlowSource
from vidcls.flow.flow_check import flow_fault, flow_saturation
from vidcls.flow.saturation import TOLD_SHARE, Saturation, percent, rounded_up
from vidcls.types import VideoRecord
from vidcls.video.fault import Fault
from vidcls.video.health import Health
from vidcls.video.source import VideoSource
from vidcls.video.source_identity import SourceIdentity

Known = Mapping[VideoSource, CheckedVideo]
UNEVEN_RATES = 1.5  # the highest frame rate is so many times the lowest: one stride is not one time any more
PROBLEM_SHARE = 0.01  # of all flow values cut to the bound: less is good to know, as the usual bound of 20 px has it

FAULTS: dict[Fault, tuple[str, str]] = {
    "missing": ("missing", "put the files back, or remove their lines"),
    "empty": ("empty", "copy or download them again"),
    "no video": ("without a video stream", "remove them"),
    "undecodable": ("not readable by any decoder", "copy or download them again, or remove them"),
    "damaged": ("damaged: frames from some point on cannot be decoded", "copy or download them again, or cut them"),
    "crash": ("crashing the process that reads them", "remove them, or encode them again"),
    "hang": ("not read within the time limit", "set a longer --time_limit; if that does not help, remove them"),
    "unreachable": ("not readable from their server", "check the network and the credentials, and check again"),
}


@dataclass(frozen=True)
class CheckedData:
    """A data set with what is known of its files.

    Args:
        records: every video.
        known: what is known of each file; of a large data set, of those that were looked at.
        settings: what a clip is.
        flow_source: stored flow; None where there is none.
        refusals: why a training would refuse the data set as a whole.
        has_labels: whether labels and splits mean anything; not for a mere heap of files.
        takes_group_pattern: whether the data set has an option for a pattern that finds groups in file names.
    """

    records: Sequence[VideoRecord]
    known: Known
    settings: InputSettings
    flow_source: FlowSource | None = None
    refusals: Sequence[str] = ()
    has_labels: bool = True
    takes_group_pattern: bool = False

    def health(self, record: VideoRecord) -> Health:
        """What was found out about the file of a record."""
        return self.known[record.source].health

    @property
    def examined(self) -> list[VideoRecord]:
        """The videos of whose files something is known."""
        return [record for record in self.records if record.source in self.known]

    @property
    def sound(self) -> list[VideoRecord]:
        """The videos of which every frame can be had."""
        return [record for record in self.examined if not self.health(record).fault]

    @property
    def files(self) -> Sequence[VideoRecord]:
        """The whole videos of whose files something is known, each once."""
        return whole_videos(self.examined)

    @property
    def sound_files(self) -> Sequence[VideoRecord]:
        """Those of them of which every frame can be had."""
        return whole_videos(self.sound)


def findings(data: CheckedData) -> list[Finding]:
    """What was found, problems first."""
    found = [*_faults(data), *_pictures(data), *part_findings(data.sound, data.known), *_short(data), *_flow(data)]
    found += duplicate_findings(data.examined, data.known)
    if data.has_labels:
        found += near_duplicate_findings(data.examined, data.known)
        found += unknown_group_findings(data.records, takes_pattern=data.takes_group_pattern)
        found += [*group_findings(data.records), *label_typos(data.records), *lacking_classes(data.records)]
        found += imbalance(data.records)
    if data.refusals:
        found.append(Finding("refused", True, "a training refuses this data set as it is", tuple(data.refusals)))
    found += [*_rates(data), *_notes(data)]
    return sorted(found, key=lambda finding: not finding.is_problem)


def _faults(data: CheckedData) -> Iterator[Finding]:
    for fault, (title, remedy) in FAULTS.items():
        lines = [f"{r.name}: {_with_count(data.health(r))}" for r in data.files if data.health(r).fault == fault]
        yield from _finding(fault, True, title, lines, remedy)


def _with_count(health: Health) -> str:
    if health.fault != "damaged":
        return health.reason
    return f"{health.num_readable} of {health.num_promised} frames can be had; {health.reason}"


def _pictures(data: CheckedData) -> Iterator[Finding]:
    healths = [(r.name, data.health(r)) for r in data.sound_files]
    cut = [f"{n}: {h.num_frames} frames of the {h.num_promised} stated" for n, h in healths if h.is_cut_off]
    yield from _finding("truncated", True, "cut off, though what is left can be read", cut, "copy them again")
    black = [f"{n}: {h.num_frames} frames" for n, h in healths if h.is_black]
    yield from _finding("black", True, "black from beginning to end", black, "remove them")
    frozen = [f"{n}: {h.num_frames} frames" for n, h in healths if h.is_frozen and not h.is_black]
    yield from _finding("frozen", True, "frozen: every frame is the same picture", frozen, "look at them")


def _short(data: CheckedData) -> Iterator[Finding]:
    policy = data.settings.short_videos
    lines = []
    for record in data.sound:
        health = data.health(record)
        span, num_frames = data.settings.span_frames(health.fps), num_frames_of(record.part, health)
        if 0 < num_frames < span:
            lines.append(f"{record.name}: {num_frames} frames, {data.settings.span_text(str(span))}")
    remedy = f"short_videos: {policy} decides what stands in the place of the frames they lack; or shorten the clips"
    yield from _finding("short", policy == "error", "shorter than a clip", lines, remedy)


def _flow(data: CheckedData) -> Iterator[Finding]:
    if data.flow_source is None:
        return
    lines: dict[str, list[str]] = {"missing": [], "stale": []}
    cut: list[tuple[str, Saturation]] = []
    for record in data.sound_files:
        checked = data.known[record.source]
        identity = SourceIdentity(checked.num_bytes, checked.source_digest)
        fault = flow_fault(data.flow_source, record, identity=identity, num_frames=checked.health.num_frames)
        if fault is not None:
            lines[fault.kind].append(f"{record.name}: {fault.reason}")
            continue
        try:
            cut.append((record.name, flow_saturation(data.flow_source, record)))
        except FlowError as error:  # only its fields are damaged, which nothing else here reads
            lines["stale"].append(f"{record.name}: {error}")
    remedy = "run scripts/precompute_flow.py on the data set again"
    yield from _finding("flow missing", True, "without stored flow", lines["missing"], remedy)
    yield from _finding("flow stale", True, "with stored flow that is not theirs, or damaged", lines["stale"], remedy)
    yield from _saturated(cut, data.flow_source.settings)


def _saturated(counted: Sequence[tuple[str, Saturation]], settings: FlowSettings) -> Iterator[Finding]:
    """Videos of which the bound cuts more than 0.1 %, most first; a problem where it is more than 1 % of all."""
    high = sorted((pair for pair in counted if pair[1].is_high), key=lambda pair: (-pair[1].share, pair[0]))
    whole = sum((found for _, found in counted), Saturation())
    lines = [f"{name}: {found.describe(settings.bound_px)}" for name, found in high]
    title = f"with more than {percent(TOLD_SHARE)} of their flow cut to the bound ({percent(whole.share)} of all flow)"
    advised = whole.advised_bound(settings.bound_px) if whole.is_high else None
    larger = "a larger bound" if advised is None else f"a bound of {rounded_up(advised):g} px or more"
    program = "the program that made it" if settings.method == "imported" else "scripts/precompute_flow.py"
    remedy = f"motion beyond the bound looks slower than it is: where it matters, run {program} again with {larger}"
    yield from _finding("flow cut", whole.share > PROBLEM_SHARE, title, lines, remedy)


def _rates(data: CheckedData) -> Iterator[Finding]:
    healths = [(record.name, data.health(record)) for record in data.sound_files]
    timeless = [name for name, health in healths if health.fps <= 0]
    remedy = "nothing in seconds can be said of them"
    yield from _finding("no rate", False, "without a frame rate", timeless, remedy)
    rates = sorted({round(health.fps, 1) for _, health in healths if health.fps > 0})
    if len(rates) > 1 and rates[-1] >= UNEVEN_RATES * rates[0] and data.settings.stride_seconds is None:
        line = f"from {rates[0]:g} to {rates[-1]:g} frames per second"
        remedy = "data.stride_seconds in place of data.stride keeps time even"
        yield Finding("uneven rates", False, "the frame rates are uneven", (line,), remedy)


def _notes(data: CheckedData) -> Iterator[Finding]:
    healths = [(r.name, data.health(r)) for r in data.sound_files]
    uneven = [f"{n}: {h.fps:.4g} frames per second on average" for n, h in healths if h.is_variable_rate]
    remedy = "clips of a fixed stride see time stretched in them; frames are numbered, not timed"
    yield from _finding("variable rate", False, "of a variable frame rate", uneven, remedy)
    rotated = [f"{n}: {h.rotation} degrees" for n, h in healths if h.rotation]
    yield from _finding("rotated", False, "with a rotation tag, which is heeded", rotated)
    fallen = [f"{n}: {h.decoder}" for n, h in healths if h.decoder not in ("decord", "jpeg", data.settings.decoder)]
    yield from _finding("fallback", False, "read by another decoder than the first", fallen, "they load more slowly")
    unread = [f"{n}: {h.num_unread} of {h.num_frames} frames" for n, h in healths if h.num_unread]
    remedy = "set a longer --time_limit to have all of it read"
    yield from _finding("long", False, "too long to be read whole in the time allowed", unread, remedy)


def _finding(kind: str, is_problem: bool, title: str, lines: Iterable[str], remedy: str = "") -> Iterator[Finding]:
    lines = tuple(lines)
    if lines:
        yield Finding(
            kind, is_problem, f"{len(lines)} {'video' if len(lines) == 1 else 'videos'} {title}", lines, remedy
        )
