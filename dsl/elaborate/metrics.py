"""The metrics that a configuration names, and which of them is the key metric; and those that every job has.

In an MMAR those are the `log_label`s of its components, in a MONAI bundle the keys of `key_val_metric` and its like.
"""

from __future__ import annotations

import re

from .. import ir

#: Metrics that every job is to have, and what they count.
BUILT_IN = {
    "seconds": "time",
    "peak_gpu_memory": "bytes",
    "peak_memory": "bytes",
    "parameters": "a number",
    "latency_ms": "milliseconds",
}
#: What every training of an MMAR or a bundle reports beside its metrics.
TRAIN_LOSS = "train_loss"
#: Arguments of MONAI's engines that map the name of a metric to its component, the deciding one first.
_KEY_METRICS = ("key_val_metric", "key_metric")
_REFERENCE = re.compile(r"\$?[@%]((?:\w|::|#)+)")
_MAX_HOPS = 8
#: Functions that a bundle may compare with, beside a lambda.
_LESS = re.compile(r"\b(lt|le|less|less_equal)$")
_METRIC_MAPS = (*_KEY_METRICS, "key_train_metric", "additional_metrics")


def log_labels(node: ir.ConfigNode) -> list[str]:
    """Every metric name in the configuration, in order."""
    out: list[str] = []

    def visit(node: ir.ConfigNode) -> None:
        match node:
            case ir.Component(_, args, attrs):
                label = _label(node)
                if label is not None:
                    out.append(label)
                for name in _METRIC_MAPS:
                    out.extend(_keys(args.get(name)))
                for child in (*args.values(), *attrs.values()):
                    visit(child)
            case ir.ListNode(items):
                for child in items:
                    visit(child)
            case ir.MapNode(entries):
                for name in _METRIC_MAPS:
                    out.extend(_keys(entries.get(name)))
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
    """The `log_label` of `validate.key_metric`, or of the key one of Clara 4.0's `validate.metrics`: what the best model is."""
    validate = config.entries.get("validate")
    entries = validate.entries if isinstance(validate, ir.MapNode) else {}
    key = entries.get("key_metric", entries.get("metrics"))
    if isinstance(key, ir.ListNode):
        key = next(filter(_is_key, key.items), key.items[0] if key.items else None)
    if isinstance(key, ir.Component):
        return _label(key)
    for name in _KEY_METRICS:
        for found in _named(config, name):
            keys = _keys(_followed(config, found))
            if keys:
                return keys[0]
    return None


def _label(node: ir.Component) -> str | None:
    """The `log_label`; of the metrics of Clara 3.x, which are of classes `Compute...`, their argument `name`."""
    return _text(node.attrs.get("log_label")) or (_text(node.args.get("name")) if node.cls.startswith("Compute") else None)


def _is_key(node: ir.ConfigNode) -> bool:
    """Whether a metric of a list is the one: Clara 4.0 says so beside its arguments, 3.x among them."""
    true = ir.Const(True)
    return isinstance(node, ir.Component) and true in (node.attrs.get("is_key_metric"), node.args.get("is_key_metric"))


def key_objective(config: ir.MapNode) -> ir.Objective | None:
    """The key metric, to be improved as the configuration's own engines compare it: greater is better unless they say."""
    name = key_metric(config)
    if name is None:
        return None
    compares = [_text(node) or "" for node in _named(config, "metric_cmp_fn")]
    is_less = any(("<" in text and ">" not in text) or _LESS.search(text) for text in compares)
    is_less |= ir.Const(True) in _named(config, "key_metric_negative_sign")
    return ir.Objective(name, "minimize" if is_less else "maximize")


def _followed(config: ir.MapNode, node: ir.ConfigNode) -> ir.ConfigNode | None:
    """What MONAI's reference `"@validate#key_metric"` or macro `"%..."` names; `node` itself if it is none."""
    found: ir.ConfigNode | None = node
    for _ in range(_MAX_HOPS):
        text = _text(found)
        named = None if text is None else _REFERENCE.fullmatch(text)
        if named is None:
            return found
        found = config
        for step in named[1].replace("#", "::").split("::"):
            match found:
                case ir.MapNode(entries):
                    found = entries.get(step)
                case ir.Component(_, args):
                    found = args.get(step)
                case ir.ListNode(items) if step.isdecimal() and int(step) < len(items):
                    found = items[int(step)]
                case _:
                    return None
    return None


def _named(node: ir.ConfigNode, name: str) -> list[ir.ConfigNode]:
    """Every argument `name` of a component, in order."""
    match node:
        case ir.Component(_, args):
            inside = [found for child in args.values() for found in _named(child, name)]
            return [*([args[name]] if name in args else []), *inside]
        case ir.ListNode(items):
            return [found for child in items for found in _named(child, name)]
        case ir.MapNode(entries):
            return [found for child in entries.values() for found in _named(child, name)]
        case _:
            return []


def _keys(node: ir.ConfigNode | None) -> list[str]:
    if isinstance(node, ir.MapNode):
        return list(node.entries)
    return list(node.value) if isinstance(node, ir.Const) and isinstance(node.value, dict) else []


def _text(node: ir.ConfigNode | None) -> str | None:
    return node.value if isinstance(node, ir.Const) and isinstance(node.value, str) else None
