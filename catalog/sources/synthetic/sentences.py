"""A small grammar of plain sentences in five languages, for the synthetic source.

Each language is a table of phrases that fit together in any combination: a subject in the third person singular, a verb
in the past tense with matching objects, a place and a time. Words are separated by spaces, in Chinese phrases too, so
that the words are known; the spaces are removed from the Chinese text. Pairs that espeak-ng speaks as one word
(`of the`, `that a`) are avoided, so that every word has its own time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .speech import split_words


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, and its words in order, without punctuation."""

    text: str
    words: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Phrases:
    """The building blocks of the sentences of one language.

    `patterns` has the slots `{who}`, `{did}`, `{what}`, `{where}`, `{when}`; `{who2}` etc. are drawn separately.
    """

    patterns: Sequence[str]
    who: Sequence[str]
    did: Mapping[str, Sequence[str]]
    where: Sequence[str]
    when: Sequence[str]


ENGLISH = Phrases(
    patterns=(
        "{who} {did} {what} {where}.",
        "{when}, {who} {did} {what} {where}.",
        "{who} {did} {what}, and {who2} {did2} {what2}.",
        "{who} {did} {what} while {who2} waited {where}.",
        "Nobody knew why {who} {did} {what} {where}.",
        "{when}, {who} met {who2} {where}.",
    ),
    who=(
        "the old captain",
        "my younger sister",
        "a tall stranger",
        "the village doctor",
        "our neighbour",
        "the baker",
        "a tired traveller",
        "the music teacher",
        "her grandfather",
        "a clever student",
        "the night nurse",
        "the quiet gardener",
        "an honest lawyer",
        "the train driver",
        "his best friend",
        "a famous painter",
        "the young farmer",
        "their cousin",
        "the postman",
        "a brave sailor",
    ),
    did={
        "bought": ("two tickets", "a silver ring", "fresh bread", "a bag full of apples", "some yellow flowers"),
        "found": ("a small wooden box", "an old map", "three gold coins", "a lost kitten", "the missing key"),
        "painted": ("a blue door", "seven white boats", "the garden fence", "a portrait"),
        "repaired": ("the broken clock", "a rusty bicycle", "the kitchen window", "an old radio"),
        "carried": ("a heavy suitcase", "the wet umbrella", "a basket full of eggs", "twelve green bottles"),
        "wrote": ("a long letter", "a short story", "a song about winter", "nine pages"),
        "cooked": ("vegetable soup", "rice with beans", "a simple dinner", "fish with lemon"),
        "described": ("the storm", "a strange dream", "every small detail", "that quiet winter"),
        "photographed": ("wild geese", "the full moon", "a ruined castle", "children playing football"),
        "forgot": ("a warm coat", "the password", "every promise", "the birthday cake"),
    },
    where=(
        "near the harbour",
        "behind the school",
        "under a large oak tree",
        "beside the river",
        "at home",
        "close to the station",
        "inside an empty church",
        "opposite the library",
        "along the coast",
        "between two hills",
        "across the street",
        "near a small lake",
    ),
    when=(
        "yesterday morning",
        "last summer",
        "one rainy afternoon",
        "three weeks ago",
        "before sunrise",
        "after the concert",
        "late that evening",
        "every Sunday",
        "during the holidays",
        "shortly before noon",
    ),
)

GERMAN = Phrases(
    patterns=(
        "{who} {did} {where} {what}.",
        "{when} {did} {who} {what}.",
        "{when} {did} {who} {where} {what}.",
        "{who} {did} {what}, und {who2} {did2} {what2}.",
    ),
    who=(
        "der alte Kapitän",
        "meine kleine Schwester",
        "die junge Lehrerin",
        "unser Nachbar",
        "ein müder Wanderer",
        "die Ärztin",
        "der Bäcker",
        "seine Großmutter",
        "ein kluges Mädchen",
        "der Gärtner",
    ),
    did={
        "kaufte": ("frisches Brot", "zwei Fahrkarten", "einen silbernen Ring", "gelbe Blumen"),
        "fand": ("einen alten Schlüssel", "drei goldene Münzen", "eine kleine Kiste", "ein vergessenes Buch"),
        "malte": ("ein blaues Haus", "sieben weiße Boote", "einen großen Vogel"),
        "reparierte": ("das kaputte Fahrrad", "die alte Uhr", "ein Fenster"),
        "kochte": ("eine warme Suppe", "Fisch mit Zitrone", "Reis mit Bohnen"),
        "vergaß": ("den Regenschirm", "jedes Versprechen", "einen warmen Mantel"),
    },
    where=("hinter der Schule", "neben der Brücke", "unter einem Apfelbaum", "vor dem Bahnhof", "in einem Dorf"),
    when=("gestern", "letzten Sommer", "vor drei Wochen", "an einem kalten Morgen", "kurz vor Mittag", "jeden Sonntag"),
)

