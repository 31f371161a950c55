"""What clustering and matching both read out of a text: sentences, names, days, terms.

Everything here is linear in the length of the text and reads at most `MAX_CHARS` of it. Every
span is verbatim: `text[span.start : span.start + len(span.text)] == span.text`. Rules are about
scripts and punctuation rather than about English; the word lists are the exception.
"""

# A long newspaper feature has 30,000 characters; what comes later is comments and boilerplate.
MAX_CHARS = 60_000
