"""Words and turns of phrase that documents, messages, docstrings and comments leave to the usual ones.

A word that is fine in its usual sense is left out by its pattern ("in place", "decimal places"). `REFUSED` and `FINE`
show what the patterns are about; a pattern that is added gets a line in one of them.
"""

from typing import Dict, Tuple

USUAL: Dict[str, str] = {
    # verbs
    r"mend(s|ed|ing)?": "fix, patch, repair",
    r"told|tells?|telling": "report, raise, log, print; tell apart: distinguish",
    r"met": "found, encountered; of a condition: satisfied, reached",
    r"(go|goes|going|gone|went) on": "continue, resume",
    r"put(s|ting)? (\w+ )?back": "restore",
    r"(stand|stands|standing|stood) in": "is in, replaces",
    r"hand(s|ed|ing)? (over|us)": "pass, return; give",
    r"(took|take[ns]?|taking) (up|over)": "accept, load, resume; copy",
    r"(took|take[ns]?|taking) for": "mistaken for",
    r"(pass(es|ed|ing)? over|passed by)": "skip",
    r"(say|says|said) so": "log, report, warn",
    r"(?<!you )(?<!who )(?<!person )wants?(?! to\b)": "require, expect, need",
    r"(is|are) wanting": "missing",
    r"begun": "started",
    r"owe[sd]?|owing": "is still due",
    r"reads as": "is read as, looks like",
    # small words
    r"beside": "next to, with, together with, compared with; in addition to",
    r"(?<!stand-)(?<!let )alone": "only, on its own",
    r"(?<!left )(?<!stays )behind": "after",
    r"but for": "except for",
    r"so many": "that many, N",
    r"as ever": "as usual, unchanged",
    r"(of|from) before": "earlier, old",
    r"and the like": "and similar",
    r"nobody(?! expected a)|somebody|anybody|whoever": "no one, a user, anyone; or the passive",
    r"of (ours|theirs)": "this plugin's, its; upstream's",
    r"(do|does|did|done|made|drawn?|draws|cut|read|reads|says?|trains?|fall|masks?|configured|has) (\w+ )?otherwise": (
        "differently"
    ),
    r"(?<!in )(?<!in one )(?<!decimal )(?<!takes )places?": "location, position, entry, module",
    r"in (own|plain|so many) words|in words": "as text, as a description",
    # sentences turned around
    r"of (them|these|those|which) there (is|are)": "subject, verb, object",
    r"to be had": "available",
}
"""A pattern within a sentence, upper or lower case, and the usual words for what is meant."""

NAMES: Dict[str, str] = {
    r"mend(s|ed|ing)?": "fix, patch",
    r"told": "message, description, reported",
}
"""The same for a word of an identifier that is defined (`mend_state`)."""

KEPT_NAMES: Tuple[Tuple[str, str], ...] = (
    ("data2vec_plugin/doctor/examination.py", "mend"),
    ("data2vec_plugin/multimodal/meme_mlp.py", "told"),
)
"""File and identifier: names that checkpoints or JSON hold."""

REFUSED: Tuple[str, ...] = (
    "what it mends",
    "a bad file is told",
    "the first error that was met",
    "the file beside the checkpoint",
    "a run that is gone on with",
    "its place",
    "a key that fairseq does otherwise",
)

FINE: Tuple[str, ...] = (
    "takes 5 s",
    "patched in place",
    "rounded to two decimal places",
    "a stand-alone module",
    "otherwise it raises",
    "if you want a table",
    "besides",
    "placeholder",
)
