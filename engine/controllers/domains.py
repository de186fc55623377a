"""The values of one domain and its prior, as controllers call them: the language's own (`automl_run.dsl.prior`)."""

from automl_run.dsl.prior import Ladder, from_unit, length, nearest, to_unit, values

__all__ = ["Ladder", "from_unit", "length", "nearest", "to_unit", "values"]
