"""Pages as publishers build them; every sentence is made up."""

from __future__ import annotations

SENTENCES = (
    "The harbour council of {place} agreed on Tuesday to rebuild the eastern pier.",
    "Engineers had warned for years that the concrete below the waterline was failing.",
    "Work is to begin in the spring and should take eighteen months, the mayor said.",
    "Fishing crews will be moved to a temporary berth beside the old customs house.",
    "The cost is put at forty million, most of which comes from a regional fund.",
    "Two smaller parties voted against, calling the estimate far too low.",
    "A report published last month found cracks in nineteen of the thirty pillars.",
    "Residents who live above the quay had asked for quieter machines at night.",
    "The council promised weekly measurements of noise and a telephone line for complaints.",
    "Ferries to the islands keep their timetable, with one sailing fewer on Sundays.",
    "Traders in the market hall expect a difficult summer but welcome the plan.",
    "An earlier attempt to repair the pier was abandoned after a storm nine years ago.",
)
HEADLINE = "Council of {place} agrees to rebuild the eastern pier"
TEASER = "The harbour council of {place} agreed to rebuild the eastern pier after warnings."
MENU = "".join(
    f"<li><a href='/{name}'>{name.title()}</a></li>"
    for name in ("politics", "economy", "sport", "culture", "subscribe", "login")
)


def paragraphs(count: int, place: str = "Lowmere") -> str:
    """`count` paragraphs of three sentences, none like another."""
    chosen = [SENTENCES[n % len(SENTENCES)].format(place=place) for n in range(count * 3)]
    return "".join(
        f"<p>{' '.join(chosen[n : n + 3])} (Part {n // 3 + 1}.)</p>" for n in range(0, count * 3, 3)
    )


def page(
    body: str,
    *,
    title: str = HEADLINE.format(place="Lowmere"),
    head: str = "",
    lang: str = "en",
    around: str = "",
) -> bytes:
    return (
        f"<!DOCTYPE html><html lang='{lang}'><head><meta charset='utf-8'><title>{title}</title>"
        f"{head}</head><body><header><nav><ul>{MENU}</ul></nav></header>{around}<main><article>"
        f"<h1>{title}</h1>{body}</article></main><aside><h3>Most read</h3><ul><li><a href='/1'>A"
        "cyclist crosses the country in nine days</a></li></ul></aside><footer><p>Copyright. Terms"
        " of use.</p></footer></body></html>"
    ).encode()


def article(count: int = 6, place: str = "Lowmere", head: str = "", around: str = "") -> bytes:
    return page(
        paragraphs(count, place), title=HEADLINE.format(place=place), head=head, around=around
    )
