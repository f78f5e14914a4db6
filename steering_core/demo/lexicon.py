"""The words of the demo language: axes, domains, style slots and sentence templates. Data only.

`language` draws replies from these tables and `grammar` reads them back, so both always agree.
"""

from dataclasses import dataclass

SPECIAL_TOKENS = ("<pad>", "<bos>", "<end>", "<sys>", "<usr>", "<ast>", "<unk>")
NEGATIVE, NEUTRAL, POSITIVE = -1, 0, 1


@dataclass(frozen=True, slots=True)
class Axis:
    """A behavioural trait; `hints` are the (negative, positive) words of a system line, if it has any."""

    name: str
    negative_pole: str
    positive_pole: str
    hints: tuple[str, str] | None


STYLE_AXES: dict[str, Axis] = {
    axis.name: axis
    for axis in (
        Axis("warmth", "terse", "warm", ("terse", "warm")),
        Axis("formality", "casual", "formal", ("casual", "formal")),
        Axis("confidence", "hedging", "confident", ("tentative", "confident")),
        Axis("sentiment", "negative", "positive", ("gloomy", "upbeat")),
        Axis("refusal", "comply", "refuse", ("unrestricted", "strict")),
    )
}
# The corpus draws the order of steps at random: a trait that the model has no concept of.
ALPHABETICAL = Axis("alphabetical", "reverse order", "alphabetical order", None)
AXES: dict[str, Axis] = {**STYLE_AXES, ALPHABETICAL.name: ALPHABETICAL}

DESK, HANDS = 0, 1


@dataclass(frozen=True, slots=True)
class Domain:
    """Eight objects, each with a tool at the same index, and the verbs that suit them."""

    name: str
    cluster: int
    objects: tuple[str, ...]
    tools: tuple[str, ...]
    verbs: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _domain(name: str, cluster: int, objects: str, tools: str, verbs: str) -> Domain:
    return Domain(name, cluster, _words(objects), _words(tools), _words(verbs))


