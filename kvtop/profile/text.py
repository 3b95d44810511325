"""Text from outside (symbols, thread names, file names, log lines) made safe to show."""

from __future__ import annotations

DEFAULT_LIMIT = 1024


def safe_text(raw: str, limit: int = DEFAULT_LIMIT) -> str:
    """Return ``raw`` as one line of printable text of at most ``limit`` characters.

    Every character that ``str.isprintable`` refuses (control characters and so ANSI sequences,
    bidirectional and zero-width controls, line separators, lone surrogates, spaces other than
    U+0020) becomes its visible escape, ``\\x1b`` or ``\\u202e``. What is cut off shows as ``…``.
    Terminal markup and XML have their own escapes; this one knows nothing of them.
    """
    if limit < 1:
        return ""
    text = raw[: limit + 1]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escape(ord(c)) for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _escape(code: int) -> str:
    if code == 0x09:
        return "\\t"
    if code == 0x0A:
        return "\\n"
    if code == 0x0D:
        return "\\r"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
