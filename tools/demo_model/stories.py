"""Plain little stories and short essays written for the demo model, as a grammar.

In a text, `[a|b]` is one of its parts, `<rule>` a rule of RULES, and `{slot}` a word of the story at hand.
The slots of a story stay the same from its first sentence to its last, so names, pronouns and things do.
The plots are in plots.py.
"""
from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from plots import ESSAYS, PLOTS, RULES

GIRLS = ("Anna Clara Emma Grace Ida Kate Mary Nina Rosa Vera Zoe Alice Lucy Sara Heidi Ella Mia Lily "
         "Jane Molly").split()
BOYS = ("Ben David Felix Henry Jack Leo Oscar Paul Sam Tom Will Peter Max John Mark Hans Tim Jim "
        "Robin Finn").split()
PETS = ("Pip Dot Fern Toby Milo Poppy Coco Basil Rusty Willow Jasper Pepper Hazel Biscuit Clover Pebble "
        "Sunny Bramble Button Rufus").split()
ANIMALS = ("fox rabbit bear mouse cat dog hedgehog duck frog squirrel wolf pony goat hen lamb badger "
           "deer mole beaver turtle sparrow crow donkey pig lion owl").split()
PEOPLE = {"he": ("fisherman", "farmer", "baker", "king", "prince", "miller", "shepherd", "tailor",
                 "giant", "gardener", "woodcutter", "sailor", "old man", "dragon", "robot"),
          "she": ("queen", "princess", "farmer", "baker", "weaver", "painter", "gardener",
                  "shepherdess", "old woman", "teacher", "witch")}
LOOKS = ("little", "small", "young", "old", "brave", "clever", "kind", "shy", "lazy", "curious",
         "cheerful", "lonely", "hungry", "poor", "proud")
SMALL_BEASTS = ("mouse", "bird", "bee", "ant", "butterfly", "beetle", "frog", "snail", "sparrow")
HELPERS = {"he": ("old owl", "old man", "kind farmer", "wise turtle", "big bear", "old crow"),
           "she": ("old woman", "kind baker", "white swan", "grey goose", "wise hen", "brown deer")}
THINGS = ("red ball", "blue hat", "silver bell", "golden key", "little book", "warm coat", "green scarf",
          "small lamp", "wooden boat", "shiny ring", "yellow kite", "old clock", "brown basket",
          "red umbrella", "white cup", "little drum", "woollen blanket", "pair of shoes")
FOODS = ("apples", "bread", "soup", "cake", "cheese", "honey", "pancakes", "berries", "nuts", "pears",
         "cherries", "plums", "carrots")
WISHES = ("see the sea", "climb the high mountain", "fly like a bird", "see the big city",
          "touch the moon", "find the end of the rainbow", "sail across the lake",
          "see the snow on the mountains", "learn to sing", "learn to dance", "find a true friend",
          "hear the song of the sea")
JOURNEYS = ("see the sea", "climb the high mountain", "see the big city", "find the end of the rainbow",
            "see the snow on the mountains", "hear the song of the sea", "see the great waterfall",
            "visit the castle on the hill", "see where the river begins")
SKILLS = ("swim", "sing", "dance", "bake bread", "read", "ride a horse", "play the flute", "paint",
          "climb trees", "skate on the ice", "write", "play the drum", "row a boat", "count to a hundred")
PRONOUNS = {"he": ("he", "him", "his", "himself"), "she": ("she", "her", "her", "herself")}


@dataclass(frozen=True)
class Who:
    """A figure: how a story brings it in, what it calls it after that, and the pronoun."""
    intro: str
    names: tuple[str, ...]
    pronoun: str
    kind: str  # what a reader would ask for: "fox", "girl"

    def slots(self, role: str, rng: random.Random) -> dict[str, Callable[[], str]]:
        he, him, his, himself = PRONOUNS[self.pronoun]
        prefix = {"hero": "", "friend": "f_", "helper": "h_"}[role]
        words = {prefix + "he": he, prefix + "him": him, prefix + "his": his,
                 prefix + "himself": himself, f"a_{role}": self.intro}
        made: dict[str, Callable[[], str]] = {k: (lambda v=v: v) for k, v in words.items()}
        return made | {role: lambda: rng.choice(self.names)}


def make_animal(rng: random.Random, pronoun: str, kind: str = "") -> Who:
    kind = kind or rng.choice(ANIMALS)
    look = rng.choice(LOOKS) + " " if rng.random() < 0.75 else ""
    if rng.random() < 0.35:
        name = rng.choice(PETS)
        return Who(f"a {look}{kind} [named|called] {name}", (name, name, f"the {kind}"), pronoun, kind)
    names = (f"the {kind}",) if look not in ("little ", "old ") else (
        f"the {kind}", f"the {kind}", f"the {look}{kind}")
    return Who(f"a {look}{kind}", names, pronoun, kind)


