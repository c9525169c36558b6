"""Settings: flags > environment > `.env` > profile > config file > default, with their sources.

`table` says which settings exist, `envfile` and `configfile` read files, `levels` lays them out,
`resolve` chooses, `model` holds the result, and `edit` writes the config file.
"""

from reo_cli.settings.levels import Sources
from reo_cli.settings.model import Settings, Value
from reo_cli.settings.resolve import resolve
from reo_cli.settings.table import SETTINGS, Setting

__all__ = ["SETTINGS", "Setting", "Settings", "Sources", "Value", "resolve"]
