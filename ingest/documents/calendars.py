"""Names of months and time zones as feeds write them."""

from __future__ import annotations

from datetime import UTC, datetime

# Minutes east of Greenwich. Where one name means several zones, the one most feeds mean.
_ZONES = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0, "bst": 60, "ist": 330, "west": 60, "cet": 60,
    "mez": 60, "cest": 120, "mesz": 120, "eet": 120, "sast": 120, "cat": 120, "eest": 180,
    "msk": 180, "eat": 180, "trt": 180, "gst": 240, "pkt": 300, "npt": 345, "ict": 420,
    "wib": 420, "hkt": 480, "sgt": 480, "pht": 480, "myt": 480, "awst": 480, "jst": 540,
    "kst": 540, "acst": 570, "aest": 600, "acdt": 630, "aedt": 660, "nzst": 720, "nzdt": 780,
    "nst": -210, "ndt": -150, "ast": -240, "adt": -180, "est": -300, "edt": -240, "cst": -360,
    "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420, "akst": -540, "akdt": -480,
    "hst": -600, "brt": -180, "brst": -120, "art": -180, "clt": -240, "clst": -180, "cot": -300,
    "pet": -300, "vet": -240, "uyt": -180, "met": 60, "mest": 120, "wat": 60, "idt": 180,
    "irst": 210, "aft": 270, "uzt": 300, "yekt": 300, "bdt": 360, "novt": 420, "krat": 420,
    "irkt": 480, "wita": 480, "wit": 540, "yakt": 540, "vlat": 600, "chst": 600, "nzt": 720,
}  # fmt: skip
# American zones as people say them, without "standard" or "daylight": the season decides.
_AMERICAN = {"et": -300, "ct": -360, "mt": -420, "pt": -480}
# How the names of the months begin, in the languages feeds use most; the longest one counts.
# Croatian is left out: its "listopad" is October, where Poles and Czechs mean November.
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen ian янв яну јан січ jän led ocak tammi sausi ιαν يناير ژانویه जनवरी ינואר "
            "sty 一月",
            "feb fév fev феб фев лют úno şub helmi vasar φεβ فبراير فوریه फ़रवरी फरवरी פברואר lut "
            "veeb 二月",
            "mar mär mrz mrt mac maa már мар бере bře μαρ مارس मार्च מרץ kov 三月",
            "apr abr avr ápr апр квіт dub nis huhti balan απρ أبريل ابريل إبريل آوریل अप्रैल "
            "אפריל kwi 四月",
            "may mai maj mag mei maí máj май мая мај трав kvě touko geguž μαΐ μαϊ μάι "
            "مايو मई מאי 五月",
            "jun jui giu iun jún jūn juu июн юни јун черв červ haz kesä birž ιουν يونيو ژوئن जून "
            "יוני cze 六月",
            "jul juil juuli lug iul júl jūl июл юли јул лип červenec července tem heinä liep ιουλ "
            "يوليو ژوئیه जुलाई יולי lip 七月",
            "aug ago agu aoû aou ágú авг серп srp ağu elo rugp αυγ أغسطس "
            "اوت अगस्त אוגוסט sie ogo 八月",
            "sep set szep сен сеп вер zář eyl syys rugs σεπ سبتمبر سپتامبر सितंबर सितम्बर ספטמבר "
            "wrz 九月",
            "oct okt ott out ókt oca окт жовт říj eki loka spal οκτ أكتوبر اکتبر अक्टूबर अक्तूबर "
            "אוקטובר paź 十月",
            "nov noy noi nóv ноя нов лист lis kas marras lapk νοε نوفمبر نوامبر नवंबर नवम्बर "
            "נובמבר 十一月",
            "dec dez dic dis déc des дек груд pro ara joulu gruo δεκ ديسمبر دسامبر दिसंबर दिसम्बर "
            "דצמבר gru 十二月",
        ),
        1,
    )
    for name in names.split()
}
_LONGEST_MONTH = max(map(len, _MONTHS))


def month_named(name: str) -> int | None:
    """1 to 12 for a month's name or its beginning, in any case; None for other words."""
    name = name.lower()
    sizes = range(min(len(name), _LONGEST_MONTH), 1, -1)
    return next((_MONTHS[name[:n]] for n in sizes if name[:n] in _MONTHS), None)


def zone_offset(name: str, day: tuple[int, int, int]) -> int:
    """Minutes east of Greenwich of a named zone on that day; 0 for an unknown one."""
    name = name.lower()
    if name in _AMERICAN:
        return _AMERICAN[name] + (60 if _american_summer(*day) else 0)
    return _ZONES.get(name, 0)


def _american_summer(year: int, month: int, day: int) -> bool:
    """From the second Sunday of March to the first of November, since 2007."""
    begins = 8 + (6 - datetime(year, 3, 1, tzinfo=UTC).weekday()) % 7
    ends = 1 + (6 - datetime(year, 11, 1, tzinfo=UTC).weekday()) % 7
    return (3, begins) <= (month, day) < (11, ends)