FRENCH = Phrases(
    patterns=(
        "{who} {did} {what} {where}.",
        "{when}, {who} {did} {what}.",
        "{when}, {who} {did} {what} {where}.",
        "{who} {did} {what}, puis {who2} {did2} {what2}.",
    ),
    who=(
        "le vieux capitaine",
        "ma petite sœur",
        "le voisin",
        "la boulangère",
        "un jeune médecin",
        "sa grand-mère",
        "le professeur",
        "une voyageuse fatiguée",
        "notre cousin",
        "la pianiste",
    ),
    did={
        "achetait": ("deux billets", "des fleurs jaunes", "une bague", "trois pommes rouges"),
        "trouvait": ("une vieille carte", "une petite boîte", "un livre oublié", "un chat perdu"),
        "peignait": ("une porte bleue", "sept bateaux blancs", "un grand oiseau"),
        "réparait": ("le vélo cassé", "une horloge ancienne", "la fenêtre"),
        "préparait": ("une soupe chaude", "un gâteau simple", "du poisson grillé"),
        "racontait": ("une longue histoire", "un rêve étrange", "son voyage"),
    },
    where=("derrière la maison", "devant la gare", "sous un grand arbre", "dans un village", "chez des amis"),
    when=("hier matin", "l'été dernier", "chaque dimanche", "pendant les vacances", "un soir de pluie"),
)

SPANISH = Phrases(
    patterns=(
        "{who} {did} {what} {where}.",
        "{when} {who} {did} {what}.",
        "{when} {who} {did} {what} {where}.",
        "{who} {did} {what}, y {who2} {did2} {what2}.",
    ),
    who=(
        "el viejo capitán",
        "mi hermana menor",
        "nuestro vecino",
        "la panadera",
        "un médico joven",
        "su abuela",
        "el profesor",
        "una viajera cansada",
        "el jardinero",
        "la pianista",
    ),
    did={
        "compró": ("dos billetes", "flores amarillas", "un anillo", "tres manzanas rojas"),
        "encontró": ("un mapa antiguo", "una caja pequeña", "un libro olvidado", "un gato perdido"),
        "pintó": ("una puerta azul", "siete barcos blancos", "un pájaro grande"),
        "reparó": ("una bicicleta vieja", "el reloj roto", "la ventana"),
        "preparó": ("una sopa caliente", "arroz con verduras", "pescado con limón"),
        "contó": ("una historia larga", "un sueño extraño", "muchas mentiras"),
    },
    where=("detrás de casa", "cerca del puerto", "bajo un árbol", "en un pueblo tranquilo", "junto al río"),
    when=("ayer", "anoche", "cada domingo", "durante las vacaciones", "esta mañana"),
)

MANDARIN = Phrases(
    patterns=(
        "{when} {who} {where} {did} {what}。",
        "{who} {when} {did} {what}。",
        "{who} {where} {did} {what}，{who2} {did2} {what2}。",
        "{when}，{who} {where} {did} {what}。",
    ),
    who=("我 的 妹妹", "老 船长", "我们 的 老师", "一位 医生", "他 的 爷爷", "那个 学生", "我 的 邻居", "小 王"),
    did={
        "买 了": ("两张 车票", "三个 苹果", "一些 鲜花", "一本 新 书"),
        "找到 了": ("一把 钥匙", "一张 旧 地图", "一只 小猫"),
        "画 了": ("一条 船", "一座 山", "一只 大 鸟"),
        "做 了": ("一个 蛋糕", "一碗 热 汤", "晚饭"),
        "看见 了": ("一辆 红色 的 汽车", "许多 朋友", "一匹 白 马"),
    },
    where=("在 学校 门口", "在 火车站", "在 公园 里", "在 图书馆", "在 河边"),
    when=("昨天", "今天 早上", "去年 夏天", "星期天", "上个月"),
)

GRAMMAR: Mapping[str, Phrases] = {"en": ENGLISH, "de": GERMAN, "fr": FRENCH, "es": SPANISH, "zh": MANDARIN}
UNSPACED = frozenset({"zh"})
PAUSES = str.maketrans("。，", "  ")


def make_sentence(language: str, rng: random.Random) -> Sentence:
    """Draw a sentence; the same state of `rng` gives the same sentence."""
    phrases = GRAMMAR[language]
    who, who2 = rng.sample(phrases.who, 2)
    did, did2 = rng.sample(list(phrases.did), 2)
    filled = rng.choice(phrases.patterns).format(
        who=who,
        did=did,
        what=rng.choice(phrases.did[did]),
        who2=who2,
        did2=did2,
        what2=rng.choice(phrases.did[did2]),
        where=rng.choice(phrases.where),
        when=rng.choice(phrases.when),
    )
    if language in UNSPACED:
        return Sentence(filled.replace(" ", ""), tuple(filled.translate(PAUSES).split()), language)
    text = filled[0].upper() + filled[1:]
    return Sentence(text, tuple(split_words(text)), language)
