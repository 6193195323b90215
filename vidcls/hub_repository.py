"""A repository of models on the Hugging Face Hub -> a folder of this machine, and back.

The Hub's own library does both, with its cache (``HF_HOME``), its login (``hf auth login`` or ``HF_TOKEN``) and its
address (``HF_ENDPOINT``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidcls.errors import CheckpointError, ConfigurationError, MissingExtraError, first_line

SCHEME = "hf://"
EXTRA = "hub"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository on the Hub.

    Args:
        name: ``user/model``.
        revision: a branch, a tag or a commit; None for the main branch.
    """

    name: str
    revision: str | None = None

    @classmethod
    def of(cls, text: str) -> Repository:
        """That of ``user/model`` or ``user/model@revision``, with ``hf://`` before it or without.

        Raises:
            ConfigurationError: it is no such name.
        """
        name, _, revision = text.removeprefix(SCHEME).partition("@")
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{text}: is no name on the Hub: expected user/model or user/model@revision")
        return cls(name, revision or None)

    def __str__(self) -> str:
        """Its address."""
        return SCHEME + self.name + (f"@{self.revision}" if self.revision else "")


@dataclass(frozen=True, slots=True)
class HubMetric:
    """One number of a test, as the Hub lists them.

    Args:
        kind: what the Hub calls it, such as ``accuracy``.
        title: what it is called here, such as ``top-1``.
        value: 0 to 1.
        interval: of 95 %; None where there is none.
    """

    kind: str
    title: str
    value: float
    interval: tuple[float, float] | None


def repository_at(address: str) -> Repository | None:
    """The repository that an address names as a whole; None where it names a file in one, or is of another protocol."""
    is_whole = address.startswith(SCHEME) and _NAME.fullmatch(address.removeprefix(SCHEME).partition("@")[0])
    return Repository.of(address) if is_whole else None


def fetched(repository: Repository, names: Sequence[str]) -> Path:
    """The folder, in the Hub's cache, with the files of a repository that have one of these names.

    Args:
        repository: which one.
        names: names and patterns; other files are not fetched.

    Raises:
        CheckpointError: there is no such repository, or the Hub cannot be asked and the cache does not have it.
        MissingExtraError: huggingface_hub is not installed.
    """
    hub = _hub()
    with _errors(str(repository)):
        return Path(
            hub.snapshot_download(
                repository.name,
                revision=repository.revision,
                allow_patterns=list(names),
                endpoint=_endpoint(),
            )
        )


def published(folder: Path, name: str, *, is_private: bool, message: str) -> str:
    """Upload the files of a folder in one commit; returns the address of the commit.

    Args:
        folder: what to upload.
        name: ``user/model``; made where it does not exist.
        is_private: of a repository that is made: nobody else may see it.
        message: of the commit.

    Raises:
        CheckpointError: the Hub cannot be asked, or refuses.
        MissingExtraError: huggingface_hub is not installed.
    """
    api = _hub().HfApi(endpoint=_endpoint())
    with _errors(SCHEME + name):
        api.create_repo(name, private=is_private, exist_ok=True)
        done = api.upload_folder(repo_id=name, folder_path=folder, commit_message=message)
    return str(done.commit_url)


def model_card(
    text: str, *, name: str, licence: str | None, tags: Sequence[str], dataset: str, metrics: Sequence[HubMetric]
) -> str:
    """A model card: the text below what the Hub reads of it, which its library writes and checks.

    Args:
        text: Markdown.
        name: of the model.
        licence: as the Hub names it, such as ``apache-2.0``; None where none is given.
        tags: words by which it is found.
        dataset: what it was tested on.
        metrics: of its test; none where it was not tested.

    Raises:
        ConfigurationError: the library refuses it.
        MissingExtraError: huggingface_hub is not installed.
    """
    hub = _hub()
    results = [
        hub.EvalResult(
            task_type="video-classification",
            dataset_type="video",
            dataset_name=dataset,
            dataset_split="test",
            metric_type=metric.kind,
            metric_name=metric.title,
            metric_value=round(metric.value, 4),
            metric_args=_interval(metric),
        )
        for metric in metrics
    ]
    try:
        data = hub.ModelCardData(
            license=licence,
            library_name="vidcls",
            pipeline_tag="video-classification",
            tags=list(tags),
            model_name=name,
            eval_results=results or None,
        )
        card = hub.ModelCard(f"---\n{data.to_yaml()}\n---\n\n{text}")
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{name}: the model card is not valid: {first_line(error)}") from error
    return str(card)


def _interval(metric: HubMetric) -> Mapping[str, object] | None:
    if metric.interval is None:
        return None
    return {"confidence": 0.95, "low": round(metric.interval[0], 4), "high": round(metric.interval[1], 4)}


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError(f"the Hub needs huggingface_hub: pip install 'vidcls[{EXTRA}]'") from error
    return huggingface_hub


@contextmanager
def _errors(place: str) -> Iterator[None]:
    """What the Hub's library raises in the block is one line that names the repository."""
    from huggingface_hub.errors import GatedRepoError, HTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except GatedRepoError as error:
        raise CheckpointError(
            f"{place}: its owner has to let you in: ask on its page, and log in (hf auth login)"
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{place}: there is no such repository, or it is private: check the name, and log in (hf auth login)"
        ) from error
    except RevisionNotFoundError as error:
        raise CheckpointError(f"{place}: it has no such revision: check what follows @") from error
    except (HTTPError, OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{place}: the Hub cannot be asked: {first_line(error)}") from error
