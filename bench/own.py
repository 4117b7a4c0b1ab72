"""Settings of a system of the bench's own: our `config.yaml` with other ports and folders, so that one that runs
here is left alone."""

from __future__ import annotations

from pathlib import Path

from stack.settings import Settings, read_settings

_PORTS = (8080, 8081, 2775)


def own_settings(folder: Path, ports_from: int, menus: Path = Path("menus")) -> Settings:
    """Writes and reads `folder/config.yaml`; its three ports are the known ones, so many higher. Raises OSError,
    ConfigError."""
    folder.mkdir(parents=True, exist_ok=True)
    text = Path("config.yaml").read_text()
    for port in _PORTS:
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{port + ports_from}")
    for name, path in (("menus", menus), ("dialects", Path("dialects"))):
        text = text.replace(f" {name}: {name} ", f" {name}: {path.resolve()} ")
    (folder / "config.yaml").write_text(text)
    return read_settings(folder / "config.yaml")
