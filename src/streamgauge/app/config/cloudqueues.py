"""Settings of collectors of Kafka and of clouds' queues."""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from streamgauge.app.config.queues import Queue, QueueWithAddress
from streamgauge.app.config.units import Duration


class QueueKafka(QueueWithAddress):
    """Kafka: every consumer group is a queue a topic, `topic/group`."""

    kind: Literal["kafka"]
    url: str = "kafka://127.0.0.1:9092"
    """Bootstrap servers, `kafka://host:port,host:port`; `kafkas://` for TLS."""
    sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    """How user and password are given; default: PLAIN where there is a user."""
    ca_file: str = ""
    """Certificates that are trusted, where the machine's own do not do."""

    @classmethod
    def schemes(cls) -> tuple[str, ...]:
        """Which URLs are accepted."""
        return ("kafka", "kafkas")


class QueueSqs(Queue):
    """Amazon SQS: every queue of a region."""

    kind: Literal["sqs"]
    every: Duration = Field(default=60.0, ge=1.0)
    """Between two looks; each asks for the list and for every queue, which is paid for."""
    region: str = ""
    """Default: what the machine's AWS configuration says."""
    endpoint: str = ""
    """Of a service that speaks SQS elsewhere."""
    access_key_file: str = ""
    """A file that holds the access key's id; default: the machine's role or AWS configuration."""
    secret_key_file: str = ""
    """A file that holds the secret access key."""
    session_token_file: str = ""
    """A file that holds a session token, where the key needs one."""
    cloudwatch: bool = True
    """Ask CloudWatch for the age of the oldest message: some minutes late, and paid for."""

    @property
    def shown(self) -> str:
        """Where it gathers, for people."""
        return self.endpoint or f"SQS in {self.region or 'the default region'}"

    @model_validator(mode="after")
    def _has_both_keys(self) -> Self:
        if bool(self.access_key_file) != bool(self.secret_key_file):
            raise ValueError("access_key_file and secret_key_file: set both or neither")
        return self


class QueuePubsub(Queue):
    """Google Pub/Sub: every subscription of a project, as Cloud Monitoring tells it."""

    kind: Literal["pubsub"]
    every: Duration = Field(default=60.0, ge=1.0)
    """Between two looks; a point a minute is all there is."""
    project: str
    """The project's id."""
    credentials_file: str = ""
    """A service account's key file; default: the machine's own credentials."""
    endpoint: str = ""
    """HOST:PORT of an emulator on this machine, without TLS and credentials."""

    @property
    def shown(self) -> str:
        """Where it gathers, for people."""
        return f"Pub/Sub of project {self.project}"

    @model_validator(mode="after")
    def _is_near(self) -> Self:
        host = urlsplit(f"//{self.endpoint}").hostname if self.endpoint else "127.0.0.1"
        if host not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("endpoint: a HOST:PORT on this machine; without it, Google's own")
        return self
