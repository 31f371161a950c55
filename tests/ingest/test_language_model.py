"""The language model is unpacked into a temporary file when it is first asked."""

from __future__ import annotations

import errno
import os
from typing import Any, NoReturn

import pytest
from py3langid.langid import LanguageIdentifier

from ingest.documents import language
from stream.errors import Unavailable


def test_a_full_disk_is_waited_for_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    language._identifier.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(LanguageIdentifier, "from_model_file", full)
        with pytest.raises(Unavailable, match=r"No space left .*free some space"):
            language.identify("The river floods seven streets", "in town")
    assert language.identify("The river floods seven streets", "in this old town") == "en"
