"""One tree of errors that the world can cause; every one reaches the user as a single line and exit status 2."""


class VidclsError(Exception):
    """Something outside the program is wrong: a file, a data set, a checkpoint, a missing package.

    The message is one line that says what was expected, what was found, where, and what to do.
    Wrong arguments to a function raise ``ValueError`` instead.
    """


class DecodeError(VidclsError):
    """A video could not be opened or its frames could not be read; the message names the file and each reason."""


class DatasetError(VidclsError):
    """A data set contradicts itself or its files; the message names the file and, where there is one, the line."""


class FlowError(VidclsError):
    """Optical flow is missing, unreadable, or was made with other settings or from another video."""


class MissingFlowError(FlowError):
    """A store has no flow of one video, as where the precomputation could not read it; the message names the video."""


class LoaderError(VidclsError):
    """Processes that load videos died, and no video can be named."""


class CheckpointError(VidclsError):
    """A checkpoint is missing, of another kind, unsafe to load, or contradicts what was asked of it."""


class DivergedError(VidclsError):
    """A training has left the finite numbers; the message says at which step, and what to try."""


class ConfigurationError(VidclsError):
    """Settings that are each allowed but contradict each other or the data."""


class FolderInUseError(VidclsError):
    """Another process is writing to the folder; the message names the process, its host and its command."""


class MissingExtraError(VidclsError):
    """An optional package or system library is not installed; the message gives the command that installs it."""
