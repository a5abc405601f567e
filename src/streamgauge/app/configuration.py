"""Reads the configuration: TOML, then `STREAMGAUGE_SECTION__KEY`, then `…_FILE` for secrets.

Whatever cannot be used stops the start with a `ConfigError` that names where the value stands,
the key, the value, and what is accepted.
"""

from __future__ import annotations

import difflib
import inspect
import json
import os
import tomllib
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from streamgauge.app.config import (
    QUEUES,
    Auth,
    Backup,
    DeclaredFlow,
    Detect,
    Govern,
    Journeys,
    Limits,
    Log,
    MapSettings,
    Notify,
    Otlp,
    PriceSettings,
    QueueSettings,
    Receive,
    Redact,
    Rule,
    Scrape,
    Server,
    StateSettings,
    Store,
    TenantLimit,
    Udp,
    Unix,
)
from streamgauge.model.errors import ConfigError
from streamgauge.receive.collectors.address import shown

_PREFIX = "STREAMGAUGE_"
_QUEUE_KINDS = {typing.get_args(one.model_fields["kind"].annotation)[0] for one in QUEUES}
_KINDS = {"opsgenie", "webhook", "log", *_QUEUE_KINDS}
"""What tells tables of one name apart; not a part of a key's name."""
_SECRET_WORDS = ("token", "key", "password", "secret", "header")


class Configuration(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    server: Server = Server()
    auth: Auth = Auth()
    receive: Receive = Receive()
    limits: Limits = Limits()
    otlp: Otlp = Otlp()
    udp: Udp = Udp()
    unix: Unix = Unix()
    store: Store = Store()
    journeys: Journeys = Journeys()
    govern: Govern = Govern()
    prices: PriceSettings = PriceSettings()
    state: StateSettings = StateSettings()
    backup: Backup = Backup()
    detect: Detect = Detect()
    log: Log = Log()
    notify: tuple[Notify, ...] = ()
    rule: tuple[Rule, ...] = ()
    limit: tuple[TenantLimit, ...] = ()
    flow: tuple[DeclaredFlow, ...] = Field(default=())
    redact: tuple[Redact, ...] = ()
    map: tuple[MapSettings, ...] = ()
    queue: tuple[QueueSettings, ...] = ()
    scrape: tuple[Scrape, ...] = ()

    @field_validator("limit")
    @classmethod
    def _limits_a_tenant_once(cls, value: tuple[TenantLimit, ...]) -> tuple[TenantLimit, ...]:
        tenants = [limit.tenant for limit in value]
        for tenant in tenants:
            if tenants.count(tenant) > 1:
                raise ValueError(f"two [[limit]] of tenant {json.dumps(tenant)}: leave one")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the library's signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file, which comes in as arguments."""
        return (_Variables(settings_cls), init_settings)


class _Variables(EnvSettingsSource):
    """`STREAMGAUGE_SECTION__KEY=value`, or `…__KEY_FILE=path`: the value is what the file holds."""

    def __call__(self) -> dict[str, Any]:
        """The values of all variables, nested as in the tree."""
        found = super().__call__()
        for name, path in os.environ.items():
            if name.startswith(_PREFIX) and name.endswith("_FILE") and "__" in name:
                section, key = name[len(_PREFIX) : -len("_FILE")].lower().split("__", 1)
                found.setdefault(section, {}).pop(f"{key}_file", None)
                found[section][key] = _read_secret(name, path)
        return found


def _read_secret(variable: str, path: str) -> str | list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable} names {path}, which cannot be read: {error}") from error
    return text.split() if variable.endswith("TOKENS_FILE") else text


def load(path: Path | None, overrides: dict[str, dict[str, Any]]) -> Configuration:
    """The configuration of this start.

    Args:
        path: the TOML file, or None for defaults and variables alone.
        overrides: values of the command line, section → key → value; they win over all.

    Raises:
        ConfigError: naming file or variable, key, value, and what is accepted.
    """
    values = _read_toml(path) if path else {}
    try:
        configuration = Configuration(**values)
        return _with_overrides(configuration, overrides)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(detail, path) for detail in error.errors())) from None
    except (json.JSONDecodeError, ValueError) as error:
        raise ConfigError(f"a {_PREFIX}… variable cannot be read: {error}") from error


def _with_overrides(
    configuration: Configuration, overrides: dict[str, dict[str, Any]]
) -> Configuration:
    changed = {}
    for section, values in overrides.items():
        present = getattr(configuration, section)
        given = {key: value for key, value in values.items() if value is not None}
        changed[section] = type(present).model_validate(present.model_dump() | given)
    return configuration.model_copy(update=changed)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _explain(detail: ErrorDetails, path: Path | None) -> str:
    where = [part for part in detail["loc"] if part not in _KINDS]
    where = where or list(detail["loc"])
    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in where)
    variable = _PREFIX + "__".join(str(part).upper() for part in where)
    origin = variable if variable in os.environ else str(path or "command line or variables")
    if detail["type"] == "extra_forbidden":
        return f"{origin}: unknown key `{key}`; {_accepted_keys(where)}"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{origin}: `{key}` is missing"
    if isinstance(detail["input"], dict) and detail["type"] == "value_error":
        return f"{origin}: [{key}]: {message}"
    if detail["type"] == "tuple_type":
        return f"{origin}: write [[{key}]], a table for each, in place of [{key}]"
    return f"{origin}: {key} = {_shown(key, detail['input'])}: {_plain(detail, message)}"


def _plain(detail: ErrorDetails, message: str) -> str:
    """The library's commonest messages, as this program says such things."""
    bound = next(iter(detail.get("ctx", {}).values()), None)
    plain = {
        "bool_parsing": "true or false",
        "bool_type": "true or false",
        "string_type": "text, in quotes",
        "greater_than_equal": f"at least {bound}",
        "less_than_equal": f"at most {bound}",
        "greater_than": f"more than {bound}",
        "less_than": f"less than {bound}",
    }
    return plain.get(detail["type"], message)


def _shown(key: str, value: object) -> str:
    if any(word in key.lower() for word in _SECRET_WORDS):
        return "(hidden)"
    if isinstance(value, str):
        value = shown(value) if "://" in value else value
    return "…" if isinstance(value, dict) else json.dumps(value, default=str)


def _accepted_keys(where: list[Any]) -> str:
    fields = _fields_at(Configuration, where[:-1])
    near = difflib.get_close_matches(str(where[-1]), fields, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return f"{hint}accepted: {', '.join(sorted(fields))}"


def _fields_at(model: type[BaseModel], where: list[Any]) -> list[str]:
    """Key names accepted in the table that `where` leads to."""
    models: list[type[BaseModel]] = [model]
    for part in where:
        if isinstance(part, str):
            found = [m.model_fields[part].annotation for m in models if part in m.model_fields]
            models = [m for annotation in found for m in _models_in(annotation)]
    return sorted({field.alias or name for m in models for name, field in m.model_fields.items()})


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in typing.get_args(annotation) for m in _models_in(part)]
