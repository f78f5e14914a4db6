"""What the page of a person or an organisation shows: numbers over what the viewer may see of theirs, and one
tab's rows.
"""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from registry.accounts.models import Namespace
from registry.accounts.selectors import member_list
from registry.catalog.states import Verdict
from registry.datasets.selectors import dataset_list
from registry.discovery.facets import facet_counts
from registry.discovery.search import Wanted, vector_search
from registry.presets.selectors import preset_search
from registry.serving.selectors import downloads_of_owner
from registry.web.cards import preset_card, vector_card
from registry.web.paging import Page, paginate, paginate_found
from registry.web.tabs import Tab

TABS = {"vectors": "Vectors", "presets": "Presets", "datasets": "Datasets", "members": "Members"}
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Share:
    """How many newest versions have a verdict."""

    verdict: str
    count: int


@dataclass(frozen=True, slots=True)
class Profile:
    """The head of the page, and the rows of the tab that is open."""

    tabs: list[Tab]
    tab: str
    page: Page
    verdicts: list[Share]
    downloads: int
    recent_downloads: int


def profile_of(request: HttpRequest, owner: Namespace, role: str | None) -> Profile:
    """What a viewer sees of an owner. The number of queries does not depend on how much there is."""
    viewer, slug = request.user, owner.slug
    wanted = Wanted(owner=slug)
    counts = facet_counts(viewer=viewer, wanted=wanted)
    presets, datasets = preset_search(viewer=viewer, owner=slug), dataset_list(viewer=viewer, owner=slug)
    numbers = {
        "vectors": f"{counts.total}{'+' if counts.is_approximate else ''}",
        "presets": str(presets.count()),
        "datasets": str(datasets.count()),
    }
    if owner.is_organisation and role:
        numbers["members"] = str(owner.memberships.count())
    tab = request.GET.get("tab", "")
    tab = tab if tab in numbers else "vectors"
    mix = dict(counts.values["verdict"])
    total, recent = downloads_of_owner(viewer=viewer, owner=owner)
    return Profile(
        tabs=[Tab(f"?tab={key}", TABS[key], count, key == tab) for key, count in numbers.items()],
        tab=tab,
        page=_page(request, tab, slug, {"presets": presets, "datasets": datasets}),
        verdicts=[Share(verdict, mix[verdict]) for verdict in Verdict.values if mix.get(verdict)],
        downloads=total,
        recent_downloads=recent,
    )


def _page(request: HttpRequest, tab: str, slug: str, rows: dict[str, Any]) -> Page:
    if tab == "vectors":
        found = vector_search(viewer=request.user, wanted=Wanted(owner=slug), related=("downloads",))
        page = paginate_found(request, found, SHOWN)
        return Page([vector_card(row) for row in page.items], page.next_query, page.first_query)
    if tab == "members":
        assert request.user.is_authenticated  # only members have this tab
        return paginate(request, member_list(viewer=request.user, slug=slug))
    page = paginate(request, rows[tab], SHOWN)
    if tab == "presets":
        return Page([preset_card(row) for row in page.items], page.next_query, page.first_query)
    return page
