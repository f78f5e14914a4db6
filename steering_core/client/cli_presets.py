"""`bearing presets …`: find mixes, pull them, put them together, and say how engines apply them."""

from typing import Annotated

import typer
from rich.console import Group
from rich.text import Text

from steering_core.client.hub_presets import Member
from steering_core.client.presets import PulledPreset
from steering_core.client.tables import facts, listing
from steering_core.client.text import clean
from steering_core.client.ui import Ui, command

Ref = Annotated[
    str, typer.Argument(metavar="REF", help="owner/name, owner/name@1.0.0 or owner/name@sha256:…")
]
Name = Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A preset of yours.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the tree."""
    group = typer.Typer(
        help="Find, pull, put together and publish presets: mixes of vectors with sliders.",
        rich_markup_mode=None,
        no_args_is_help=True,
    )
    command(group, "list", examples=["bearing presets list", "bearing presets list warm --owner acme"])(
        list_presets
    )
    command(group, "show", examples=["bearing presets show acme/helpful"])(show)
    command(group, "pull", examples=["bearing presets pull acme/helpful@1.0.0"])(pull)
    create_examples = [
        "bearing presets create acme/helpful --member acme/warmth=0.2 --member acme/formality@2.1.0=-0.1=Tone"
    ]
    command(group, "create", examples=create_examples)(create)
    command(group, "publish", examples=["bearing presets publish acme/helpful --version 1.0.0 --public"])(
        publish
    )
    command(group, "uses", examples=["bearing presets uses acme/helpful@1.0.0 --engine llama.cpp"])(uses)
    app.add_typer(group, name="presets")


def list_presets(
    ui: Ui,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Words.")] = "",
    owner: Annotated[str, typer.Option(metavar="OWNER", help="Only this owner's.")] = "",
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Only for this base model, by name or hash.")
    ] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Your own, unpublished ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
) -> None:
    """List presets, newest first."""
    items = ui.hub.preset_search(query, owner=owner, base_model=model, mine=mine, limit=limit)
    rows = []
    for item in items:
        latest = item.get("latest") or {}
        labels = ", ".join(latest.get("labels") or [])
        rows.append([f"{item['owner']}/{item['name']}", latest.get("version"), labels, latest.get("verdict")])
    shown = listing(["preset", "version", "sliders", "verdict"], rows, empty="no presets")
    ui.result({"items": items}, shown)


def show(ui: Ui, reference: Ref) -> None:
    """Show a version: its vectors, strengths and sliders."""
    version = ui.hub.preset_show(reference)
    known = [
        ("preset", f"{version['preset']}@{version.get('version') or 'draft'}"),
        ("title", version.get("title")),
        ("state", version.get("state")),
        ("verdict", version.get("verdict")),
        ("base model", (version.get("base_model") or {}).get("name")),
        ("mode", version.get("mode")),
        ("digest", version.get("digest")),
    ]
    rows = [
        [row["label"], row["reference"], f"{row['strength']:+g}", _range(row["range"]), row["access"]]
        for row in version["members"]
    ]
    shown = listing(["slider", "vector", "strength", "range", "access"], rows, empty="no presets")
    ui.result(version, facts(known), shown)


def pull(ui: Ui, reference: Ref) -> None:
    """Fetch a preset and all its vectors into the cache, and verify them."""
    show_pulled(ui, ui.hub.pull_preset(reference))


def show_pulled(ui: Ui, found: PulledPreset) -> None:
    """What came."""
    preset = found.preset
    strengths = preset.strengths()
    data = {
        "reference": found.reference,
        "version": found.version,
        "digest": found.digest,
        "path": str(found.path),
        "model": preset.model_name,
        "model_hash": preset.model_hash,
        "members": [
            {"reference": one.reference, "digest": one.digest, "label": one.label, "applied": strength}
            for one, strength in zip(preset.members, strengths, strict=True)
        ],
        "warnings": list(found.warnings),
    }
    known = [
        ("preset", f"{preset.name}@{found.version}"),
        ("digest", found.digest),
        ("verified", "the preset and its vectors have the promised digests and are valid files"),
    ]
    rows = [
        [one.label, one.reference, f"{strength:+.3g}", _range(one.range)]
        for one, strength in zip(preset.members, strengths, strict=True)
    ]
    ui.result(
        data, facts(known), listing(["slider", "vector", "applied at", "range"], rows, empty="no presets")
    )


def create(
    ui: Ui,
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A name that is not taken.")],
    member: Annotated[
        list[str],
        typer.Option(metavar="REF=STRENGTH[=LABEL]", help="A vector of the mix; may be given several times."),
    ],
    title: Annotated[str, typer.Option(metavar="TEXT", help="A few words.")] = "",
    mode: Annotated[str, typer.Option(metavar="MODE", help="sum or equal_dose.")] = "",
) -> None:
    """Put a mix together, as a draft. References are pinned to the versions that they mean now."""
    draft = ui.hub.preset_create(name, [member_of(text) for text in member], title=title, mode=mode)
    ui.say(f"made a draft of {draft['preset']}; publish it with bearing presets publish")
    ui.result(draft)


def publish(
    ui: Ui,
    name: Name,
    version: Annotated[str, typer.Option(metavar="X.Y.Z", help="MAJOR.MINOR.PATCH, never used before.")],
    public: Annotated[bool, typer.Option("--public", help="Show the preset to everybody.")] = False,
    draft: Annotated[str, typer.Option(metavar="ID", help="Which draft; the newest if not given.")] = "",
) -> None:
    """Freeze a draft under a version. It never changes again."""
    visibility = "public" if public else ""
    released = ui.hub.preset_publish(name, version=version, visibility=visibility, draft_id=draft)
    ui.say(f"published preset:{released['preset']}@{released['version']}")
    ui.result(released, facts([("preset", released["preset"]), ("digest", released["digest"])]))


def uses(
    ui: Ui,
    reference: Ref,
    engine: Annotated[str, typer.Option(metavar="ENGINE", help="Only this one; see bearing engines.")] = "",
) -> None:
    """Say how each engine applies a preset: commands, request bodies, code, or why it cannot."""
    items = ui.hub.preset_uses(reference, engine=engine)
    parts = []
    for item in items:
        lines = [*item["convert"], item["usage"]] if item["usage"] else [f"not possible: {item['reason']}"]
        parts.append(Group(Text(clean(item["title"]), "bold"), Text(clean("\n".join(lines))), Text("")))
    ui.result({"items": items}, *parts)


def member_of(text: str) -> Member:
    """`acme/warmth@1.0.0=0.2=Warmth`; a reference holds no `=`.

    Raises:
        BadParameter: it is not of that form.
    """
    reference, _, rest = text.partition("=")
    strength, _, label = rest.partition("=")
    try:
        return Member(reference, float(strength), label)
    except ValueError:
        raise typer.BadParameter(
            f"{text[:80]!a} is no member; expected REF=STRENGTH or REF=STRENGTH=LABEL"
        ) from None


def _range(ends: tuple[float, float] | list[float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g}"
