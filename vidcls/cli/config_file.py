"""The configuration of a training, resolved -> ``config.yaml`` in the folder of its run."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback

from vidcls.callbacks import MetricsLog
from vidcls.files import write_text
from vidcls.runs.folder import CONFIG_FILE
from vidcls.settings_file import parse_yaml


class ConfigFile(SaveConfigCallback):
    """Writes the resolved configuration into the run folder, and to the loggers that want it."""

    def __init__(self, parser: LightningArgumentParser, config: Namespace, *, root: Path) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self.root = root

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Write ``config.yaml`` for a training; a test leaves that of the training alone."""
        file = Path(trainer.default_root_dir) / CONFIG_FILE
        if stage != "fit" and file.is_file():
            return
        config = self.config.clone()
        config.ckpt_path = None
        config.run = None
        config.trainer.default_root_dir = str(self.root)
        text = self.parser.dump(_with_plain_values(config), skip_none=False)
        write_text(file, text)
        for logger in trainer.loggers:
            if not isinstance(logger, MetricsLog):
                settings = parse_yaml(text)
                assert isinstance(settings, dict)
                logger.log_hyperparams(settings)


def _with_plain_values(config: Namespace) -> Namespace:
    """The same with text for members of enumerations, such as a Timer's interval: the parser writes none where the
    argument is text.
    """

    def plain(value: object) -> object:
        if isinstance(value, Namespace):
            return Namespace({name: plain(item) for name, item in vars(value).items()})
        if isinstance(value, list):
            return [plain(item) for item in value]
        return value.value if isinstance(value, Enum) and isinstance(value, str) else value

    found = plain(config)
    assert isinstance(found, Namespace)
    return found
