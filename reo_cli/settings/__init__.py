"""Settings: flags > environment > `.env` > profile > config file > default, with their sources.

`table` says which settings exist, `files` reads files, `resolve` chooses, `edit` changes the config
file, `prompt` asks for the key and checks it.
"""

from reo_cli.settings.resolve import Sources, Value, resolve
from reo_cli.settings.table import SETTINGS, Setting, Settings

__all__ = ["SETTINGS", "Setting", "Settings", "Sources", "Value", "resolve"]
