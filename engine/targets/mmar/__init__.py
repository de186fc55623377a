"""An MMAR as a target: Clara 4.x `config_train.json`, trained with today's torch and MONAI.

target.py      the target itself: checks, renders, runs; imports neither torch nor MONAI
data_list.py   Decathlon data lists
checks.py      what the baseline's config and data show before a job trains
places.py      where something stands in a JSON file
names.py       what an old component becomes (the table: dsl/old_names.py)
syntax.py      what a string or an object of the JSON means
classic.py     configs of Clara 3.x in the form of 4.x
wiring.py      the references that Clara 4.0 left out
outputs.py     what an engine puts out, as old configs read it
lookup.py      a name -> the class                  | these import torch and MONAI
build.py       JSON -> objects                      |
activation.py  who applies the final activation     |
networks.py    networks that MONAI has not          |
losses.py      a loss that MONAI has not            |
train.py       builds, and trains in a `training.Session` |
evaluate.py    weights -> metrics on any list       |
"""

from .target import MmarTarget

__all__ = ["MmarTarget"]
