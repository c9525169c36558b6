"""Rows of a table, whatever it was read from → Records, by what its header's names stand for."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from reo_cli.readers.columns import Plan, as_text, filters, find, missing, plan
from reo_cli.readers.options import ReadOptions
from reo_cli.records import EXCERPT, Issue, Record
from reo_cli.text import pasted, visible

NO_META: dict[str, Any] = {}

Row = Sequence[Any]
"""Cells: text, or a value with a type where the format has one; "" where there is none."""

_TOTALS = frozenset(
    "total totals subtotal sum grand overall gesamt summe insgesamt celkem totale totaal".split()
)
"""Words that begin the row of a sum."""

_TOTALS_BEGIN = frozenset(word[:3] for word in _TOTALS)


class Problem(NamedTuple):
    """What keeps a row from being a record, or a header from being one."""

    code: str
    message: str
    hint: str = ""


class Table:
    """The columns of one table; `record` makes a Record of each row.

    `line` is where the header stands, `mark` what separates cells, for messages.
    """

    def __init__(
        self, file: str, header: Sequence[str], line: int, options: ReadOptions, mark: str = ""
    ) -> None:
        self.header = list(header)
        self.file = file
        self.line = line
        self._options = options
        self._mark = mark
        self._number = 0
        self._nothing = frozenset({"", "\\N", *options.null})
        self.unnamed = [at for at, name in enumerate(header) if not name.strip()]
        self.plan = self._prepare()

    def _prepare(self) -> Plan:
        """Decide over the columns as they are named now."""
        said = {*self._options.mapped.values(), *self._options.ignored}
        said |= {*self._options.only, *self._options.skip}
        for at in list(self.unnamed):
            if (name := f"column {at + 1}") in said or self._options.extra != "error":
                self._name(at, name)
        names = self.header
        columns = plan(names, self._options, header=True)
        targets = [target or "" for target in columns.targets]
        self._meta = [(at, name[5:]) for at, name in enumerate(targets) if _is_key(name)]
        self._fields = ["" if _is_key(name) else name for name in targets]
        self._joined = [
            (field, [names.index(part) for part in parts])
            for field, parts in columns.joined.items()
        ]
        self._filters = [
            (each, self._places(each.column, columns)) for each in filters(self._options)
        ]
        return columns

    def _name(self, at: int, name: str) -> None:
        self.header[at] = name
        self.unnamed.remove(at)

    def _places(self, column: str, columns: Plan) -> list[int]:
        """Return the columns that `--only` and `--skip` mean by a column's or field's name."""
        name = find(column, self.header, header=True)
        if name is not None:
            return [self.header.index(name)]
        if column in columns.joined:
            return [self.header.index(part) for part in columns.joined[column]]
        return [at for at, target in enumerate(columns.targets) if target == column]

    def name_by(self, row: Row) -> None:
        """Take the first row: a nameless column that holds something is called by its number."""
        filled = [at for at in self.unnamed if at < len(row) and as_text(row[at])]
        for at in filled:
            self._name(at, f"column {at + 1}")
        if filled:
            self.plan = self._prepare()

    def header_issues(self, rows: Iterable[Row] = ()) -> list[Issue]:
        """Return what is wrong with the header, of which `rows` show what its columns hold."""
        issues = []
        lost = [each.column for each, places in self._filters if not places]
        absent = missing(self.plan.fields, self._options.given)
        if lost:
            listed = ", ".join(f"`{visible(name, 60)}`" for name in lost)
            problem = Problem("no-such-column", f"there is no column {listed} for --only or --skip")
            issues.append(self._issue("error", problem))
        elif absent or not self.plan.is_good:
            from reo_cli.readers.advice import header_problem

            rows = list(rows)
            samples = {
                name: [row[at] for row in rows if at < len(row)]
                for at, name in enumerate(self.header)
            }
            problem = header_problem(self.header, self.plan, self._options, self.file, samples)
            issues.append(self._issue("error", problem))
        for name in self.plan.idle:
            message = f"there is no column `{visible(name, 60)}`, which --ignore names"
            issues.append(self._issue("warning", Problem("ignores-nothing", message)))
        return issues

    def _issue(self, severity: Any, problem: Problem) -> Issue:
        code, message, hint = problem
        return Issue(self.file, self.line, 0, "", severity, message, hint, "", code)

    def record(self, line: int, row: Row, text: str, problem: Problem | None = None) -> Record:
        """Return the record of a row, which says so where it cannot be one."""
        self._number += 1
        if self._filters and self._leaves_out(row, problem is None):
            return Record(self.file, line, self._number, None, NO_META, text)
        is_odd = len(row) != len(self._fields) or row[-1] == self.header[-1] or self.unnamed
        if problem is None and (is_odd or "\0" in text):
            problem = self._problem(row, text)
        if problem is not None:
            code, message, hint = problem
            excerpt = text.partition("\n")[0][:EXCERPT]
            issue = Issue(self.file, line, self._number, "", "error", message, hint, excerpt, code)
            return Record(self.file, line, self._number, None, NO_META, text, (issue,))
        nothing = self._nothing
        fields = {
            name: cell for name, cell in zip(self._fields, row, strict=True) if cell not in nothing
        }
        fields.pop("", None)
        for field, places in self._joined:
            cells = [as_text(row[at]) for at in places if row[at] not in nothing]
            fields[field] = " ".join(cells)
        meta = NO_META
        if self._meta:
            meta = {key: row[at] for at, key in self._meta if row[at] not in nothing}
        doubt = None
        if reads_as_total(row):
            doubt = self._total(line, row, text)
        return Record(self.file, line, self._number, fields, meta, text, (), doubt)

    def _total(self, line: int, row: Row, text: str) -> Issue:
        """Return what to say of a row of totals, unless it is an event all the same."""
        at = next(at for at, cell in enumerate(row) if cell)
        what = f"reads as a total, not as an event: `{visible(as_text(row[at]), 60)}`"
        skip = f"{self.header[at].strip()}={as_text(row[at])}"
        hint = f"add --skip {pasted(skip)}" if self._options.command else ""
        excerpt = text.partition("\n")[0][:EXCERPT]
        found = Issue(self.file, line, self._number, "", "error", what, hint, excerpt, "total-row")
        return found._replace(options=(("--skip", skip),) if hint else ())

    def _leaves_out(self, row: Row, is_whole: bool) -> bool:
        """Tell whether `--only` or `--skip` leaves a row out; a torn one only for what it holds."""
        is_whole = is_whole and len(row) == len(self.header)
        for each, places in self._filters:
            cells = (row[at] for at in places if at < len(row) and row[at] not in self._nothing)
            text = " ".join(filter(None, map(as_text, cells)))
            if (is_whole or (text and not each.wanted)) and each.leaves_out(text):
                return True
        return False

    def _problem(self, row: Row, text: str) -> Problem | None:
        """Return what keeps a row from being a record."""
        if len(row) != len(self.header):
            return self._ragged(row, text)
        if "\0" in text:
            return Problem(
                *("nul-byte", "a NUL byte stands in the row"),
                "the file is damaged: export it again",
            )
        if list(row[1:]) == self.header[1:] and as_text(row[0]) == self.header[0].strip():
            what = "the header stands here again; were files joined?"
            return Problem("header-again", what, self._skip(row, 0))
        for at in self.unnamed:
            if as_text(row[at]):
                what = f"`{visible(as_text(row[at]), 60)}` stands in a column without a name"
                words = ("--ignore", f"column {at + 1}")
                return Problem("unnamed-column", what, self._options.hint(self.file, *words))
        return None

    def _skip(self, row: Row, at: int, before: str = "") -> str:
        """Return the command that leaves out rows like this one."""
        word = f"{self.header[at].strip()}={as_text(row[at])}"
        return self._options.hint(self.file, "--skip", word, before=before)

    def _ragged(self, row: Row, text: str) -> Problem:
        cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
        message = f"{cells} where the header has {len(self.header)}"
        mark = {"\t": "tab", ",": "comma", ";": "semicolon"}.get(self._mark, self._mark)
        filled = [at for at, cell in enumerate(row) if as_text(cell)]
        first = filled[0] if filled else 0
        is_footer = len(filled) == 1 < len(self.header) or reads_as_total(row)
        if is_footer and first < len(self.header):
            hint = self._skip(row, first, "if it is not an event, ")
        elif len(row) > len(self.header):
            has_more = any(map(as_text, row[len(self.header) :]))
            hint = f"put a cell that holds a {mark} in quotes"
            hint = hint if has_more else f"remove the {mark} at its end"
        elif text[-1:] in "\r\n":
            hint = "a column that is empty needs its delimiter too"
        else:
            hint = "was the file cut off?"
        return Problem("ragged-row", message, hint)


def _is_key(target: str) -> bool:
    return target.startswith("meta.")


def reads_as_total(row: Row) -> bool:
    """Tell whether a row is the sum of others, by the first of its cells that holds something."""
    first = row[0] or next(filter(None, row), "")
    if first.__class__ is not str or first[:3].lower() not in _TOTALS_BEGIN:
        return False
    return first.split(None, 1)[0].strip(":").lower() in _TOTALS
