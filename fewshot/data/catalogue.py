"""Well-known few-shot data sets of the Hugging Face hub, by the names under which people know them.

Only repositories of parquet or json files, or the parquet that the hub makes of others
(refs/convert/parquet): `datasets` runs no loading scripts any more.
"""

from dataclasses import dataclass, field

from fewshot.data.find import Columns

UNVERIFIED = "unverified"
CONVERTED = "@refs/convert/parquet"


@dataclass(frozen=True)
class Entry:
    """One data set.

    Args:
        hub: its hub id, with subset and revision where they are needed.
        columns: where text and label are.
        parts: those that have labels; empty for all.
        loaded: the day on which it was last loaded, or 'unverified'.
        note: what a reader of it must know; empty where there is nothing.
    """

    hub: str
    columns: Columns = field(default_factory=Columns)
    parts: tuple[str, ...] = ()
    loaded: str = UNVERIFIED
    note: str = ""


_TEXTS = Columns(label="label_text")  # of SetFit and MTEB: numbers in `label`, names in `label_text`
_BOTH = ("train", "test")
_REUTERS = ["acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade"]

CATALOGUE: dict[str, Entry] = {
    "20newsgroups": Entry(
        "SetFit/20_newsgroups", _TEXTS, _BOTH,
        note="some texts may be empty, as headers, footers and quotes are removed",
    ),
    "ag_news": Entry("fancyzhx/ag_news", parts=_BOTH),
    "amazon_counterfactual": Entry("SetFit/amazon_counterfactual_en", _TEXTS),
    "banking77": Entry("mteb/banking77", _TEXTS, _BOTH),
    "clinc150": Entry(
        "clinc/clinc_oos:plus", Columns(label="intent"),
        note="151 classes: 'oos' is for what is out of scope",
    ),
    "cr": Entry("SetFit/CR", _TEXTS, _BOTH),
    "dbpedia": Entry("fancyzhx/dbpedia_14", Columns(text="content"), _BOTH),
    "emotion": Entry("dair-ai/emotion:split"),
    "fewrel": Entry(
        f"thunlp/few_rel{CONVERTED}", Columns(text="tokens", label="relation"), ("train",),
        note="the tokens have no marks of the two entities; labels are ids of Wikidata, such as P931; "
        "'train' is train_wiki (64 relations), 'validation' mixes val_wiki, val_nyt, val_pubmed, val_semeval",
    ),
    "hwu64": Entry("FastFit/hwu_64"),
    "imdb": Entry("stanfordnlp/imdb", parts=_BOTH, note="the part 'unsupervised' has no labels"),
    "massive": Entry("mteb/amazon_massive_intent:en"),
    "mr": Entry("cornell-movie-review-data/rotten_tomatoes"),
    "mrpc": Entry("SetFit/mrpc", Columns("text1", "label_text", "text2"), ("train", "validation")),
    "reuters": Entry(
        "yangwang825/reuters-21578", Columns(label_names=_REUTERS), _BOTH,
        note="R8: the documents with one label of the 8 largest classes, not the whole collection",
    ),
    "rte": Entry("SetFit/rte", Columns("text1", "label_text", "text2"), ("train", "validation")),
    "snips": Entry("benayas/snips", Columns(label="category"), _BOTH),
    "snli": Entry(
        "stanfordnlp/snli", Columns("premise", "label", "hypothesis"),
        note="some rows of every part have no label (-1); leave them out by reading.only",
    ),
    "sst2": Entry("SetFit/sst2", _TEXTS),
    "sst5": Entry("SetFit/sst5", _TEXTS),
    "subj": Entry("SetFit/subj", _TEXTS, _BOTH),
    "trec": Entry(
        "SetFit/TREC-QC", Columns(label="label_coarse_original"), _BOTH,
        note="6 coarse classes; label_coarse_text has them in words, label_text the 50 fine ones",
    ),
    "tweet_sentiment": Entry(
        "mteb/tweet_sentiment_extraction", _TEXTS, _BOTH,
        note="a text of train is empty",
    ),
    "yahoo_answers": Entry(
        "community-datasets/yahoo_answers_topics", Columns("question_title", "topic"), _BOTH,
        note="the title of the question alone; question_content and best_answer are further columns",
    ),
    "yelp": Entry("Yelp/yelp_review_full", parts=_BOTH),
}  # fmt: skip


def entry_of(source: str) -> Entry | None:
    """The entry of a name, which may have a revision behind it: 'banking77', 'banking77@0f2e1a'."""
    return CATALOGUE.get(source.partition("@")[0])
