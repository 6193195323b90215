"""What a checkpoint keeps of a classifier: its arguments and, under one key, all else that is needed to use it."""

from __future__ import annotations

import dataclasses

import vidcls
from vidcls.errors import CheckpointError
from vidcls.layers import Backbone
from vidcls.models.checkpoint import FACTS_KEY
from vidcls.models.scored_module import ScoredModule
from vidcls.tasks import task_class
from vidcls.tasks.decision import Decision
from vidcls.types import ClipSettings

FACTS_FORMAT = 1


class CheckpointHooks(ScoredModule):
    """What Lightning asks of a module about a checkpoint."""

    clip: ClipSettings

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Write the model's arguments in plain types, and all else that is needed to use it under one key.

        Raises:
            DivergedError: a loss so far, or a weight, is not finite.
        """
        self.finite.check_losses(self)
        self.finite.check_weights(self)
        checkpoint["hyper_parameters"] = {name: _plain(value) for name, value in self.hparams.items()}
        facts = checkpoint.setdefault(FACTS_KEY, {})
        assert isinstance(facts, dict)
        facts.update(
            format=FACTS_FORMAT,
            version=vidcls.__version__,
            class_path=f"{type(self).__module__}.{type(self).__qualname__}",
            class_names=list(self.class_names),
            task=self.task.name,
            clip=dataclasses.asdict(self.clip),
            input=self.input_settings,
            decision=self.decision.to_dict(),
            backbones=self._travelling(),
        )

    def _travelling(self) -> dict[str, dict[str, object]]:
        """What the backbones need to be built again that no argument says, by the name of the backbone."""
        found: dict[str, dict[str, object]] = {}
        for module in self.modules():
            if isinstance(module, Backbone):
                found |= {name: dict(settings) for name, settings in module.travelling.items()}
        return found

    def on_load_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Refuse a checkpoint whose logits mean other things, and take what was fitted to its scores."""
        facts = checkpoint.get(FACTS_KEY)
        if not isinstance(facts, dict):
            raise CheckpointError(f"the checkpoint has no {FACTS_KEY!r} entry: it was not written by vidcls")
        trained = task_class(facts.get("task")).name
        if trained != self.task.name:
            raise CheckpointError(
                f"the checkpoint has the task {trained}, the model was built for {self.task.name}: build it from "
                "the checkpoint (load_classifier) or for the same task"
            )
        if tuple(facts["class_names"]) != self.class_names:
            raise CheckpointError(
                f"the checkpoint knows the classes {facts['class_names']}, the model was built for "
                f"{list(self.class_names)}: build it from the checkpoint (load_classifier) or with the same names"
            )
        try:
            self.decision = Decision.from_dict(facts.get("decision"))
        except ValueError as error:
            raise CheckpointError(
                f"the checkpoint's decision cannot be used ({error}): use the version of vidcls that wrote it"
            ) from error


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(item) for name, item in dataclasses.asdict(value).items()}
    return list(value) if isinstance(value, tuple) else value
