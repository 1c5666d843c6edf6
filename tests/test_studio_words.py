"""The Studio's source: two languages that say the same, and the server's own contract."""

import json
import re
from pathlib import Path

import pytest

from worldreel.app.server.application import openapi

STUDIO = Path(__file__).parents[1] / "studio"
SOURCE = STUDIO / "src"
HAN = re.compile(r"[\u4e00-\u9fff]")
ENTRY = re.compile(r'^  "?([\w.]+)"?:\s*("(?:[^"\\]|\\.)*"),$', re.MULTILINE)
BEGINNINGS = "idea."
"""What the default model understands stays in English: its text encoder knows no other."""


def words(language: str) -> dict[str, str]:
    text = (SOURCE / "words" / f"{language}.ts").read_text("utf-8")
    return {key: json.loads(value) for key, value in ENTRY.findall(text)}


def test_both_languages_have_every_key_with_the_same_blanks():
    english, chinese = words("en"), words("zh")
    assert len(english) > 300
    assert english.keys() == chinese.keys()
    blanks = re.compile(r"\{\w+\}")
    for key, text in english.items():
        assert sorted(blanks.findall(text)) == sorted(blanks.findall(chinese[key])), key


def test_chinese_is_chinese():
    odd = [
        key
        for key, text in words("zh").items()
        if not key.startswith(BEGINNINGS)
        and not HAN.search(text)
        and re.search(r"[A-Za-z]{2}", re.sub(r"\{\w+\}", "", text))
    ]
    assert odd == []


def test_every_key_is_used_and_every_used_key_is_there():
    source = "\n".join(
        path.read_text("utf-8")
        for path in SOURCE.rglob("*.ts*")
        if "generated" not in path.parts and "words" not in path.parts
    )
    source += (SOURCE / "words" / "words.tsx").read_text("utf-8")
    families = re.findall(r"`([\w.]+\.)\$\{", source)
    families += [f"{name}." for name in re.findall(r'count\("([\w.]+)"', source)]
    unused = [
        key
        for key in words("en")
        if f'"{key}"' not in source and not any(key.startswith(start) for start in families)
    ]
    assert unused == []


def test_no_words_stand_in_the_page_outside_of_the_dictionaries():
    text = re.compile(r">\s*([A-Za-z][a-z]{2,}[^<>{}=;()]*)</")
    spoken = re.compile(r'(?:aria-label|title|placeholder|alt)="([^"]+)"')
    found = [
        (path.name, said)
        for path in SOURCE.rglob("*.tsx")
        for pattern in (text, spoken)
        for said in pattern.findall(path.read_text("utf-8"))
    ]
    assert found == []


def test_the_contract_beside_the_page_is_the_server_s():
    kept = json.loads((STUDIO / "openapi.json").read_text("utf-8"))
    same = kept == json.loads(json.dumps(openapi()))
    assert same, "python scripts/export_openapi.py, then make studio"


@pytest.mark.parametrize("name", ["package-lock.json", "package.json", ".npmrc"])
def test_no_registry_is_named(name):
    assert "registry.npmjs" not in (STUDIO / name).read_text("utf-8")
    assert '"resolved"' not in (STUDIO / name).read_text("utf-8")


def test_no_file_of_the_page_is_longer_than_three_hundred_lines():
    parts = [path for path in SOURCE.rglob("*.ts*") if "generated" not in path.parts]
    long = {path.name: len(path.read_text("utf-8").splitlines()) for path in parts}
    dictionaries = {"en.ts", "zh.ts"}
    assert {name for name, count in long.items() if count > 300} <= dictionaries
