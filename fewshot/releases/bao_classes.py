"""Which classes Bao et al. train, validate and test on, by the numbers of their files.

Where these stand upstream: `src/dataset/loader.py` of YujiaBao/Distributional-Signatures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

NEWSGROUPS = (
    "talk.politics.mideast", "sci.space", "misc.forsale", "talk.politics.misc", "comp.graphics", "sci.crypt",
    "comp.windows.x", "comp.os.ms-windows.misc", "talk.politics.guns", "talk.religion.misc", "rec.autos",
    "sci.med",
    "comp.sys.mac.hardware", "sci.electronics", "rec.sport.hockey", "alt.atheism", "rec.motorcycles",
    "comp.sys.ibm.pc.hardware", "rec.sport.baseball", "soc.religion.christian",
)  # fmt: skip
# upstream has numbers alone; the names are those of Dousia/MetaPrompting, matched by the texts
TOPICS = (
    "acquisitions", "aluminium", "balance of payment", "cocoa", "coffee", "copper", "cotton",
    "consumer price index",
    "crude", "earn", "gross national product", "gold", "grain", "interest", "industrial production index",
    "iron and steel", "jobs", "livestock", "money foreign exchange", "money supply", "natural gas", "orange",
    "reserves", "retail", "rubber", "ship", "sugar", "tin", "trade", "vegetable oil", "wholesale price index",
)  # fmt: skip
PRODUCTS = (
    "Amazon_Instant_Video", "Apps_for_Android", "Automotive", "Baby", "Beauty", "Books", "CDs_and_Vinyl",
    "Cell_Phones_and_Accessories", "Clothing_Shoes_and_Jewelry", "Digital_Music", "Electronics",
    "Grocery_and_Gourmet_Food", "Health_and_Personal_Care", "Home_and_Kitchen", "Kindle_Store",
    "Movies_and_TV",
    "Musical_Instruments", "Office_Products", "Patio_Lawn_and_Garden", "Pet_Supplies", "Sports_and_Outdoors",
    "Tools_and_Home_Improvement", "Toys_and_Games", "Video_Games",
)  # fmt: skip


@dataclass(frozen=True)
class Classes:
    """A data set of Bao et al.

    Args:
        file: its file.
        title: what it is.
        original: where its texts come from.
        count: how many classes it has; their numbers begin at 0.
        valid: the classes of meta-validation, in the order of upstream's list.
        test: those of meta-test. All others are for meta-training.
        rule: the split in words.
        names: of the classes by number; none where only numbers are published.
        notes: for SOURCE.md.
    """

    file: str
    title: str
    original: str
    count: int
    valid: Sequence[int]
    test: Sequence[int]
    rule: str
    names: Sequence[str] = ()
    notes: Sequence[str] = ()

    def label(self, number: int) -> str:
        """The name of a class, or its number as text."""
        return self.names[number] if self.names else str(number)

    def labels(self, numbers: Sequence[int]) -> list[str]:
        """The names of several classes."""
        return [self.label(number) for number in numbers]

    def sides(self) -> dict[str, Sequence[int]]:
        """The class numbers of train, valid and test."""
        held_out = {*self.valid, *self.test}
        train = [number for number in range(self.count) if number not in held_out]
        return {"train": train, "valid": self.valid, "test": self.test}


SETS = {
    "news20": Classes(
        "20news.json", "20 Newsgroups (20news-18828)",
        "Lang, NewsWeeder: Learning to Filter Netnews, ICML 1995",
        20, (4, 6, 7, 12, 17), (0, 2, 3, 8, 9, 15, 19),
        "train = sci.* and rec.*, valid = comp.*, test = the rest", NEWSGROUPS,
    ),
    "reuters": Classes(
        "reuters.json", "Reuters-21578: single-label topics",
        "Lewis, Reuters-21578 text categorization test collection, 1997",
        31, range(15, 20), range(20, 31), "train label ids 0-14, valid 15-19, test 20-30", TOPICS,
        ["A few news items appear under two topics (see checks)."],
    ),
    "fewrel": Classes(
        "fewrel.json", "FewRel 1.0: sentences by the relation of two entities",
        "Han et al., FewRel: A Large-Scale Supervised Few-Shot Relation Classification Dataset with "
        "State-of-the-Art Evaluation, EMNLP 2018",
        80, (7, 9, 17, 18, 20), (23, 29, 42, 47, 51, 54, 55, 60, 65, 79),
        "80 label ids; valid and test are relations whose head is a work of art, train the other 65",
        notes=[
            "The positions of both entities (`head` and `tail` upstream) are left out: only texts are here.",
            "Not the 64/16 split of FewRel's own authors.",
        ],
    ),
    "amazon": Classes(
        "amazon.json", "Amazon reviews by product category", "He and McAuley, Ups and Downs, WWW 2016",
        24, (1, 22, 23, 6, 9), (0, 5, 14, 15, 8, 10, 16, 17, 21), "24 label ids, 10 / 5 / 9", PRODUCTS,
    ),
    "huffpost": Classes(
        "huffpost.json", "HuffPost headlines by news category", "Misra, News Category Dataset, 2018",
        41, range(20, 25), range(25, 41), "train label ids 0-19, valid 20-24, test 25-40",
    ),
    "rcv1": Classes(
        "rcv1.json", "RCV1: Reuters news by topic",
        "Lewis et al., RCV1: A New Benchmark Collection for Text Categorization Research, JMLR 2004",
        71, (5, 24, 26, 28, 29, 31, 35, 23, 67, 36),
        (0, 3, 4, 6, 7, 8, 9, 10, 11, 13, 14, 16, 17, 19, 21, 30, 37, 62, 63, 64, 65, 68, 69, 70),
        "71 label ids, 37 / 10 / 24",
    ),
}  # fmt: skip
