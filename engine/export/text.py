"""What an exported bundle says to people."""

from __future__ import annotations

from typing import Final

from automl_run.engine.report.wording import parameters_text, score_text

from .source import Trained

LICENSE: Final = """No license has been chosen for this model yet.
Put its terms here before you give it to others; those of the data that it was trained on may bind it, too.
"""


_SEGMENT: Final = """## Segment

```
{path}python -m monai.bundle run --config_file configs/inference.json --meta_file configs/metadata.json --bundle_root .{more}
```

"""
_OF_IMAGES: Final = " \\\n  --datalist \"['/data/image.nii.gz']\" --output_dir out"


def readme(trained: Trained, name: str, *, custom: bool, inference: bool = True) -> str:
    """`custom`: modules of the MMAR's own are in `custom/`. `inference`: there is a configuration for it."""
    run, job = trained.summary, trained.job
    scores = ", ".join(f"{metric} {score_text(value)}" for metric, value in job.scores.items())
    path = "PYTHONPATH=custom " if custom else ""
    more = _OF_IMAGES if trained.spec.target.name == "Mmar" else ""
    items = " (`configs/data_list.json`, paths relative to `dataset_dir`)" if trained.spec.target.name == "Mmar" else ""
    segment = _SEGMENT.format(path=path, more=more) if inference else ""
    return f"""# {name}

A MONAI bundle, exported by automl-run from the search `{run.run_id}`: job {job.name}, which had {scores or "no score"} on the
validation list of its training.

Found parameters: `{parameters_text(job.params, {})}`

## Evaluate

In this folder, on the validation list{items}. MONAI's command needs the package `fire`:

```
{path}python -m monai.bundle run --config_file configs/evaluate.json --meta_file configs/metadata.json --bundle_root .
```

`eval/metrics.csv` then holds the metrics. `--dataset_dir DIR` says where the volumes lie now.

{segment}## Before it is given away

`configs/metadata.json` says who made it (`authors`, `copyright`) and what it is for (`task`, `intended_use`); `LICENSE` has no
terms yet.
"""
