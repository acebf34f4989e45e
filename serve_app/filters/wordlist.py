"""Word lists as they are written: entries of a policy and of files, checked, with their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from serve_app.config.policy import WordsRule
from serve_app.config.shipped import shipped
from serve_app.core.errors import PolicyRejected

MAX_FILE_BYTES = 16 << 20
MAX_WORD_CHARS = 200


def folded_words(words: WordsRule, name: str, fold: Callable[[str], str]) -> Iterator[str]:
    """The list's words as they are looked for, each at least once.

    Args:
        name: of the list, for error messages.

    Raises:
        PolicyRejected: a list that cannot be read, is empty, or holds a word that cannot match;
            names the list, and the file and line.
    """
    seen = 0
    for place, word in _entries(words, name):
        folded = fold(word)
        if not folded:
            raise PolicyRejected(f"{place}: {word!r} has no character that could be looked for")
        if len(folded) > MAX_WORD_CHARS:
            raise PolicyRejected(f"{place}: longer than {MAX_WORD_CHARS} characters")
        seen += 1
        yield folded
    if not seen:
        raise PolicyRejected(f"{name}: no words; give `words` or `file`")


def _entries(words: WordsRule, name: str) -> Iterator[tuple[str, str]]:
    """Each word with the place it stands at, for error messages."""
    for i, word in enumerate(words.words):
        yield f"{name}.words[{i}]", word
    if words.file is not None:
        lines = _read(name, words.file).splitlines()
        for number, line in enumerate(lines, start=1):
            word = line.strip()
            if word and not word.startswith("#"):
                yield f"{name}: {words.file}:{number}", word


def _read(name: str, file: str) -> str:
    try:
        path = Path(file) if Path(file).is_absolute() else shipped(file)
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise PolicyRejected(f"{name}.file: {file!r} is larger than {MAX_FILE_BYTES} bytes")
        return content.decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or str(error)
        raise PolicyRejected(f"{name}.file: {file!r}: {reason}") from error
    except UnicodeDecodeError as error:
        raise PolicyRejected(f"{name}.file: {file!r} is not UTF-8") from error
