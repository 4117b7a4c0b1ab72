"""What the supervisor needs of `config.yaml`. The programs read, and check, all of it themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import strict_yaml
from stack.child import StartError
from strict_yaml import Mistake, Node

T = TypeVar("T")

_DATA_FOLDER: Final = ".data"
_ENGINE_HTTP: Final = "127.0.0.1:8080"
_ENGINE_SMPP: Final = "127.0.0.1:2775"
_CORE_HTTP: Final = "127.0.0.1:8081"


class Listen(NamedTuple):
    """An address that a program listens on, and the key of the configuration that names it."""

    key: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reached_at(self) -> str:
        """The host under which this machine reaches it: an address that means "all" is none to call."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 # nosec B104


class Settings(NamedTuple):
    """The part of the configuration that concerns the supervisor; paths are absolute."""

    config: Path
    production: bool
    data_folder: Path
    engine_http: Listen
    engine_smpp: Listen
    core_http: Listen
    redis_url: str | None  # None: the private server
    database_url: str | None  # None: the private server

    @property
    def listens(self) -> tuple[Listen, ...]:
        """All that is listened on, in the order in which an operator thinks of it."""
        return (self.engine_smpp, self.engine_http, self.core_http)


def read_settings(config: Path) -> Settings:
    """Reads the configuration file. Raises StartError with its first mistake."""
    try:
        root = strict_yaml.read_file(config)
    except strict_yaml.StrictYamlError as error:
        raise _first(error.mistakes) from None
    except OSError as error:
        raise StartError(f"{config} cannot be read: {error.strerror}") from None
    mistakes: list[Mistake] = []
    data_folder = _scalar(root, "data_folder", str, _DATA_FOLDER, mistakes)
    settings = Settings(
        config=config.absolute(),
        production=_scalar(root, "production", bool, False, mistakes),
        data_folder=config.absolute().parent / data_folder,
        engine_http=_listen(root, "engine.http_listen", _ENGINE_HTTP, mistakes),
        engine_smpp=_listen(root, "engine.smpp_listen", _ENGINE_SMPP, mistakes),
        core_http=_listen(root, "billing_core.http_listen", _CORE_HTTP, mistakes),
        redis_url=_scalar(root, "engine.sessions.redis_url", str, "", mistakes) or None,
        database_url=_scalar(root, "billing_core.database_url", str, "", mistakes) or None,
    )
    if mistakes:
        raise _first(mistakes)
    urls = {"engine.sessions.redis_url": settings.redis_url, "billing_core.database_url": settings.database_url}
    for key, url in urls.items():
        if settings.production and url is None:
            raise StartError(f"{config} says `production: true`, and {key} is null: write the URL of your own server")
    return settings


def _first(mistakes: tuple[Mistake, ...] | list[Mistake]) -> StartError:
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return StartError(f"{mistakes[0]}{more}")


def _find(root: Node, key: str) -> Node | None:
    node = root
    for word in key.split("."):
        if word not in node.items:
            return None
        node = node.items[word]
    return node


def _scalar(root: Node, key: str, kind: type[T], default: T, mistakes: list[Mistake]) -> T:
    node = _find(root, key)
    if node is None or node.value is None:
        return default
    if not isinstance(node.value, kind):
        mistakes.append(Mistake(node.place, f"{key} is {node.kind}", f"Write one such as `{default or 'null'}`."))
        return default
    return node.value


def _listen(root: Node, key: str, default: str, mistakes: list[Mistake]) -> Listen:
    text = _scalar(root, key, str, default, mistakes)
    host, _, port = text.rpartition(":")
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        node = _find(root, key) or root
        mistakes.append(Mistake(node.place, f"{key} is '{text}'", f"Write an address and a port, such as {default}."))
        return Listen(key, "", 0)
    return Listen(key, host.strip("[]"), int(port))
