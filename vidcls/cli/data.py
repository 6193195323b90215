"""``vidcls data``: commands about a data set before anything is trained on it."""

from __future__ import annotations

from vidcls.errors import ConfigurationError

HELP = """usage: vidcls data COMMAND ...

  check     open every file, and say what is wrong:  vidcls data check FOLDER|CSV|CONFIG|RUN
  browse    one page about a data set:               vidcls data browse FOLDER|CSV|CONFIG|RUN
  prepare   a small copy that loads fast:            vidcls data prepare FOLDER|CSV|CONFIG|RUN OUT

vidcls data COMMAND --help shows a command's options"""
COMMANDS = ("check", "browse", "prepare")


def main(argv: list[str]) -> int:
    """Run the command behind ``vidcls data``; returns the exit status.

    Raises:
        VidclsError: an unknown command, or what the command raises.
    """
    command, rest = (argv[0], argv[1:]) if argv else ("", [])
    if command in ("-h", "--help"):
        print(HELP)
        return 0
    if command == "check":
        from vidcls.cli.data_check import main as check

        return check(rest)
    if command == "browse":
        from vidcls.cli.data_browse import main as browse

        return browse(rest)
    if command == "prepare":
        from vidcls.cli.data_prepare import main as prepare

        return prepare(rest)
    given = f"unknown command {command!r}" if command else "no command is given"
    raise ConfigurationError(f"data: {given}: use vidcls data {'|'.join(COMMANDS)}")
