"""How a command is made: its options declared once, as attributes of a class, and read into it.

A class below `Options` is the table of a command's options; its object is what the command is
given. Typer parses the command line by the signature that `command` makes of the table.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import typer

from reo_cli.cli.pages import Command, Group
from reo_cli.cli.parsing import usage
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.guard import ENDPOINT
from reo_cli.settings.table import BY_KEY

Read = Callable[[str, Any], Any]
"""From the name of an option and what was typed to its value; raises ReoError 2."""


Offers = Callable[[str], list[tuple[str, str]]]
"""From the start of a value to values that begin so, each with a few words on it."""


class Declared(NamedTuple):
    """One option or argument; `names` is empty for an argument."""

    section: str
    names: tuple[str, ...]
    metavar: str
    help: str
    default: Any
    read: Read | None
    choices: Sequence[str]
    many: bool
    offers: Offers | None

    def parameter(self, name: str) -> inspect.Parameter:
        """Return it as Typer takes it."""
        kind: Any = str
        if self.choices:
            kind = Literal[tuple(self.choices)]
        if self.many:
            kind = list[str]
        elif not self.metavar:
            kind = bool
        if self.default is not ...:
            kind = kind | None
        make: Any = typer.Option if self.names else typer.Argument
        info = make(
            self.default if self.default is ... else None,
            *self.names,
            metavar=self.metavar or None,
            help=" ".join([self.help, *self._known(name)]),
            show_default=False,
            rich_help_panel=self.section,
            autocompletion=self.offers,
        )
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, keyword, default=info, annotation=kind)

    def _known(self, name: str) -> list[str]:
        """Return the variable and the default of it, as help has them."""
        setting = BY_KEY.get(name)
        if setting and setting.flag not in self.names:
            setting = None
        default = setting.default_text if setting else self.default if self.names else ""
        if default == ENDPOINT:
            default = "the API"
        variable = [f"[env: {setting.variable}]"] if setting else []
        return [*variable, f"[default: {default}]"] if default else variable

    def value(self, typed: Any) -> Any:
        """Return what was typed, else the default, as the program takes it; raises ReoError 2."""
        text = self.default if typed is None else typed
        if self.choices and text is not None and text not in self.choices:
            raise usage(self.names[0], str(text), "is unknown", f"one of {', '.join(self.choices)}")
        if self.read is None or text is None:
            return text
        return self.read(self.names[0] if self.names else self.metavar, text)


def option(
    section: str,
    usage: str,
    help: str,  # noqa: A002 - Typer's word
    *,
    default: Any = None,
    read: Read | None = None,
    choices: Sequence[str] = (),
    many: bool = False,
    offers: Offers | None = None,
) -> Any:
    """Declare an option as an attribute of a class below `Options`.

    `usage` is its names, the long one first, and what stands for its value: `--encoding NAME`.
    Without that it is a flag; with `many` it may be repeated. The value is one of `choices`, or
    what `read` makes of the text; `offers` lists values at a TAB. The help names the default, and
    the variable of an option that is a setting too.
    """
    words = usage.split()
    names = tuple(word for word in words if word.startswith("-"))
    metavar = "" if len(names) == len(words) else words[-1]
    default = default if metavar else False
    return Declared(section, names, metavar, help, default, read, choices, many, offers)


def argument(
    metavar: str,
    help: str,  # noqa: A002 - Typer's word
    *,
    default: Any = ...,
    read: Read | None = None,
    many: bool = False,
    offers: Offers | None = None,
) -> Any:
    """Declare an argument; it is required without a default."""
    return Declared("", (), metavar, help, default, read, (), many, offers)


class Options:
    """The options of a command, as given; what they mean is read when the object is made.

    `typed` has what was typed, by attribute.
    """

    def __init__(self, **given: Any) -> None:
        self.typed = {name: value for name, value in given.items() if value is not None}
        for name, declared in declared_of(type(self)).items():
            setattr(self, name, declared.value(given.get(name)))

    def take(self, profile: Mapping[str, Any], source: str) -> None:
        """Take what a profile says of options, below the command line; lists and tables are joined.

        Raises ReoError 78 for a value that the option does not take.
        """
        for name, declared in declared_of(type(self)).items():
            own, typed = profile.get(name), self.typed.get(name)
            try:
                if isinstance(own, Mapping):
                    setattr(self, name, {**own, **(getattr(self, name) or {})})
                elif own is not None and declared.many:
                    setattr(self, name, declared.value([*own, *(typed or ())]))
                elif own is not None and typed is None:
                    text = own if isinstance(own, str) else ",".join(own)
                    setattr(self, name, declared.value(text))
            except ReoError as error:
                message = f"{error.message} (`{name}` from {source})"
                raise error.changed(exit_code=ExitCode.CONFIG, message=message) from None


def declared_of(options: type[Options]) -> dict[str, Declared]:
    """Return what a class declares, by attribute, behind what its bases declare."""
    found: dict[str, Declared] = {}
    for base in options.__bases__:
        if issubclass(base, Options):
            found |= declared_of(base)
    return found | {name: own for name, own in vars(options).items() if isinstance(own, Declared)}


OptionsT = TypeVar("OptionsT", bound=Options)
Body = Callable[[OptionsT], int | None]


def new_app(**more: Any) -> typer.Typer:
    """Return an app that never draws boxes nor prints locals, whatever the version of Typer."""
    plain: dict[str, Any] = {
        "rich_markup_mode": None,
        "pretty_exceptions_enable": False,
        "add_completion": False,
    }
    return typer.Typer(cls=Group, **plain, **more)


def command(
    app: typer.Typer,
    name: str,
    options: type[OptionsT],
    help: str,  # noqa: A002 - Typer's word
    examples: str = "",
    often: str = "",
) -> Callable[[Body[OptionsT]], Body[OptionsT]]:
    """Add a command to an app: the function is given its options, and returns the exit code.

    `often` are the options of its short page, by attribute.
    """

    def add(body: Body[OptionsT]) -> Body[OptionsT]:
        def run(**typed: Any) -> None:
            code = body(options(**typed))
            if code:
                raise typer.Exit(code)

        parameters = [each.parameter(key) for key, each in declared_of(options).items()]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {}
        page = type("Page", (Command,), {"often": tuple(often.split())})
        app.command(name, cls=page, help=help, epilog=examples)(run)
        return body

    return add
