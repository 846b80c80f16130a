"""Cards: broken JSON, wrong fields, names and texts that hide or pretend something."""

from __future__ import annotations

import json
import unicodedata

from .cases import case
from .small_release import CARD, card, fields, release


def _card(label, code, data, good=None):
    case(f"card/{label}", code, {CARD: data}, {CARD: good or card()})


_text = card().decode()
for _label, _data in {
    "byte-order-mark": b"\xef\xbb\xbf" + card(),
    "trailing-data": card() + b"{}",
    "nan": _text.replace('"schema_version": 1', '"schema_version": NaN').encode(),
    "infinity": _text.replace('"schema_version": 1', '"schema_version": -Infinity').encode(),
    "5000-digits": _text.replace('"schema_version": 1', '"schema_version": ' + "1" * 5000).encode(),
    "deep": b"[" * 60_000,
    "deep-object": b'{"a":' * 10_000,
    "utf-16": _text.encode("utf-16"),
    "latin-1": _text.encode("latin-1", "replace")[:-1] + b"\xff}",
    "list": b"[]",
    "string": b'"card"',
    "null": b"null",
    "number": b"1",
    "yaml": b"schema_version: 1\nsystem: &a {name: x}\n",
    "single-quotes": b"{'schema_version': 1}",
    "comment": b"{} // comment",
    "torn": card()[:-2],
    "control-character": _text.replace("ridge", "rid\x01ge").encode(),
    "surrogate-bytes": b'{"a": "\xed\xa0\x80"}',
    "white-space": b"   \n",
}.items():
    _card(f"json-{_label}", "card.json", _data)
_card("json-65-kilobytes", "file.too_large", card("notes", "x" * 70_000), card("notes", "x" * 2000))
_card("json-100-megabytes-of-space", "file.too_large", card() + b" " * 10**6, card() + b" " * 1000)
_card("json-empty", "file.empty", b"")
_card("duplicate-key", "card.duplicate_key", (_text[:-1] + ', "submitter": "other"}').encode())
_card(
    "duplicate-key-deep",
    "card.duplicate_key",
    _text.replace('"name": "ridge"', '"name": "ridge", "name": "other"').encode(),
)
_card("duplicate-key-escaped", "card.duplicate_key", (_text[:-1] + ', "\\u0073ubmitter": "other"}').encode())
_card(
    "duplicate-keys-by-thousands",
    "card.duplicate_key",
    ("{" + ",".join(f'"{i % 2000}":1' for i in range(4000)) + "}").encode(),
)
_card("unknown-fields-by-thousands", "card.schema", json.dumps(fields() | {f"x{i}": 1 for i in range(5000)}).encode())

_REQUIRED = (
    "schema_version", "system", "speech_encoder", "text_encoder", "alignment", "submitter", "created", "benchmark",
    "system/name", "system/org", "system/revision", "system/licence", "speech_encoder/id", "text_encoder/id",
    "alignment/method", "alignment/trained_on_pairs", "benchmark/name", "benchmark/version", "benchmark/fingerprint",
)  # fmt: skip


def _without(pointer):
    document = json.loads(card())
    part = document
    *parents, last = pointer.split("/")
    for name in parents:
        part = part[name]
    del part[last]
    return json.dumps(document).encode()


for _pointer in _REQUIRED:
    _card(f"missing-{_pointer.replace('/', '-')}", "card.schema", _without(_pointer))
    for _value in (None, 7, True, [], {}, 1.5):
        if _pointer == "schema_version" and _value == 7:
            continue
        _kind = type(_value).__name__
        _card(f"{_kind}-for-{_pointer.replace('/', '-')}", "card.schema", card(_pointer, _value))
for _pointer in (
    "x",
    "system/x",
    "speech_encoder/x",
    "alignment/x",
    "benchmark/x",
    "System",
    "system/Name",
    "__proto__",
    "scores",
    "X",
):
    _card(f"unknown-{_pointer.replace('/', '-')}", "card.schema", card(_pointer, "x"))
for _value in (0, 2, "1", 1.0, True):
    _card(f"schema-version-{type(_value).__name__}-{_value}", "card.schema", card("schema_version", _value))
for _value in (-1, 10**13 + 1, "4", 4.0, True):
    _card(
        f"n-parameters-{type(_value).__name__}-{_value}",
        "card.schema",
        card("system/n_parameters", _value),
        card("system/n_parameters", 10**13),
    )

_LONGEST = card("system/name", "a" * 64)
for _label, _name in {
    "script": "<script>alert(1)</script>", "image": "<img src=x onerror=alert(1)>", "link": "[x](javascript:alert(1))",
    "table": "a|b", "formula": "$$\\href{javascript:1}{x}$$", "backtick": "`x`", "cell": "</td>", "space": "a b",
    "right-to-left": "a\u202eb", "isolate": "a\u2066b", "zero-width": "a\u200bb", "tag": "a\U000e0041b",
    "cyrillic": "wh\u0456sper", "full-width": "\uff57hisper", "65-characters": "a" * 65, "empty": "", "dot": ".",
    "parent": "..", "path": "a/b/c", "backslash": "a\\b", "device": "CON", "device-suffix": "nul.txt", "trailing-dot": "a.",
    "leading-dot": ".a", "newline": "a\n", "nul": "a\0", "emoji": "\U0001f469\u200d\U0001f52c", "sum": "=1+1",
    "percent": "%2e%2e", "drive": "C:",
}.items():  # fmt: skip
    _card(f"name-{_label}", "card.schema", card("system/name", _name), _LONGEST)
