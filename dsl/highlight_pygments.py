"""The Pygments lexer: registered as `automl`, so that `pygmentize`, Sphinx, MkDocs and rich colour programs."""

from __future__ import annotations

from collections.abc import Iterator

from pygments import token
from pygments.lexer import Lexer

from .highlight import Kind, scan

_TOKENS: dict[Kind, token._TokenType] = {
    "comment": token.Comment.Single,
    "string": token.String.Double,
    "open_string": token.Error,
    "quantity": token.Number,
    "float": token.Number.Float,
    "integer": token.Number.Integer,
    "statement": token.Keyword,
    "word": token.Operator.Word,
    "constant": token.Keyword.Constant,
    "attribute": token.Name.Decorator,
    "component": token.Name.Class,
    "function": token.Name.Function,
    "name": token.Name,
    "operator": token.Operator,
    "bracket": token.Punctuation,
    "punctuation": token.Punctuation,
    "blank": token.Whitespace,
}


class AutoMLLexer(Lexer):
    """Search programs of automl-run."""

    name = "automl-run"
    aliases = ("automl", "automl-run")
    filenames = ("*.automl",)
    mimetypes = ("text/x-automl",)
    url = ""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, token._TokenType, str]]:
        for start, kind, piece in scan(text):
            yield start, token.Error if kind == "blank" and piece.strip() else _TOKENS[kind], piece
