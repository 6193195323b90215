"""fit, validate and test: LightningCLI with run folders, and with checkpoints whose word counts."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext

from jsonargparse import ArgumentError, Namespace, set_parsing_settings
from jsonargparse.typing import PositiveInt
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import vidcls.datasets  # noqa: F401 - so that data sets can be named without their module
from vidcls.callbacks import StopAtBatch
from vidcls.callbacks.probe_fit import check_processes
from vidcls.cli.accelerator import check_accelerator
from vidcls.cli.agreement import (
    check_against_checkpoint,
    check_against_run,
    check_same_classes,
    check_weights_are_given,
    dataset_of,
)
from vidcls.cli.chosen_dataset import is_dataset_named
from vidcls.cli.config_file import ConfigFile
from vidcls.cli.data_lines import data_lines
from vidcls.cli.engine import ENGINE, ENGINE_HELP, RAY_OPTIONS
from vidcls.cli.library_notes import quiet_libraries
from vidcls.cli.links import add_links, check_linked
from vidcls.cli.messages import own_message, parser_message, refused_by_callback
from vidcls.cli.nodes import check_number, settle_nodes
from vidcls.cli.places import Places
from vidcls.cli.request import Request, read_request
from vidcls.cli.run_callbacks import (
    evaluation_callbacks,
    fit_callbacks,
    progress_callbacks,
    run_loggers,
    with_whole_checkpoints,
)
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError, DivergedError, MissingDataError, VidclsError
from vidcls.hub_models import settings_that_travel
from vidcls.jobs import RayCluster
from vidcls.loading import VideoDataModule
from vidcls.loading.from_config import settle_labels
from vidcls.models import VideoClassifier
from vidcls.models.build import import_model_class
from vidcls.tasks import task_class
from vidcls.trusted_settings import check_settings
from vidcls.types import SPLITS, Split

# Abbreviated, --ckpt_pat would silently start a new training.
PARSER: dict[str, bool] = {"exit_on_error": False, "allow_abbrev": False}
MONITOR = "What the best checkpoint is best at; left out: the main metric of the task, such as val/top1."
# Lightning's command line lets configurations be fetched from anywhere: a file would name an address, and it was asked.
set_parsing_settings(config_read_mode_fsspec_enabled=False)


def run(command: str, words: Words, places: Places | None, *, cluster: dict[str, object] | None = None) -> int:
    """Run ``fit``, ``validate`` or ``test``; returns the exit status.

    Args:
        command: which of them.
        words: behind it.
        places: where it works; None where only help is wanted.
        cluster: where a probe computes features; see :class:`Request`.

    Raises:
        VidclsError: bad input; one line.
    """
    quiet_libraries()
    if places is None:
        VidclsCLI(command, words.arguments, None)
        return 0
    request = read_request(command, words, places)
    request.cluster = cluster
    stop = StopAtBatch()
    try:
        _run(command, request, stop)
    except BaseException as error:
        # A training that diverged had begun: its log shows how.
        request.drop_folder(with_files=isinstance(error, VidclsError) and not isinstance(error, DivergedError))
        if stop.received is not None:  # whatever then failed, such as an exchange with processes that are gone
            raise SystemExit(128 + stop.received) from None
        raise
    finally:
        request.finish()
        request.release()
    return 0


def _run(command: str, request: Request, stop: StopAtBatch) -> None:
    try:
        VidclsCLI(command, request.words.arguments, request, stop)
    except ArgumentError as error:
        raise ConfigurationError(own_message(error) or parser_message(error)) from error
    except MissingDataError as error:
        if request.existing is None or is_dataset_named(request.words):
            raise
        raise MissingDataError(
            f"{str(error).removesuffix('; check the path')}; where the videos of the run lie elsewhere now, pass "
            "--data.dataset.root FOLDER, or --data.dataset.path LIST for a list of them"
        ) from error
    except MisconfigurationException as error:
        raise ConfigurationError(" ".join(str(error).split())) from error
    except (AttributeError, ModuleNotFoundError, RuntimeError) as error:
        refused = refused_by_callback(error)
        if refused is None:
            raise
        raise ConfigurationError(refused) from error
    except ValueError as error:
        refused = refused_by_callback(error)
        if refused is not None:
            raise ConfigurationError(refused) from error
        if "_run_subcommand" in {frame.name for frame in traceback.extract_tb(error.__traceback__)}:
            raise  # in the middle of the work: a mistake of ours, or of the user's own class
        raise ConfigurationError(own_message(error) or parser_message(error)) from error


class VidclsCLI(LightningCLI):
    """Lightning's command line over our models and our data module.

    Args:
        command: ``fit``, ``validate`` or ``test``.
        arguments: what follows the command.
        request: run folder and checkpoint that were asked for; None where only help is wanted.
        stop: ends the run where a signal comes.
    """

    def __init__(
        self, command: str, arguments: Sequence[str], request: Request | None, stop: StopAtBatch | None = None
    ) -> None:
        self.request = request
        self.stop = stop or StopAtBatch()
        super().__init__(
            model_class=VideoClassifier,
            datamodule_class=VideoDataModule,
            subclass_mode_model=True,
            save_config_callback=ConfigFile,
            save_config_kwargs={"root": request.root if request is not None else None},
            trainer_defaults={"use_distributed_sampler": False, "log_every_n_steps": 10, "enable_model_summary": False},
            seed_everything_default=0,
            parser_kwargs=PARSER | dict.fromkeys(self.subcommands(), PARSER),
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=[command, *arguments],
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The commands and the arguments of the trainer's methods that are not the user's to give."""
        hidden = {"model", "datamodule", "weights_only"}
        return {
            "fit": hidden | {"train_dataloaders", "val_dataloaders"},
            "validate": hidden | {"dataloaders", "verbose"},
            "test": hidden | {"dataloaders", "verbose"},
        }

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Our own options, and the links by which data and model tell each other what they know."""
        parser.add_argument("--name", type=str | None, default=None, help="Name of the run; that of the configuration.")
        parser.add_argument("--run", type=str | None, default=None, help="Folder of the run; also --run_dir.")
        parser.add_argument("--monitor", type=str | None, default=None, help=MONITOR)
        parser.add_argument(
            "--save_every_n_steps",
            type=PositiveInt | None,
            default=None,
            help="Save the last checkpoint within epochs too.",
        )
        parser.add_argument("--features", type=str | None, default=None, help="Folder where a probe keeps features.")
        parser.add_argument("--copy_run", type=str | None, default=None, help="Folder or address to copy the run to.")
        if self.request is None:  # for --help; they are taken from the words before these are parsed
            for option, text in {ENGINE: ENGINE_HELP, **RAY_OPTIONS}.items():
                parser.add_argument(option, help=text)
        add_links(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: object) -> None:
        """Parse, and hold what was given against what must not be given."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
            super().parse_arguments(parser, args)  # type: ignore[arg-type]

    def _parse_ckpt_path(self) -> None:
        """Hold the configuration against the checkpoint; Lightning would let one of them win in silence."""
        if self.request is None:
            return
        config = self.config[self.config.subcommand]
        facts = self.request.facts
        settle_nodes(self.request.command, config.trainer)
        check_linked(config.model)
        if facts is None and self.request.command != "fit":
            check_weights_are_given(config.model, self.request.command)
        if facts is not None:
            check_against_checkpoint(facts, config)
            if self.request.existing is not None:
                check_against_run(self.request.existing, config.data, is_named=is_dataset_named(self.request.words))
            model_class = import_model_class(facts)
            for name in model_class.initial_weights:
                if name in config.model.init_args:
                    config.model.init_args[name] = None
            config.data.class_names = list(facts.class_names)
            config.data.task = facts.task
            if facts.input_settings is not None:
                flow = facts.input_settings["flow_settings"]
                config.data.flow_settings = Namespace(flow) if isinstance(flow, Mapping) else None
                if config.data.score is None:
                    config.data.score = facts.input_settings.get("score")  # which version 0.1 did not write
            config.ckpt_path = str(facts.path)
        settle_labels(config.data.task, config.data.dataset)
        config.monitor = config.monitor or f"val/{task_class(config.data.task).main_metric}"
        config.trainer.default_root_dir = str(self.request.folder())

    def before_fit(self) -> None:
        """Say what is trained on; refuse to go on from a checkpoint that knows more classes."""
        assert self.request is not None
        check_processes(self.trainer, self.model)
        if self.request.facts is not None:
            check_same_classes(self.request.facts, self.datamodule.dataset)
        self._say_data(SPLITS)

    def before_validate(self) -> None:
        """Say which videos are scored."""
        self._say_data(("val",))

    def before_test(self) -> None:
        """Say which videos are tested."""
        self._say_data(("test",))

    def _say_data(self, splits: Sequence[Split]) -> None:
        if self.trainer.is_global_zero:
            print("\n".join(data_lines(self.datamodule, splits)), flush=True)

    def instantiate_classes(self) -> None:
        """Make what was parsed; nothing is made where a file names what it must not, or a device that is not there."""
        check_settings(self.config[self.config.subcommand])
        check_accelerator(self.config[self.config.subcommand].trainer.accelerator)
        facts = self.request.facts if self.request is not None else None
        with settings_that_travel(facts.backbone_settings) if facts is not None else nullcontext():
            super().instantiate_classes()

    def instantiate_trainer(self, **kwargs: object) -> Trainer:
        """The trainer with what every run has: csv log, checkpoints, result files."""
        assert self.request is not None
        config, is_fit = self._get(self.config_init, "trainer"), self.subcommand == "fit"
        callbacks = self._fit_callbacks() if is_fit else self._evaluation_callbacks()
        if (place := self._get(self.config, "copy_run")) is not None:
            callbacks.append(self.request.copied_to(place))
        self.trainer_defaults["callbacks"] = [*callbacks, *progress_callbacks(config)]
        if not is_fit:
            kwargs["enable_checkpointing"] = False
        loggers = run_loggers(config.get("logger"), self.request, has_metrics=is_fit)
        plugins = with_whole_checkpoints(config.get("plugins"))
        try:
            trainer = super().instantiate_trainer(logger=loggers, plugins=plugins, **kwargs)
        except RuntimeError as error:  # two callbacks of one class whose states a checkpoint could not tell apart
            raise ConfigurationError(f"trainer.callbacks: {' '.join(str(error).split())}") from error
        check_number(trainer)
        return trainer

    def _fit_callbacks(self) -> list[Callback]:
        assert self.request is not None
        return fit_callbacks(
            self.request.folder(),
            self.stop,
            monitor=self._get(self.config, "monitor"),
            save_every_n_steps=self._get(self.config, "save_every_n_steps"),
            features=self._get(self.config, "features"),
            pool=RayCluster(**cluster) if (cluster := self.request.cluster) is not None else None,  # type: ignore[arg-type]
        )

    def _evaluation_callbacks(self) -> list[Callback]:
        assert self.request is not None
        facts, dataset = self.request.facts, dataset_of(self._get(self.config, "data"))
        checkpoint = facts.path if facts is not None else None
        return evaluation_callbacks(self.request.folder(), self.stop, checkpoint=checkpoint, dataset=dataset)

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, object]:
        kwargs: dict[str, object] = super()._prepare_subcommand_kwargs(subcommand) | {"weights_only": True}
        if subcommand != "fit":
            kwargs["verbose"] = False  # our own table says it
        return kwargs
