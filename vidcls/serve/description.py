"""The OpenAPI description of a server -> a plain page of it, which loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""What the page may load: nothing but the style in it."""
STYLE = """:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
margin: 2rem auto; padding: 0 1rem } code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse } td { padding: .1rem 1rem .1rem 0; vertical-align: top }"""


def page_of(described: Mapping[str, Any]) -> str:
    """The page of what an application's ``openapi()`` gives."""
    info, schemas = described["info"], described.get("components", {}).get("schemas", {})
    title = escape(f"{info['title']} {info['version']}")
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><h1>{title}</h1>',
        f"<p>{escape(info.get('description', ''))}</p>",
        '<p>For generators of clients: <a href="/openapi.json">/openapi.json</a></p>',
    ]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            parts += _operation(path, method, operation, schemas)
    return "\n".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation.get('description', ''))}</p>"
    rows = [(found["name"], found.get("description", "")) for found in operation.get("parameters", ())]
    if rows:
        yield f"<h3>Query</h3>{_table(rows)}"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Body, as <code>{escape(kind)}</code></h3>{_table(_fields(content.get('schema', {}), schemas))}"
    rows = []
    for status, answer in operation.get("responses", {}).items():
        if status == "422" and "HTTPValidationError" in str(answer):
            continue  # FastAPI's own, which this server does not answer with
        fields = _fields(answer.get("content", {}).get("application/json", {}).get("schema", {}), schemas)
        names = ", ".join(name for name, _ in fields)
        rows.append((status, f"{answer.get('description', '')}{f': {names}' if names else ''}"))
    yield f"<h3>Answers</h3>{_table(rows)}"


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and descriptions of the fields of an object."""
    found = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return [(name, about.get("description", "")) for name, about in found.get("properties", {}).items()]


def _table(rows: list[tuple[str, str]]) -> str:
    cells = (f"<tr><td><code>{escape(name)}</code><td>{escape(about)}" for name, about in rows)
    return f"<table>{''.join(cells)}</table>"
