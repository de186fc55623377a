"""`Bundle("folder")`: MONAI bundles as they stand, resolved by MONAI itself. Importing this imports neither torch nor MONAI.

target.py      what the engine calls                                  | no torch, no MONAI
layout.py      names of files and ids, the command line               |
host.py        a configuration made to fit where it runs              |
folder.py      a job's folder as a bundle of its own                  |
inspection.py  asks a process what is wrong, and says it with places  |
probe.py       that process: classes, data, metrics                   | these import torch and MONAI
outputs.py     where a configuration writes to                        |
train.py       runs MONAI's workflow; start here                      |
engines.py     ignite's engines, met as they start                    |
watch.py       the first training as a session, reports of the others |
failure.py     errors from under MONAI's wrappers                     |
"""

from .target import BundleTarget

__all__ = ["BundleTarget"]
