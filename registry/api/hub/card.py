"""A version's card: Markdown under a head of metadata, as model pages of the Hub have it."""

import json
from typing import Any

from django.conf import settings

from registry.catalog.models import VectorVersion

LIBRARY = "bearing"
_TEXT = """# {title}

{description}

A steering vector for `{base_model}`: version {version}, verdict **{verdict}**{grade}. {summary}

```python
from steering_core.client import pull
from steering_core.injection import steer

vector = pull("{name}@{version}")
with steer(model, [(vector, {strength})]):
    model.generate(**inputs)
```

| | |
| --- | --- |
| File | `{digest}` |
| Model hash | `{model_hash}` |
| Strengths that work | {window} |
| Report, pairs, other engines' forms | <{page}> |
{card}"""


def card_data(row: VectorVersion) -> dict[str, Any]:
    """The metadata of a version in the Hub's words."""
    return {
        "license": row.license.lower(),
        "base_model": row.base_model.name,
        "library_name": LIBRARY,
        "tags": tags_of(row),
    }


def tags_of(row: VectorVersion) -> list[str]:
    """What it may be searched by."""
    said = ["steering-vector", row.vector.trait, f"verdict:{row.verdict}"]
    return [tag for tag in said if tag]


def card_text(row: VectorVersion) -> str:
    """The card as `README.md`."""
    # JSON is YAML, and needs no library to write.
    head = "".join(f"{key}: {json.dumps(value)}\n" for key, value in card_data(row).items())
    vector, window = row.vector, (row.manifest or {}).get("window")
    text = _TEXT.format(
        title=vector.title or str(vector),
        description=vector.description or f"Version {row.version} of `{vector}`.",
        base_model=row.base_model.name,
        name=str(vector),
        version=row.version,
        verdict=row.verdict,
        grade=f", grade {row.grade}" if row.grade else "",
        summary=(row.report or {}).get("summary", ""),
        strength=round(window[1] / 2, 3) if window else 0.2,
        digest=row.digest,
        model_hash=row.base_model.model_hash,
        window=f"{window[0]:g} to {window[1]:g}" if window else "not known",
        card=f"\n{vector.card_text}\n" if vector.card_text else "",
        page=f"{settings.PUBLIC_URL}/{vector}/versions/{row.version}",
    )
    return f"---\n{head}---\n{text}"
