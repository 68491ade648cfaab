"""Writes the page of the command line from what `--help` reads: `python docs/command_line.py`."""

from pathlib import Path
from typing import Any

import typer

from mobile_sdk.cli.app import app

PAGE = Path(__file__).parent / "reference" / "command-line.md"
HEAD = """# Command line

`mobile-sdk VERB --help` shows the same on a terminal. Beside its own options every verb takes `--quiet`, which shows
results and errors alone, `--verbose`, which shows every check, layer and figure in tables, `--debug`, which adds a
traceback to an error, and `-h`, `--help`. Options have their values behind a space or `=`. What ends a command is in
[exit codes](exit-codes.md).

| verb | does |
|---|---|
"""


def page() -> str:
    """Returns the page: a table of all verbs, then a section a verb with its arguments, options and examples."""
    group: Any = typer.main.get_command(app)
    verbs = {name: verb for name, verb in group.commands.items() if not verb.hidden}
    rows = "".join(f"| [`{name}`](#{name}) | {_first_line(verb)} |\n" for name, verb in verbs.items())
    return HEAD + rows + "".join(_section(name, verb) for name, verb in verbs.items())


def _section(name: str, verb: Any) -> str:
    examples = [line for line in (verb.epilog or "").splitlines() if line.startswith("mobile-sdk ")]
    block = "\n```\n{}\n```\n".format("\n".join(examples)) if examples else ""
    own = [parameter for parameter in verb.params if parameter.name != "help"]
    rows = "".join(f"| {_name(each)} | {_escaped(_meaning(each))} |\n" for each in own)
    table = f"\n| | |\n|---|---|\n{rows}" if own else ""
    return f"\n## {name}\n{_escaped(_text(verb.help))}\n{block}{table}"


def _name(parameter: Any) -> str:
    value = (parameter.metavar or parameter.type_descriptor.annotation.__name__.upper()).replace("|", "\\|")
    if parameter.param_type_name == "argument":
        return f"`{value}`" if parameter.required else f"`[{value}]`"
    names = ", ".join((*parameter.opts, *parameter.secondary_opts))
    return f"`{names}`" if parameter.is_flag else f"`{names} {value}`"


def _meaning(parameter: Any) -> str:
    text = " ".join((parameter.help or "").split())
    least, most = parameter.min, parameter.max
    if least is not None:
        text += f" {least} to {most}." if most is not None else f" {least} or more."
    elif most is not None:
        text += f" {most} or less."
    is_told = parameter.default in (None, False) or not parameter.show_default or "Default:" in text
    return text if is_told else f"{text} Default: {parameter.default}."


def _first_line(verb: Any) -> str:
    return _escaped(_text(verb.help).partition("\n\n")[0])


def _text(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