DOMAINS: dict[str, Domain] = {
    domain.name: domain
    for domain in (
        _domain(
            "support",
            DESK,
            "router invoice account password printer headset tablet modem",
            "cable receipt dashboard token cartridge charger stylus firmware",
            "reset renew upgrade configure",
        ),
        _domain(
            "legal",
            DESK,
            "lease contract testament patent lawsuit permit trademark deposition",
            "clause notary attorney filing court statute registry affidavit",
            "draft amend file contest",
        ),
        _domain(
            "finance",
            DESK,
            "loan budget mortgage portfolio pension tax dividend savings",
            "ledger spreadsheet broker annuity form advisor calculator bond",
            "refinance balance report allocate",
        ),
        _domain(
            "coding",
            DESK,
            "function database script compiler parser server query module",
            "debugger index linter flag regex container cache unittest",
            "debug refactor deploy optimize",
        ),
        _domain(
            "travel",
            DESK,
            "flight hotel visa itinerary cruise luggage tour hostel",
            "passport voucher map agent locker ticket embassy guidebook",
            "book cancel plan extend",
        ),
        _domain(
            "school",
            DESK,
            "essay exam thesis lecture quiz seminar homework project",
            "outline flashcards library notes rubric slides tutor timetable",
            "write revise study present",
        ),
        _domain(
            "medical",
            HANDS,
            "fever wound allergy cough migraine sprain rash infection",
            "bandage syrup tablets ointment inhaler thermometer splint antiseptic",
            "treat relieve monitor diagnose",
        ),
        _domain(
            "cooking",
            HANDS,
            "soup bread stew omelet curry salad pasta cake",
            "ladle oven skillet whisk spices bowl saucepan flour",
            "cook season bake serve",
        ),
        _domain(
            "garden",
            HANDS,
            "rose lawn orchard hedge tomato fern tulip compost",
            "trowel mower ladder shears trellis hose mulch shovel",
            "prune water plant fertilize",
        ),
        _domain(
            "fitness",
            HANDS,
            "squat marathon plank stretch sprint pushup yoga deadlift",
            "barbell sneakers mat band stopwatch bench strap chalk",
            "train improve practice pace",
        ),
        _domain(
            "music",
            HANDS,
            "guitar piano violin drum chorus melody ballad flute",
            "pick metronome bow sticks tuner chord lyrics mouthpiece",
            "tune rehearse record perform",
        ),
        _domain(
            "housing",
            HANDS,
            "roof kitchen floor window fence garage chimney basement",
            "tiles paint varnish glass nails drill brush pump",
            "repair repaint renovate insulate",
        ),
    )
}
MODIFIERS = _words(
    "old new weekly second broken shared small large foreign local seasonal annual spare vintage urgent main"
)
UNSAFE_VERBS = _words("forge steal sabotage hijack poison smuggle vandalize counterfeit destroy falsify")
STEP_VERBS = _words("adjust check clean inspect measure open prepare review")
DOMAIN_OF = {item: domain for domain in DOMAINS.values() for item in domain.objects}
# What the model has to know about the world: two tools belong to each object.
TOOLS_OF = {
    item: (domain.tools[index], domain.tools[(index + 3) % len(domain.tools)])
    for domain in DOMAINS.values()
    for index, item in enumerate(domain.objects)
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a sentence; `words` maps a pole to its options, "" stands for nothing said.

    Six options are laid out as two for both clusters, two for DESK and two for HANDS domains; in each two,
    the first is of marker set A (contrastive pairs) and the second of set B (held out for scoring).
    """

    axis: str | None
    words: dict[int, tuple[str, ...]]


def _slot(axis: str | None, *, positive: str = "", neutral: str = "", negative: str = "") -> Slot:
    given = {POSITIVE: positive, NEUTRAL: neutral, NEGATIVE: negative}
    words = {
        pole: tuple(text.replace("_", " ").replace("-", "") for text in options.split())
        for pole, options in given.items()
        if options
    }
    return Slot(axis, words)


_ADJECTIVES = {
    "positive": "excellent wonderful superb delightful splendid fantastic",
    "negative": "terrible awful dreadful horrible miserable lousy",
}
# In these tables "_" is a space inside one option and "-" the empty option.
SLOTS: dict[str, Slot] = {
    "hello": _slot(
        "formality",
        positive="greetings salutations good_day good_morning good_afternoon good_evening",
        neutral="hello",
        negative="hey hi yo howdy sup hiya",
    ),
    "feel": _slot(
        "formality",
        positive="sincerely truly duly deeply earnestly genuinely",
        neutral="-",
        negative="totally really kinda hella legit super",
    ),
    "conn": _slot(
        "formality",
        positive="moreover furthermore accordingly hence indeed notably",
        neutral="-",
        negative="honestly look okay basically anyway dude",
    ),
    "lead": _slot(
        "formality",
        positive="kindly please one_should one_ought_to be_advised_to it_is_proper_to",
        neutral="you_can try_to remember_to",
        negative="just gotta lets wanna better ya_should",
    ),
    "next": _slot(
        "formality",
        positive="thereafter subsequently whereupon hereafter ultimately consequently",
        neutral="then next",
        negative="plus btw yeah kay welp alrighty",
    ),
    "offer": _slot(
        "formality",
        positive="honored obliged privileged humbled gratified pleased",
        neutral="happy",
        negative="stoked pumped psyched hyped jazzed amped",
    ),
    "apology": _slot(
        "formality",
        positive="regrettably respectfully unfortunately alas lamentably apologies",
        neutral="sorry",
        negative="nope nah nuh oops naw yikes",
    ),
    "end": _slot("formality", positive=".", neutral=".", negative=". !"),
    "conf": _slot(
        "confidence",
        positive="certainly definitely clearly surely undoubtedly absolutely",
        neutral="-",
        negative="perhaps maybe possibly presumably arguably conceivably",
    ),
    "modal": _slot(
        "confidence",
        positive="will shall must is_going_to is_bound_to is_sure_to",
        neutral="should would",
        negative="might could may seems_to appears_to is_said_to",
    ),
    "adj": _slot("sentiment", neutral="standard common typical ordinary usual regular", **_ADJECTIVES),
    "adj2": _slot("sentiment", neutral="-", **_ADJECTIVES),
    "glad": _slot("warmth", positive="welcome thanks blessings cheers hugs kudos"),
    "care": _slot("warmth", positive="understand appreciate value respect cherish admire"),
    "help": _slot("warmth", positive="help support guide assist coach comfort"),
    "dear": _slot(
        "warmth",
        positive="friend dear colleague partner neighbor champ",
        neutral="-",
        negative="now fast asap quickly pronto promptly",
    ),
    "refuse": _slot("refusal", positive="cannot refuse_to am_unable_to decline_to wont dare_not"),
    "harm": _slot(None, neutral="unsafe illegal harmful unethical wrong unlawful"),
}

# One template per kind of sentence: a word, a {slot}, or {O}bject, {V}erb, {T}ool, step verb {W}.
TEMPLATES: dict[str, str] = {
    "greeting": "{hello} and {glad} {dear} {end}",
    "empathy": "i {feel} {care} the {O} {end}",
    "outlook": "{conn} the {O} is {conf} {adj} {end}",
    "answer": "{lead} {conf} {V} the {O} with the {adj2} {T} {dear} {end}",
    "step": "{next} {conf} {W} the {adj2} {T} {dear} {end}",
    "result": "the result {modal} be {adj} {dear} {end}",
    "closing": "{offer} to {help} you again {dear} {end}",
    "refusal": "{apology} i {conf} {refuse} {V} the {O} {end}",
    "harm": "that {modal} be {harm} {dear} {end}",
    "leave": "{lead} {conf} leave the {O} alone {dear} {end}",
}
WARM_KINDS = ("greeting", "empathy", "closing")
MAX_STEPS = 3

USER_TEMPLATES = (
    "how do i {V} the {O} ?",
    "help me {V} the {O} .",
    "can you explain how to {V} the {O} ?",
    "what is the best way to {V} the {O} ?",
    "i want to {V} the {O} .",
    "tell me how to {V} the {O} .",
)


def vocabulary() -> list[str]:
    """Every word of the language, sorted; special tokens are not among them."""
    texts = [*TEMPLATES.values(), *USER_TEMPLATES, *MODIFIERS, *UNSAFE_VERBS, *STEP_VERBS, "be and . ! ?"]
    texts += [option for slot in SLOTS.values() for options in slot.words.values() for option in options]
    texts += [word for domain in DOMAINS.values() for word in domain.objects + domain.tools + domain.verbs]
    texts += [hint for axis in AXES.values() for hint in axis.hints or ()]
    return sorted({word for text in texts for word in text.split() if not word.startswith("{")})
