"""What a zoo says of a model: config.json for programs, README.md with Hugging Face's front matter for people."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pnc.arch import NetworkSpec
from pnc.base.errors import PncError, bad
from pnc.base.mapping import from_mapping


@dataclass(frozen=True)
class Content:
    """A file that is named by its content: its SHA-256 and its size in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Card:
    """A model of a zoo.

    ``spec`` has architecture, class names and preprocessing; ``fingerprint`` is what packages call the network;
    ``weights`` and ``signature`` say where its content lies; ``accuracy`` is in per cent, on ``dataset``.
    """

    name: str
    spec: NetworkSpec
    fingerprint: str
    weights: Content
    signature: Content | None = None
    accuracy: float | None = None
    dataset: str | None = None

    def config(self) -> bytes:
        """The content of config.json; equal cards give equal bytes."""
        names = {str(index): name for index, name in enumerate(self.spec.class_names)}
        whole = {"model_type": "pnc", "architectures": [self.spec.arch], "id2label": names, "pnc": asdict(self)}
        return f"{json.dumps(whole, indent=1, sort_keys=True)}\n".encode()

    @staticmethod
    def read(config: bytes, what: str) -> "Card":
        """Raises PncError, naming ``what``, unless it is the content of a config.json."""
        try:
            return from_mapping(Card, json.loads(config)["pnc"], "pnc")
        except (PncError, ValueError, KeyError, TypeError) as error:
            raise bad(what, expected="the config.json of a model", found=f"another file ({error})") from None

    def readme(self) -> bytes:
        """The content of README.md. Its front matter is JSON, line by line, and so is YAML."""
        front = "\n".join(f"{key}: {json.dumps(value)}" for key, value in self._front_matter().items())
        rows = "\n".join(f"| {what} | {value} |" for what, value in self.rows())
        return f"---\n{front}\n---\n# {self.name}\n\n| | |\n|---|---|\n{rows}\n".encode()

    def rows(self) -> list[tuple[str, str]]:
        """What the card says, line by line."""
        spec = self.spec
        per_channel = ", ".join(f"({mean:.4g}, {std:.4g})" for mean, std in zip(spec.mean, spec.std, strict=True))
        measured = "not measured" if self.accuracy is None else f"{self.accuracy:.1f} %"
        return [
            ("architecture", f"{spec.arch}, width {spec.width:g}"),
            ("classes", ", ".join(spec.class_names)),
            ("pictures", f"{spec.size}×{spec.size}, {spec.channels} channel{'s' * (spec.channels > 1)}, in [0, 1]"),
            ("preprocessing", f"inside the network; (mean, std) per channel: {per_channel}"),
            ("accuracy", measured + (f" on {self.dataset}" if self.dataset else "")),
            ("weights", f"{self.weights.bytes} bytes, SHA-256 {self.weights.sha256}"),
            ("signature", "none" if self.signature is None else f"{self.signature.bytes} bytes"),
            ("network's SHA-256", self.fingerprint),
        ]

    def _front_matter(self) -> dict[str, Any]:
        front: dict[str, Any] = {
            "library_name": "pnc",
            "pipeline_tag": "image-classification",
            "tags": ["partial-network-cloning", self.spec.arch],
        }
        if self.accuracy is not None:
            task, data = {"type": "image-classification"}, {"name": self.dataset or "", "type": self.dataset or ""}
            metric = {"type": "accuracy", "value": self.accuracy}
            result = {"task": task, "dataset": data, "metrics": [metric]}
            front["model-index"] = [{"name": self.name, "results": [result]}]
        return front
