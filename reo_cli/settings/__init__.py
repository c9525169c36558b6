"""Settings: flags > environment > `.env` > profile > config file > default, with their sources.

`table` says which settings exist, `files` and `configfile` read files, `resolve` chooses, `model`
holds the result, `guard` checks keys and endpoints, `edit` and `prompt` change the config file.
"""

from reo_cli.settings.model import Settings, Value
from reo_cli.settings.resolve import Sources, resolve
from reo_cli.settings.table import SETTINGS, Setting

__all__ = ["SETTINGS", "Setting", "Settings", "Sources", "Value", "resolve"]