def make_child(rng: random.Random, pronoun: str) -> Who:
    kind, names = ("girl", GIRLS) if pronoun == "she" else ("boy", BOYS)
    name = rng.choice(names)
    look = rng.choice(("little ", "small ", "young ", "kind ", "brave ", "clever ", "poor ", ""))
    return Who(f"a {look}{kind} [named|called] {name}", (name,), pronoun, kind)


def make_person(rng: random.Random, pronoun: str, kind: str = "") -> Who:
    kind = kind or rng.choice(PEOPLE[pronoun])
    look = "" if kind.startswith("old") else rng.choice(
        ("old ", "young ", "poor ", "kind ", "lonely ", "lazy ", "proud ", "", ""))
    return Who(f"a {look}{kind}", (f"the {kind}",), pronoun, kind)


def make_hero(rng: random.Random, pronoun: str, kind: str = "") -> Who:
    if kind in ("girl", "boy"):
        return make_child(rng, "she" if kind == "girl" else "he")
    if kind in ANIMALS:
        return make_animal(rng, pronoun, kind)
    for own, kinds in PEOPLE.items():
        if kind in kinds:
            return make_person(rng, own, kind)
    return rng.choices((make_animal, make_child, make_person), (5, 4, 2))[0](rng, pronoun)


def expand(rng: random.Random, text: str) -> str:
    """Rules and alternatives, innermost first, until none is left."""
    while match := re.search(r"<(\w+)>|\[([^\[\]]*)\]", text):
        part = RULES[match[1]] if match[1] else rng.choice(match[2].split("|"))
        text = text[:match.start()] + part + text[match.end():]
    return text


def fill(rng: random.Random, text: str, slots: dict[str, Callable[[], str]]) -> str:
    """Expands, puts the words in, and sets capitals and articles."""
    text = expand(rng, text)
    while match := re.search(r"\{(\w+)\}", text):
        name = match[1]
        word = slots[name[0].lower() + name[1:]]()
        word = expand(rng, word)
        text = text[:match.start()] + (word[0].upper() + word[1:] if name[0].isupper() else word) + \
            text[match.end():]
    text = re.sub(r" *\n *", "\n\n", re.sub(r" {2,}", " ", text.strip()))
    text = re.sub(r"\b([Aa]) (?=[aeiou])(?!one|use|uni)", r"\1n ", text)
    # After `, "` a sentence goes on; after `!"` and `?"` come words like "asked".
    return re.sub(r'((?:^|\n|[.!?] |\." )"?)([a-z])', lambda m: m[1] + m[2].upper(), text)


def story(rng: random.Random, kind: str = "", plot: str = "") -> tuple[Who, str]:
    """A story whose hero is of `kind`, if that is given."""
    pronoun = rng.choice(("he", "she"))
    hero = make_hero(rng, pronoun, kind)
    other = "she" if hero.pronoun == "he" else "he"
    friend = make_child(rng, other) if rng.random() < 0.3 else make_animal(rng, other)
    while friend.kind == hero.kind or set(friend.names) & set(hero.names):
        friend = make_animal(rng, other)
    helper_kind = rng.choice(HELPERS[other])
    helper = Who(f"a {helper_kind}", (f"the {helper_kind}",), other, helper_kind)
    slots: dict[str, Callable[[], str]] = {}
    for role, who in (("hero", hero), ("friend", friend), ("helper", helper)):
        slots |= who.slots(role, rng)
    picks = {"thing": rng.choice(THINGS), "food": rng.choice(FOODS), "wish": rng.choice(WISHES),
             "goal": rng.choice(JOURNEYS), "skill": rng.choice(SKILLS),
             "beast": rng.choice([b for b in SMALL_BEASTS if b not in (hero.kind, friend.kind)]),
             "girl": rng.choice([n for n in GIRLS if n not in hero.names + friend.names])}
    slots |= {k: (lambda v=v: v) for k, v in picks.items()}
    return hero, fill(rng, PLOTS[plot or rng.choice(list(PLOTS))], slots)


def essay(rng: random.Random, topic: str = "", keep: float = 0.75) -> str:
    """The first sentence of a topic and each other with probability `keep`, in their order."""
    weights = [4 if name in ("ai", "model", "computer", "robot", "future") else 1 for name in ESSAYS]
    sentences = ESSAYS[topic or rng.choices(list(ESSAYS), weights)[0]]
    kept = [s for i, s in enumerate(sentences) if i == 0 or rng.random() < keep]
    return fill(rng, " ".join(kept), {})
