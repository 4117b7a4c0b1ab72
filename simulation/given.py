"""What all runs of a process share, because nothing changes it: configuration, menus, and who can read them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from ussd_engine.config import Settings, read_settings
from ussd_engine.language import compiled, menu_file
from ussd_engine.language.catalog import Catalog, catalog_of
from ussd_engine.language.menu_file import read_service
from ussd_engine.menu_folder import read_folder
from ussd_engine.metrics import Metrics

from .reading import Reader

CONFIG = Path(__file__).resolve().parent / "config.yaml"


class Given(NamedTuple):
    """What all runs of a process share, because nothing changes it."""

    settings: Settings
    catalog: Catalog
    reader: Reader
    metrics: Metrics


@cache
def given() -> Given:
    """Reads configuration and menus, once a process."""
    settings = read_settings(CONFIG)
    files = read_folder(settings.path(settings.engine.menus)).menus
    readings = [read_service(files[name], name, files) for name in files]
    services = [
        compiled.ready(each.service)
        for each in readings
        if each.service is not None and each.node is not None and not menu_file.is_part(each.node)
    ]
    catalog = catalog_of(services)
    return Given(settings, catalog, Reader(catalog), Metrics())
