"""Every setting, as the settings' own source describes it; `docs/settings.md` is made of it."""

import ast
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel

from appliance.settings import Settings, variable

_HEAD = """# Settings

Made from the program by `appliance settings > docs/settings.md`: to change it, change that.

They are at `/etc/hotspot-appliance/appliance.toml`, unless `--config` or `APPLIANCE_CONFIG` names
another file. The variable of a setting wins over its credential, a file named `section.key` in the
folder `credentials` beside the settings, and that wins over the file. Secrets belong into
credentials: systemd shows them to the daemon alone. What cannot be right refuses to start, and says
what is allowed.
"""
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "table of texts",
}
_FORMATS = {"path": "path", "uuid": "UUID", "ipv4": "IPv4 address"}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the file."""

    section: str
    key: str
    type: str
    required: bool
    default: Any
    secret: bool
    meaning: str

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it."""
        return variable(self.section, self.key)


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file; a tunnel has one for each kind."""

    heading: str
    meaning: str
    settings: tuple[Setting, ...]


def sections() -> Iterator[Section]:
    """Yield every section, by name."""
    for name, field in sorted(Settings.model_fields.items()):
        models: tuple[Any, ...] = get_args(field.annotation) or (field.annotation,)
        for model in models:
            yield _section(name, model)


def markdown() -> str:
    """Return the page."""
    return "\n".join((_HEAD, *(_shown(section) for section in sections())))


def _section(name: str, model: type[BaseModel]) -> Section:
    schema, meanings = model.model_json_schema(), _meanings(model)
    keys, needed = schema["properties"], schema.get("required", ())
    kind = keys.get("kind", {}).get("const")
    return Section(
        heading=f"[{name}]" if kind is None else f'[{name}] kind = "{kind}"',
        meaning=_one_line(inspect.getdoc(model) or ""),
        settings=tuple(
            Setting(
                section=name,
                key=key,
                type=_type(one),
                required=key in needed,
                default=one.get("default"),
                secret=_is_secret(_value(one)),
                meaning=meanings.get(key, ""),
            )
            for key, one in keys.items()
        ),
    )


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring behind each attribute; Python itself does not keep it."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (node,) = ast.parse(inspect.getsource(one)).body
        for field, behind in pairwise(getattr(node, "body", ())):
            if isinstance(field, ast.AnnAssign) and isinstance(behind, ast.Expr):
                found[ast.unparse(field.target)] = _one_line(ast.literal_eval(behind.value))
    return found


def _value(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what it is where it is set."""
    found: dict[str, Any] = schema.get("anyOf", [schema])[0]
    return found


def _is_secret(value: dict[str, Any]) -> bool:
    inner = value.get("additionalProperties")  # of a table
    return "password" in {value.get("format"), isinstance(inner, dict) and inner.get("format")}


def _type(schema: dict[str, Any]) -> str:
    value = _value(schema)
    choices = value.get("enum", [value["const"]] if "const" in value else [])
    if choices:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in choices)
    bounds = [words.format(value[name]) for name, words in _BOUNDS.items() if name in value]
    return ", ".join((_FORMATS.get(value.get("format", ""), _TYPES[value["type"]]), *bounds))


def _shown(section: Section) -> str:
    lines = [f"- `{one.key}`: {_about(one)}\n  {one.meaning}" for one in section.settings]
    return "\n".join((f"## `{section.heading}`\n", section.meaning, "", *lines, ""))


def _about(setting: Setting) -> str:
    value = "none" if setting.default is None else f"`{json.dumps(setting.default)}`"
    default = "must be set" if setting.required else f"default {value}"
    secret = ("secret",) if setting.secret else ()
    return " · ".join((setting.type, default, *secret, f"`{setting.variable}`"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
