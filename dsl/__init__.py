"""Text -> syntax tree -> Program: the `.automl` language and the legacy Clara JSON. `load` is the way in."""
