"""Models that leave a run: as a MONAI bundle, as an ensemble.

source.py       a job's config, weights and score, wherever in the run they lie
translate.py    an MMAR's config -> a bundle's, component by component      | these import torch and MONAI
inference.py    the validation's chains without the label                   |
metadata.py     what MONAI's bundle specification requires to be said       |
mmar_bundle.py  the bundle of an MMAR's job                                 |
own_bundle.py   the bundle of a bundle's job                                |
network.py      what a network takes and gives                              |
validation.py   a job's evaluator, network and post-processing, whatever the target
ensemble.py     the mean of several models' predictions, scored as one model is
evaluate.py     `commands/evaluate.sh` of best/
folder.py       a folder that is there whole, or not at all
"""
