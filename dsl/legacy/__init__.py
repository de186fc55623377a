"""The legacy side of the language: Clara's JSON, read into the same syntax tree as `.automl`.

Codes of this package: AM200 not JSON, AM201 a key missing or of the wrong kind, AM202 unknown search type, AM203 unknown argument,
AM204 unknown domain, AM205 a range that is none, AM206 flat enum, AM207 wrong number of values, AM208 misspelt or unknown key,
AM209 tags and aliases, AM210 undefined variable, AM211 variables in a circle, AM212 a key stands twice, AM213 a setting that
nothing reads, AM220 unknown component of AutoML, AM221 wrong value of its arguments, AM30x limits.
"""

from .automl_config import read_automl, train_config_file
from .cli_settings import Settings, parse_settings, parse_workers
from .json_reader import decode, read_json
from .training import read_training

__all__ = [
    "Settings",
    "decode",
    "parse_settings",
    "parse_workers",
    "read_automl",
    "read_json",
    "read_training",
    "train_config_file",
]
