"""The words of the attribute tasks: kinds of attribute, how a sentence mentions them, their values."""

from dataclasses import dataclass

from fewshot.data.split import Side


@dataclass(frozen=True, slots=True)
class Kind:
    """One attribute.

    Args:
        name: what it is called.
        phrases: clauses that mention it; `{}` stands for the value.
        train, valid, test: its values, disjoint by side.
    """

    name: str
    phrases: tuple[str, ...]
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def values(self, side: Side) -> tuple[str, ...]:
        """The values that sentences of one side use."""
        by_side: dict[Side, tuple[str, ...]] = {"train": self.train, "valid": self.valid, "test": self.test}
        return by_side[side]


def _kind(name: str, phrases: tuple[str, ...], train: str, valid: str, test: str) -> Kind:
    return Kind(name, phrases, tuple(train.split()), tuple(valid.split()), tuple(test.split()))


KINDS: tuple[Kind, ...] = (
    _kind(
        "animal",
        ("a {}", "one {}", "the {}"),
        "dog cat horse goat parrot rabbit fox sheep donkey turtle",
        "owl pig otter hedgehog duck",
        "bear monkey lizard swan camel",
    ),
    _kind(
        "colour",
        ("{} walls", "{} light", "{} curtains"),
        "red blue green yellow purple orange pink brown grey turquoise",
        "crimson beige violet silver olive",
        "white black golden scarlet indigo",
    ),
    _kind(
        "city",
        ("in {}", "near {}", "{} trains"),
        "Paris Tokyo Cairo Madrid Moscow Sydney Berlin Toronto Lagos Mumbai",
        "Oslo Lima Dublin Seoul Athens",
        "Rome Vienna Havana Bangkok Nairobi",
    ),
    _kind(
        "food",
        ("{} for lunch", "cold {}", "fresh {}"),
        "soup pizza rice curry pancakes sausages noodles salad porridge stew",
        "omelette dumplings lasagne tacos risotto",
        "sushi burgers bread pasta goulash",
    ),
    _kind(
        "instrument",
        ("{} music", "the {} player", "a broken {}"),
        "piano violin guitar drum flute trumpet harp cello clarinet accordion",
        "banjo tuba oboe ukulele saxophone",
        "organ mandolin trombone bagpipes xylophone",
    ),
    _kind(
        "profession",
        ("the {} came", "a tired {}", "our {}"),
        "doctor teacher lawyer baker farmer pilot nurse plumber judge painter",
        "waiter dentist butcher carpenter soldier",
        "engineer librarian tailor fisherman astronaut",
    ),
    _kind(
        "sport",
        ("{} on television", "{} outside", "{} practice"),
        "football tennis golf rugby cricket boxing skiing swimming cycling volleyball",
        "hockey rowing fencing archery judo",
        "basketball surfing wrestling badminton baseball",
    ),
    _kind(
        "vehicle",
        ("by {}", "the old {}", "a {} waiting"),
        "bus tram taxi truck tractor bicycle motorcycle van ambulance limousine",
        "scooter jeep helicopter canoe ferry",
        "boat submarine wagon rocket sailboat",
    ),
    _kind(
        "weather",
        ("{} again", "{} all day", "endless {}"),
        "rain snow fog wind sunshine hail thunder drizzle frost heat",
        "sleet mist humidity lightning clouds",
        "storms ice drought tornadoes blizzards",
    ),
    _kind(
        "drink",
        ("a glass of {}", "more {}", "spilt {}"),
        "coffee tea beer wine milk lemonade whisky cider cocoa water",
        "juice rum champagne cola vodka",
        "brandy sherry gin smoothies tonic",
    ),
    _kind(
        "material",
        ("made of {}", "{} floors", "much {}"),
        "wood glass steel stone plastic leather paper marble copper rubber",
        "bamboo clay concrete cork wool",
        "bronze cotton silk granite wax",
    ),
    _kind(
        "fruit",
        ("ripe {}", "{} in baskets", "two {}"),
        "apples bananas cherries grapes lemons peaches plums strawberries melons pears",
        "figs apricots kiwis limes raspberries",
        "oranges mangoes pineapples coconuts blueberries",
    ),
    _kind(
        "tree",
        ("under the {}", "a tall {}", "{} leaves"),
        "oak birch pine maple willow elm chestnut beech spruce ash",
        "poplar linden fir larch hazel",
        "cedar palm cypress walnut eucalyptus",
    ),
    _kind(
        "tool",
        ("a lost {}", "with a {}", "the heavy {}"),
        "hammer saw drill shovel axe wrench ladder broom scissors rake",
        "chisel pliers file trowel crowbar",
        "screwdriver needle spade pitchfork sandpaper",
    ),
    _kind(
        "clothing",
        ("a torn {}", "the new {}", "her {}"),
        "hat scarf coat sweater shirt tie skirt glove belt jacket",
        "sock apron vest dress cap",
        "boot blouse cloak suit robe",
    ),
    _kind(
        "emotion",
        ("full of {}", "such {}", "{} everywhere"),
        "joy anger fear sadness pride shame envy boredom hope surprise",
        "guilt relief disgust gratitude curiosity",
        "love loneliness panic excitement jealousy",
    ),
    _kind(
        "language",
        ("speaking {}", "{} songs", "bad {}"),
        "French German Arabic Chinese Russian Spanish Greek Hindi Turkish Swedish",
        "Polish Dutch Korean Hebrew Finnish",
        "Italian Japanese Portuguese Swahili Hungarian",
    ),
    _kind(
        "room",
        ("in the {}", "the dark {}", "behind the {}"),
        "kitchen bathroom cellar attic garage library bedroom office balcony hallway",
        "pantry nursery lobby studio laundry",
        "garden workshop classroom dining-room chapel",
    ),
    _kind(
        "subject",
        ("a lecture on {}", "{} books", "studying {}"),
        "physics history biology law music geography chemistry economics poetry geology",
        "grammar ethics algebra sociology botany",
        "astronomy philosophy medicine theology architecture",
    ),
    _kind(
        "jewel",
        ("a stolen {}", "somebody's {}", "the shining {}"),
        "diamond ruby pearl emerald ring crown necklace bracelet opal brooch",
        "sapphire earring medal topaz amulet",
        "amethyst pendant tiara locket garnet",
    ),
)
