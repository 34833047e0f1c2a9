"""Plain text for character-level language models."""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch

from edgewise.data.cache import find, read_bytes
from edgewise.data.source import Data, LoadedData, checksum_of
from edgewise.foundation import DataError, SettingError


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CharacterText(Data):
    """A text cut into windows that follow each other without overlap; each character predicts the next.

    With T = context, sample i is the characters iT … iT+T−1, its targets iT+1 … iT+T. The vocabulary is
    every character of the whole text in the order of code points, whatever n is, so that subsets of one
    text share their tokens. `class_names` of what is loaded is the vocabulary.

    Args:
        path: a text file in UTF-8; None takes `tinyshakespeare/input.txt` in `EDGEWISE_DATA` or the cache.
        context: T, characters per sample.
        n: keep the first n samples.

    Raises:
        SettingError: if context or n is not positive.
    """

    path: str | None = None
    context: int = 64
    n: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("context", self.context), ("n", self.n)):
            if value is not None and value < 1:
                raise SettingError(
                    f"{name}={value}", "it counts characters or samples, so at least 1", f"Type {name}=64"
                )

    def load(self, dtype: torch.dtype = torch.float32) -> LoadedData:
        """Tokens as (n, context), int64; `dtype` has nothing to act on."""
        path = self._find()
        content = read_bytes(path, "a text")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}", f"it is not text in UTF-8 ({error})", "Convert it, for example with iconv -t utf-8"
            ) from error
        available = (len(text) - 1) // self.context
        n = available if self.n is None else self.n
        if not 0 < n <= available:
            raise SettingError(
                f"{n or 1} samples of {self.context} characters from {path}",
                f"its {len(text)} characters make {max(available, 0)}",
                "Ask for fewer samples, or for a smaller context",
            )
        code_points, tokens = np.unique(np.frombuffer(text.encode("utf-32-le"), "<u4"), return_inverse=True)
        window = torch.from_numpy(tokens[: n * self.context + 1].astype(np.int64))
        return LoadedData(
            name=path.parent.name if self.path is None else path.stem,
            inputs=window[:-1].reshape(n, self.context),
            targets=window[1:].reshape(n, self.context),
            classes=len(code_points),
            class_names=tuple(map(chr, code_points)),
            source=f"text from {path.resolve()} ({len(text):,} characters)",
            checksum=checksum_of((content,)),
        )

    def _find(self) -> Path:
        if self.path is not None:
            return Path(self.path).expanduser()
        return find("Tiny Shakespeare", ["tinyshakespeare/input.txt"], None, dataset="tinyshakespeare")
