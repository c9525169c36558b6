"""How a command is made: its options declared once, as attributes of a class, and read into it.

A class below `Options` is the table of a command's options; its object is what the command is
given. Typer parses the command line by the parameters in it, and completes it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import typer
import typer.core

from reo_cli.cli.pages import Command
from reo_cli.cli.parsing import Read
from reo_cli.errors import ExitCode, ReoError
from reo_cli.settings.table import BY_KEY, CHOICES

if TYPE_CHECKING:
    from reo_cli.reports import Report, Streams, Talk

Offers = Callable[[str], list[tuple[str, str]]]
"""From the start of a value to values that begin so, each with a few words on it."""


class Declared(NamedTuple):
    """An option or argument of a command, as an attribute of a class below `Options`.

    `line` is what a page of help says of it: its names, the long one first, what stands for its
    value, two blanks, its text; the page adds default and variable. Without a value it is a flag,
    without a name an argument. With `many` it may be repeated. The value is one of `choices`, or
    what `read` makes of what was typed, or of `default`, which is as it would be typed. `offers`
    lists values at a TAB.
    """

    section: str
    line: str
    read: Read | None = None
    default: str | None = None
    choices: Sequence[str] = ()
    many: bool = False
    offers: Offers | None = None
    required: bool = False

    @property
    def words(self) -> list[str]:
        """Return its names, and what stands for its value."""
        return self.line.partition("  ")[0].split()

    @property
    def name(self) -> str:
        """Return what messages call it."""
        return self.words[0]

    @property
    def is_flag(self) -> bool:
        """Tell whether it takes no value."""
        return self.words[-1].startswith("-")

    def parameter(self, key: str) -> Any:
        """Return it as Typer takes it."""
        names = [word for word in self.words if word.startswith("-")]
        metavar, text = None if self.is_flag else self.words[-1], self.line.partition("  ")[2]
        given: dict[str, Any] = {"metavar": metavar, "required": self.required}
        if offers := self.offers:
            given["autocompletion"] = lambda _context, _words, start: offers(start)
        if not names:
            count = -1 if self.many else 1
            return typer.core.TyperArgument(param_decls=[key], nargs=count, help=text, **given)
        choices = self.choices or CHOICES.get(key)
        return typer.core.TyperOption(
            param_decls=[key, *names],
            is_flag=self.is_flag,
            multiple=self.many,
            type=_one_of(choices) if choices else None,
            help=" ".join([text, *self._known(key)]),
            rich_help_panel=self.section,
            **given,
        )

    def _known(self, key: str) -> list[str]:
        """Return what help adds to the text: `Repeatable.`, the variable and the default."""
        setting, default = BY_KEY.get(key), self.default
        known = ["Repeatable."] if self.many else []
        if setting and setting.flag == self.name:
            known.append(f"[env: {setting.variable}]")
            default = "the API" if key == "endpoint" else setting.default_text
        return [*known, f"[default: {default}]"] if default else known

    def value(self, typed: Any) -> Any:
        """Return what was typed, else the default, as the program takes it; raises ReoError 2."""
        absent = () if self.many else False if self.is_flag else self.default
        text = absent if typed is None else typed
        return text if self.read is None or text is None else self.read(self.name, text)


option: Any = Declared
argument: Any = partial(Declared, "Arguments")
"""Declare an attribute, whatever the type of its value: `limit: int | None = option(…)`."""


def _one_of(values: Sequence[str]) -> Any:
    """Return the type of a value that is one of these, as Typer makes it of an annotation."""
    info = typer.models.OptionInfo()
    return typer.main.get_click_type(annotation=Literal[tuple(values)], parameter_info=info)


ReportT = TypeVar("ReportT", bound="Report[Any]")
MadeT = TypeVar("MadeT")


class Options:
    """The options of a command, as given; what they mean is read when the object is made.

    `typed` has what was typed, by attribute. A command that has opened its `report` ends with it,
    also when it fails.
    """

    declared: Mapping[str, Declared] = {}
    output: Any = None
    quiet: bool = False
    verbose: bool = False
    report: "Report[Any] | None" = None

    def __init_subclass__(cls) -> None:
        inherited = [each.declared for each in cls.__bases__ if issubclass(each, Options)]
        own = {key: each for key, each in vars(cls).items() if isinstance(each, Declared)}
        cls.declared = {key: each for table in (*inherited, own) for key, each in table.items()}

    def __init__(self, **given: Any) -> None:
        self.typed = {key: typed for key, typed in given.items() if typed not in (None, False, ())}
        for key, declared in self.declared.items():
            setattr(self, key, declared.value(self.typed.get(key)))

    def open(self) -> "tuple[Streams, Talk]":
        """Return the two streams of the process and the talk on one of them."""
        from reo_cli.reports import Streams, Talk

        streams = Streams.standard()
        return streams, Talk(streams.err, quiet=self.quiet, verbose=self.verbose)

    def reported(self, kind: Callable[..., ReportT], **more: Any) -> ReportT:
        """Open the report of the command."""
        report = kind(self.output, *self.open(), **more)
        self.report = report
        return report

    def take(self, profile: Mapping[str, Any], source: str) -> None:
        """Take what a profile says of options, below the command line; lists and tables are joined.

        Raises ReoError 78 for a value that the option does not take.
        """
        for key, declared in self.declared.items():
            own, typed = profile.get(key), self.typed.get(key)
            if isinstance(own, Mapping):
                setattr(self, key, {**own, **getattr(self, key)})
            elif own is not None and (declared.many or typed is None):
                joined = own if isinstance(own, str) else ",".join(own)
                self.typed[key] = [*own, *(typed or ())] if declared.many else joined
                try:
                    setattr(self, key, declared.value(self.typed[key]))
                except ReoError as error:
                    message = f"{error.message} (`{key}` from {source})"
                    raise error.changed(exit_code=ExitCode.CONFIG, message=message) from None


def filled(kind: Callable[..., MadeT], *sources: object, **own: Any) -> MadeT:
    """Return a value of a class: what is not its `own` is taken from the sources, by name.

    The first of them comes first; what is None everywhere is left to the default of the class.
    """
    for name in kind.__annotations__.keys() - own.keys():
        found = (getattr(source, name, None) for source in sources)
        own[name] = next((each for each in found if each is not None), None)
    return kind(**{name: each for name, each in own.items() if each is not None})


OptionsT = TypeVar("OptionsT", bound=Options)


def command(
    name: str, options: type[OptionsT], text: str, examples: str = "", often: str = ""
) -> Callable[[Callable[[OptionsT], int | None]], Command]:
    """Make a command of a function that is given the options and returns the exit code.

    `text` and `examples` are parts of its page; `often` are the options of the short one, by
    attribute.
    """

    def made(body: Callable[[OptionsT], int | None]) -> Command:
        def run(**typed: Any) -> None:
            given = options(**typed)
            try:
                code = body(given)
            except ReoError as error:
                if given.report is None or error.exit_code is ExitCode.USAGE:
                    raise
                code = given.report.failed(error)
            raise typer.Exit(code or 0)

        parameters = [each.parameter(key) for key, each in options.declared.items()]
        page = {"help": text, "epilog": examples, "often": often.split()}
        return Command(name, params=parameters, callback=run, **page)

    return made
