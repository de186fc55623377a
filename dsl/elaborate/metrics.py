"""The metrics that a configuration names: the `log_label`s of its components, and which of them is the key metric."""

from __future__ import annotations

from .. import ir


def log_labels(node: ir.ConfigNode) -> list[str]:
    """Every metric name in the configuration, in order."""
    out: list[str] = []

    def visit(node: ir.ConfigNode) -> None:
        match node:
            case ir.Component(_, args, attrs):
                label = _text(attrs.get("log_label"))
                if label is not None:
                    out.append(label)
                for child in (*args.values(), *attrs.values()):
                    visit(child)
            case ir.ListNode(items):
                for child in items:
                    visit(child)
            case ir.MapNode(entries):
                for child in entries.values():
                    visit(child)
            case ir.ChoiceNode(_, nodes):
                for child in nodes:
                    visit(child)
            case ir.Guarded(_, then, otherwise):
                visit(then)
                if otherwise is not None:
                    visit(otherwise)
            case ir.Const() | ir.Read() | ir.Derived():
                pass

    visit(node)
    return list(dict.fromkeys(out))


def key_metric(config: ir.MapNode) -> str | None:
    """The `log_label` of `validate.key_metric`: what an MMAR's best model is chosen by."""
    validate = config.entries.get("validate")
    key = validate.entries.get("key_metric") if isinstance(validate, ir.MapNode) else None
    if isinstance(key, ir.ListNode):
        key = key.items[0] if key.items else None
    return _text(key.attrs.get("log_label")) if isinstance(key, ir.Component) else None


def _text(node: ir.ConfigNode | None) -> str | None:
    return node.value if isinstance(node, ir.Const) and isinstance(node.value, str) else None
