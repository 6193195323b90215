"""``vidcls data export``: the labels of a data set -> files that label tools import."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser
from vidcls.cli.data_source import SOURCE, SOURCE_HELP, check_source, data_of
from vidcls.console import say
from vidcls.errors import ConfigurationError

FORMATS = ("cvat", "fiftyone", "fiftyone_tree")
DESCRIPTION = """The labels of a data set in the format of a label tool, to look at them there and to correct them.

  vidcls data export clips.csv labels --format cvat             labels/VIDEO.xml, "CVAT for video 1.1"
  vidcls data export clips.csv labels --format fiftyone         a FiftyOneTemporalDetectionDataset
  vidcls data export my_videos tree --format fiftyone_tree      a VideoClassificationDirectoryTree

Each video is opened for the time stamps of its frames, which these tools count. Videos stay where they are; a tree has
links to them, or copies on another disk. What was written is a data set itself (--data cvat, --data fiftyone)."""


def main(argv: list[str]) -> int:
    """Write the files; returns the exit status.

    Raises:
        VidclsError: bad options, no such data set, a folder with something in it, or a part that is not in its video.
    """
    options, others = _parsed(argv)
    output: Path = options.output
    source = Path(options.source)
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise ConfigurationError(
            f"OUT {output}: lies inside the data set {source}, which would then hold a folder that is none of it: pass "
            "a place outside"
        )
    from vidcls.datasets.label_writers import write_cvat, write_directory_tree, write_temporal_detections
    from vidcls.datasets.labelled_videos import labelled_videos
    from vidcls.new_folder import check_new, new_folder
    from vidcls.outputs import check_place, named_output

    check_new(output, option="OUT")
    check_place(output / "labels", [source], option="OUT")
    data = data_of(options.source, None, others)
    data.prepare_data()
    records = list(data.records)
    with named_output(output, option="OUT"), new_folder(output, option="OUT"):
        if options.format == "fiftyone_tree":
            number = write_directory_tree(output, records)
            say(f"wrote {output}: {number} videos in {len(data.class_names)} folders")
            return 0
        videos = list(labelled_videos(records))
        if options.format == "cvat":
            for video in videos:
                write_cvat(output / f"{video.name}.xml", video, data.class_names)
        else:
            write_temporal_detections(output, videos, data.class_names)
    say(f"wrote {output}: {sum(len(video.parts) for video in videos)} labels of {len(videos)} videos")
    return 0


def _parsed(argv: list[str]) -> tuple[Namespace, list[str]]:
    parser = OneLineParser("data export", DESCRIPTION)
    add = parser.add_argument
    add("source", metavar=SOURCE, help=SOURCE_HELP)
    add("output", metavar="OUT", type=Path, help="a new folder")
    add("--format", choices=FORMATS, required=True, help="of which tool")
    options, others = parser.parse_known_args(argv)
    check_source(options.source, None, others)
    return options, others
