"""Overlays: small files that change a configuration without copying it."""

from __future__ import annotations

from typing import Any

from serve_app.config.marked import Map, Place, Seq

_IDENTITY = ("name", "id")
"""Items of a list with one of these keys are the same thing when its value is the same."""


def merge(base: Map, overlay: Map) -> Map:
    """`base` with everything of `overlay` on top; neither is changed.

    Mappings merge key by key. Lists of mappings that all have a `name` (or `id`) merge item by
    item, new ones go to the end; every other list is replaced. `null` takes a key away; the tag
    `!replace` before a mapping or a list puts it in the old one's place.
    """
    merged = Map(base.place)
    for key, value in base.items():
        merged.put(key, value, base.places[key])
    for key, value in overlay.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged.put(key, _merged(merged.get(key), value), overlay.places[key])
    return merged


def _merged(old: Any, new: Any) -> Any:
    if getattr(new, "replaces", False):
        return new
    if isinstance(old, Map) and isinstance(new, Map):
        return merge(old, new)
    if isinstance(old, Seq) and isinstance(new, Seq):
        key = _identity(old, new)
        if key is not None:
            return _merge_named(old, new, key)
    return new


def _identity(*lists: Seq) -> str | None:
    for key in _IDENTITY:
        if all(_named_by(key, items) for items in lists):
            return key
    return None


def _named_by(key: str, items: Seq) -> bool:
    names = [item.get(key) for item in items if isinstance(item, Map)]
    return (
        len(names) == len(items)
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
    )


def _merge_named(old: Seq, new: Seq, key: str) -> Seq:
    items: dict[str, tuple[Any, Place]] = {
        item[key]: (item, place) for item, place in zip(old, old.places, strict=True)
    }
    for item, place in zip(new, new.places, strict=True):
        known = items.get(item[key])
        items[item[key]] = (item, place) if known is None else (merge(known[0], item), known[1])
    merged = Seq(old.place)
    for item, place in items.values():
        merged.add(item, place)
    return merged