_card("org-double-underscore", "card.schema", card("system/org", "a__b"), card("system/org", "a_b"))
_card("org-device", "card.schema", card("system/org", "com1"), card("system/org", "com"))
_card("revision-path", "card.schema", card("system/revision", "../1"), card("system/revision", "1.0"))

for _label, _url in {
    "javascript": "javascript:alert(1)", "data": "data:text/html,x", "file": "file:///etc/passwd", "http": "http://a.org",
    "relative": "//a.org/x", "user": "https://me:secret@a.org", "address": "https://127.0.0.1/x",
    "metadata-service": "https://169.254.169.254/", "localhost": "https://localhost/", "address-6": "https://[::1]/",
    "bracket": "https://a.org/)[x](javascript:1)", "quote": 'https://a.org/"onmouseover="x', "space": "https://a.org/a b",
    "punycode": "https://xn--80ak6aa92e.com/", "punycode-below": "https://www.xn--80ak6aa92e.com/",
    "unicode": "https://\u0430pple.com", "port": "https://a.org:8080/",
    "bad-port": "https://a.org:99999/", "newline": "https://a.org/\nx", "empty-host": "https:///x", "long": "https://a.org/" + "x" * 300,
    "decimal-address": "https://2130706433.1/", "backslash": "https://a.org\\@b.org/",
}.items():  # fmt: skip
    _card(f"url-{_label}", "card.schema", card("system/url", _url), card("system/url", "https://huggingface.co/a/b"))

_IGBO = "Ụ̀wà Ṅnụ̀nụ̀ Ị̀gbò ọ́ ẹ̀"
for _label, _words in {
    "right-to-left": "a\u202eb", "isolate": "a\u2067b", "zero-width": "a\u200bb", "joiner": "a\u200db", "tag": "a\U000e0061",
    "mark-of-order": "\ufeffa", "no-break-space": "a\u00a0b", "ideographic-space": "a\u3000b", "private": "a\ue000b",
    "control": "a\x07b", "escape": "\x1b[31ma", "newline": "a\nb", "tab": "a\tb", "line-separator": "a\u2028b",
    "unassigned": "a\u0378b", "hangul-filler": "a\u3164b", "braille-blank": "a\u2800b",
    "grapheme-joiner": "a\u034fb", "variation-selector": "a\ufe0fb", "many-marks": "a" + "\u0301" * 5, "soft-hyphen": "a\u00adb",
}.items():  # fmt: skip
    _card(f"text-{_label}", "card.schema", card("submitter", _words), card("submitter", _IGBO))
    _card(f"notes-{_label}", "card.schema", card("notes", _words), card("notes", unicodedata.normalize("NFD", _IGBO)))
for _label, _letters in (("acute", "a\u0301"), ("enclosing", "a\u20dd"), ("nothing-below", "\u0323")):
    _letter, _mark = _letters[:-1], _letters[-1]
    _card(
        f"text-five-marks-{_label}",
        "card.schema",
        card("submitter", _letter + 5 * _mark),
        card("submitter", _letter + 4 * _mark + "b" + 4 * _mark),
    )
_card("text-surrogate", "card.schema", card("submitter", "SURROGATE").replace(b"SURROGATE", b"\\ud800"))
_card("text-empty", "card.schema", card("submitter", ""), card("notes", ""))
_card("text-blank", "card.schema", card("submitter", "   "), card("submitter", "a b"))
_card("text-trailing-space", "card.schema", card("submitter", "a "), card("text_encoder/prompt", "query: "))
_card("text-201", "card.schema", card("submitter", "x" * 201), card("submitter", "x" * 200))
_card("notes-2001", "card.schema", card("notes", "x" * 2001), card("notes", "x" * 2000))
for _day in (
    "2026-02-30",
    "2026-13-01",
    "02.01.2026",
    "2026-1-2",
    "20260102",
    "2026-01-02T00:00:00Z",
    "yesterday",
    "0000-00-00",
    "२०२६-०१-०२",
):
    _card(f"day-{_day.replace(':', '')}", "card.schema", card("created", _day), card("created", "2024-02-29"))
for _claim in ("None", "all ", "test", "", "train,test"):
    _card(
        f"trained-on-{_claim or 'nothing'}",
        "card.schema",
        card("alignment/trained_on_pairs", _claim),
        card("alignment/trained_on_pairs", "all"),
    )
_card("transductive-number", "card.schema", card("alignment/transductive", 1), card("alignment/transductive", "csls"))

_own = release().benchmark()
_card("benchmark-name", "card.benchmark", card("benchmark/name", "demo"))
_card("benchmark-version", "card.benchmark", card("benchmark/version", "9.9"))
_card("fingerprint-other", "card.fingerprint", card("benchmark/fingerprint", "cd" * 32))
_card("fingerprint-upper-case", "card.schema", card("benchmark/fingerprint", _own["fingerprint"].upper()))
_card("fingerprint-short", "card.schema", card("benchmark/fingerprint", _own["fingerprint"][:-1]))
_card("fingerprint-newline", "card.schema", card("benchmark/fingerprint", _own["fingerprint"] + "\n"))
