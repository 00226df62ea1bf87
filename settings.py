"""Every setting of Vidura: read once from the environment (or `NAME_FILE`), by entry points only."""

import os
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads `NAME_FILE` where `NAME` itself is not set: the container way of handing over secrets."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        name = str(field.validation_alias or field_name)
        path = os.environ.get(f"{name}_FILE")
        return (Path(path).read_text().strip() if path else None), name, False

    def __call__(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for field_name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, field_name)
            if value is not None:
                found[key] = value
        return found


def as_role(url: str, role: str) -> str:
    """The same server and password with another role."""
    parts = urlsplit(url)
    password = f":{parts.password}" if parts.password else ""
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return parts._replace(netloc=f"{role}{password}@{host}").geturl()


class Section(BaseSettings):
    """One room's settings: frozen, environment first, then secret files, then defaults."""

    # Only aliases: by its own name, `home` would be read from HOME.
    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)


class Web(Section):
    """The edge: where it listens, what it accepts, how it signs."""

    host: str = Field("127.0.0.1", validation_alias="HOST")
    port: int = Field(8000, validation_alias="PORT")
    public_url: str = Field("", validation_alias="PUBLIC_URL")
    listen_fd: int | None = Field(None, validation_alias="VIDURA_LISTEN_FD")
    allowed_origins: str = Field("", validation_alias="ALLOWED_ORIGINS")
    jwt_private_key: SecretStr = Field(SecretStr(""), validation_alias="JWT_PRIVATE_KEY")
    access_token_seconds: int = 600
    refresh_token_seconds: int = 30 * 86_400
    max_body_bytes: int = Field(256 * 1024, validation_alias="MAX_BODY_BYTES")
    max_frame_bytes: int = Field(64 * 1024, validation_alias="MAX_FRAME_BYTES")
    max_subscriptions: int = Field(20, validation_alias="MAX_SUBSCRIPTIONS_PER_SOCKET")
    max_tokens: int = Field(1000, validation_alias="MAX_DOCUMENT_TOKENS")
    max_depth: int = Field(12, validation_alias="MAX_DOCUMENT_DEPTH")
    init_timeout_seconds: float = 5.0
    heartbeat_seconds: float = Field(10.0, validation_alias="HEARTBEAT_SECONDS")


class Database(Section):
    """Postgres: the owner's URL, and those of the two roles that work for it."""

    url: str = Field("", validation_alias="DATABASE_URL")
    app_url: str = Field("", validation_alias="DATABASE_APP_URL")
    work_url: str = Field("", validation_alias="DATABASE_WORK_URL")
    direct_url: str = Field("", validation_alias="DATABASE_DIRECT_URL")
    pool_size: int = Field(10, validation_alias="DATABASE_POOL_SIZE")

    @property
    def app(self) -> str:
        """For the web: sees only what the viewer may."""
        return self.app_url or as_role(self.url, "vidura_app")

    @property
    def work(self) -> str:
        """For control and workers: sees everything."""
        return self.work_url or as_role(self.url, "vidura_work")

    @property
    def direct(self) -> str:
        """For locks and LISTEN, which a transaction pooler cannot carry."""
        return self.direct_url or self.work


class Redis(Section):
    """Redis: live events and requests on one, the broker's keys on the other (or the same)."""

    url: str = Field("", validation_alias="REDIS_URL")
    broker_url: str = Field("", validation_alias="BROKER_REDIS_URL")


class Objects(Section):
    """Where bytes are kept, and what may be uploaded."""

    max_upload_bytes: int = Field(10 * 1024**3, validation_alias="MAX_UPLOAD_BYTES")
    part_bytes: int = Field(16 * 1024**2, validation_alias="UPLOAD_PART_BYTES")
    upload_seconds: int = Field(24 * 3600, validation_alias="UPLOAD_EXPIRES_SECONDS")
    master_key: SecretStr = Field(SecretStr(""), validation_alias="MASTER_KEY")


class Media(Section):
    """Limits of every child process that opens somebody's file."""

    max_pixels: int = Field(50_000_000, validation_alias="MAX_PIXELS")
    max_duration_seconds: float = Field(6 * 3600.0, validation_alias="MAX_DURATION_SECONDS")
    max_streams: int = 16
    memory_bytes: int = Field(3 * 1024**3, validation_alias="MEDIA_MEMORY_BYTES")


class Tasks(Section):
    """The pipeline: slots per queue, leases and attempts."""

    media_slots: int = Field(2, validation_alias="MEDIA_SLOTS")
    gpu_slots: int = Field(2, validation_alias="GPU_SLOTS")
    io_slots: int = Field(4, validation_alias="IO_SLOTS")
    lease_seconds: float = 30.0
    beat_seconds: float = 5.0
    sweep_seconds: float = 2.0
    max_attempts: int = 3

    def slots(self, queue: str) -> int:
        """How many stages of `queue` one worker process runs at a time."""
        return {"media": self.media_slots, "gpu": self.gpu_slots, "io": self.io_slots}[queue]


class Inference(Section):
    """Models: which weights, which device, which OpenAI-compatible service."""

    whisper_model: str = Field("base", validation_alias="WHISPER_MODEL")
    whisper_fetch: bool = Field(True, validation_alias="WHISPER_FETCH")
    vision_model: str = Field("", validation_alias="VISION_MODEL")
    text_model: str = Field("", validation_alias="TEXT_MODEL")
    devices: str = Field("", validation_alias="INFERENCE_DEVICES")
    openai_base_url: str = Field("", validation_alias="OPENAI_BASE_URL")
    openai_api_key: SecretStr = Field(SecretStr(""), validation_alias="OPENAI_API_KEY")
    chat_model: str = Field("gpt-4o-mini", validation_alias="OPENAI_CHAT_MODEL")
    transcribe_model: str = Field("", validation_alias="OPENAI_TRANSCRIBE_MODEL")
    chat_prompt_micros_per_1k: int = Field(0, validation_alias="OPENAI_PROMPT_MICROS_PER_1K")
    chat_answer_micros_per_1k: int = Field(0, validation_alias="OPENAI_ANSWER_MICROS_PER_1K")
    transcribe_micros_per_minute: int = Field(0, validation_alias="OPENAI_TRANSCRIBE_MICROS_PER_MINUTE")
    openai_timeout_seconds: float = Field(60.0, validation_alias="OPENAI_TIMEOUT_SECONDS")


class Settings(Section):
    """All of it, one section per room."""

    profile: Literal["development", "production"] = Field("production", validation_alias="VIDURA_PROFILE")
    home: Path = Field(Path(".vidura"), validation_alias="VIDURA_HOME")
    web: Web = Field(default_factory=lambda: Web())
    database: Database = Field(default_factory=lambda: Database())
    redis: Redis = Field(default_factory=lambda: Redis())
    objects: Objects = Field(default_factory=lambda: Objects())
    media: Media = Field(default_factory=lambda: Media())
    tasks: Tasks = Field(default_factory=lambda: Tasks())
    inference: Inference = Field(default_factory=lambda: Inference())

    @property
    def development(self) -> bool:
        """Whether conveniences (GraphiQL, open registration) are on."""
        return self.profile == "development"

    @property
    def base_url(self) -> str:
        """The URL others reach us by, without a trailing slash."""
        return self.web.public_url.rstrip("/") or f"http://{self.web.host}:{self.web.port}"
