"""What the billing core reads of config.yaml."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest

from billing_core.config import Client, ConfigError, CoreSection, Listen, read_config
from strict_yaml import StrictYamlError

ENGINE = "{engine: {key_file: keys/engine, may: [subscriber]}}"
OURS = Path(__file__).parents[3] / "config.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def keyed(folder: Path, *names: str) -> None:
    (folder / "keys").mkdir()
    for name in names:
        (folder / "keys" / name).write_text(f"{name}-0123456789abcdef0123456789abcdef")


def test_the_configuration_of_the_repository_is_read() -> None:
    config = read_config(OURS)
    assert config.core.http_listen == Listen("127.0.0.1", 8081)
    assert config.data_folder == OURS.parent / ".data"


def test_the_configuration_of_the_repository_says_the_defaults() -> None:
    section = read_config(OURS).core
    assert section == CoreSection(clients=section.clients)


def test_without_an_address_the_private_server_in_the_data_folder_is_meant(tmp_path: Path) -> None:
    keyed(tmp_path, "postgres", "postgres-serving")
    config = read_config(written(tmp_path, f"data_folder: .\nbilling_core: {{clients: {ENGINE}}}\n"))
    url = config.database_url()
    assert url.startswith("postgresql://ussd_serving:postgres-serving-0123456789abcdef0123456789abcdef@/billing?")
    assert f"host={tmp_path}/run&port=5432" in unquote(url)
    assert config.owner_database_url().startswith("postgresql://ussd:postgres-0123456789abcdef")
    assert config.serving_role() == "ussd_serving"


def test_who_owns_a_database_elsewhere_has_to_be_written(tmp_path: Path) -> None:
    text = f"billing_core: {{clients: {ENGINE}, database_url: postgresql://serving@db/billing}}\n"
    config = read_config(written(tmp_path, text))
    assert config.serving_role() == "serving"
    with pytest.raises(ConfigError, match="owner_database_url is missing"):
        config.owner_database_url()


def test_a_socket_path_that_the_system_would_cut_is_refused(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, f"data_folder: {'long/' * 30}\nbilling_core: {{clients: {ENGINE}}}\n"))
    with pytest.raises(ConfigError, match="107 octets"):
        config.database_url()


def test_keys_are_read_from_beside_the_configuration(tmp_path: Path) -> None:
    keyed(tmp_path, "engine", "pepper", "notices", "billing-core")
    text = (
        f"billing_core: {{clients: {ENGINE}, pepper_file: keys/pepper, notice_key_file: keys/notices,"
        " relay_key_file: keys/billing-core}\n"
    )
    config = read_config(written(tmp_path, text))
    key = b"engine-0123456789abcdef0123456789abcdef"
    assert config.clients() == {"engine": Client((key,), frozenset({"subscriber"}))}
    assert len(config.masking_key()) == 32
    assert b"pepper" not in config.masking_key()
    assert config.notice_keys()[0].startswith(b"notices-")
    assert config.relay_key().startswith(b"billing-core-")


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, f"billing_core: {{clients: {ENGINE}}}\n"))
    with pytest.raises(ConfigError, match="keys/engine: No such file"):
        config.clients()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("billing_core: {client: {}}", "1:16: unknown key 'client'. Did you mean 'clients'?"),
        ("billing_core: {clients: {}}", "1:25: nobody may call"),
        (
            "billing_core: {clients: {a: {key_file: b, may: []}}, http_listen: 8081}",
            "1:67: not an address to listen at",
        ),
        ("billing_core: {clients: {a: {key_file: b, may: []}}, pool_max: 0}", "1:64: 0 is out of range"),
        (
            "billing_core: {clients: {a: {key_file: b, may: []}}, database_url: mysql://x}",
            "1:68: not an address of PostgreSQL",
        ),
        (
            "production: true\nbilling_core: {clients: {a: {key_file: b, may: []}}}",
            "2:15: the private server is not for production",
        ),
        (
            "billing_core: {clients: {a: {key_file: b, may: []}}, engine_url: 127.0.0.1}",
            "1:66: not an address of an engine",
        ),
        (
            "production: true\nbilling_core: {clients: {a: {key_file: b, may: []}}, database_url: postgresql://x,"
            " engine_url: http://engine.example}",
            "2:96: passwords would travel in clear",
        ),
        ("billing_core: {clients: {a: {key_file: b, may: []}}, cabinet: {lock_minutes: 0}}", "1:78: 0 is out of range"),
        (
            "billing_core: {clients: {a: {key_file: b, may: []}}, inbox: {messages_a_day_max: 5}}",
            "unknown key 'messages_a_day_max'",
        ),
        (
            "production: true\nbilling_core: {clients: {a: {key_file: b, may: []}}, database_url: postgresql://x,"
            " hashing: {memory_kib: 8}}",
            "2:93: PINs would be tried out too cheaply",
        ),
        (
            "production: true\nbilling_core: {clients: {a: {key_file: b, may: []}}, simulated: true}",
            "payments and blocking would only be simulated",
        ),
        ("billing_core: {clients: {a: {key_file: b, may: [root]}}}", "1:49: 'root' is not one of the choices"),
        ("engine: {}", "1:1: 'billing_core' is missing"),
    ],
)
def test_a_mistake_has_its_place(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(StrictYamlError, match=r"config\.yaml") as error:
        read_config(written(tmp_path, text))
    assert mistake in str(error.value)
