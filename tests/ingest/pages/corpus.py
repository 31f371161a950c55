"""Made-up pages as publishers serve them, each with what must become of it: "read", or the kind of
notice. The sentences are our own; only the way the pages are built is taken from life."""

from __future__ import annotations

import json
from typing import NamedTuple

from tests.ingest.pages.html import HEADLINE, TEASER, article, page, paragraphs


class Case(NamedTuple):
    name: str
    expected: str
    body: bytes
    about: str = f"{HEADLINE}\n{TEASER}".format(place="Lowmere")
    url: str = "https://paper.example/2026/pier"  # that answered
    asked: str = "https://paper.example/2026/pier"


# Headline, teaser, and enough sentences for an article, by language.
WORLD = {
    "de": (
        "Lowmere baut die östliche Mole neu",
        "Der Hafenrat von Lowmere hat den Neubau der östlichen Mole beschlossen.",
        (
            "Der Hafenrat von Lowmere hat am Dienstag den Neubau der östlichen Mole beschlossen.",
            "Fachleute hatten seit Jahren gewarnt, dass der Beton unter der Wasserlinie bricht.",
            "Die Arbeiten sollen im Frühjahr beginnen und anderthalb Jahre dauern.",
            "Die Kutter liegen so lange an einem Behelfssteg neben dem alten Zollhaus.",
            "Vierzig Millionen kostet das Vorhaben, den größten Teil zahlt die Region.",
            "Zwei kleinere Fraktionen stimmten dagegen und nannten die Schätzung zu niedrig.",
        ),
        "Weiterlesen mit Plus. Sie haben bereits ein Abo? Dann melden Sie sich hier an.",
    ),
    "fr": (
        "Lowmere reconstruit la jetée orientale",
        "Le conseil du port de Lowmere a voté la reconstruction de la jetée orientale.",
        (
            "Le conseil du port de Lowmere a voté mardi la reconstruction de la jetée orientale.",
            "Depuis des années, des ingénieurs signalaient des fissures sous la ligne d’eau.",
            "Le chantier doit commencer au printemps et durer dix-huit mois, selon la maire.",
            "Les chalutiers rejoindront un quai provisoire près de l’ancienne douane.",
            "La facture atteint quarante millions, payés surtout par un fonds régional.",
            "Deux petits groupes ont voté contre, jugeant le devis beaucoup trop optimiste.",
        ),
        "Il vous reste 78 % de cet article. La suite est réservée aux abonnés. Déjà abonné ?",
    ),
    "es": (
        "Lowmere reconstruye el muelle oriental",
        "El consejo portuario de Lowmere aprobó reconstruir el muelle oriental.",
        (
            "El consejo portuario de Lowmere aprobó el martes reconstruir el muelle oriental.",
            "Los ingenieros llevaban años avisando de que el hormigón sumergido cedía.",
            "Las obras empezarán en primavera y durarán dieciocho meses, dijo la alcaldesa.",
            "Los pesqueros pasarán a un atraque provisional junto a la antigua aduana.",
            "El coste llega a cuarenta millones, casi todos de un fondo regional.",
            "Dos partidos pequeños votaron en contra porque el cálculo les parece corto.",
        ),
        "Para seguir leyendo, suscríbete. ¿Ya eres suscriptor? Inicia sesión.",
    ),
    "it": (
        "Lowmere ricostruisce il molo orientale",
        "Il consiglio del porto di Lowmere ha deciso di ricostruire il molo orientale.",
        (
            "Il consiglio del porto di Lowmere ha deciso martedì di ricostruire il molo orientale.",
            "Da anni gli ingegneri avvertivano che il cemento sotto l’acqua stava cedendo.",
            "I lavori cominceranno in primavera e dureranno un anno e mezzo.",
            "I pescherecci si sposteranno a un attracco provvisorio vicino alla vecchia dogana.",
            "Il costo è di quaranta milioni, pagati in gran parte da un fondo regionale.",
            "Due partiti minori hanno votato contro, ritenendo la stima troppo bassa.",
        ),
        "Contenuto riservato agli abbonati. Sei già abbonato? Accedi per continuare a leggere.",
    ),
    "nl": (
        "Lowmere herbouwt de oostelijke pier",
        "De havenraad van Lowmere besloot de oostelijke pier te herbouwen.",
        (
            "De havenraad van Lowmere besloot dinsdag de oostelijke pier te herbouwen.",
            "Ingenieurs waarschuwden al jaren dat het beton onder water het begaf.",
            "Het werk begint in het voorjaar en duurt anderhalf jaar, zei de burgemeester.",
            "Vissersboten verhuizen naar een tijdelijke steiger bij het oude douanehuis.",
            "De kosten bedragen veertig miljoen, grotendeels uit een regionaal fonds.",
            "Twee kleine partijen stemden tegen en noemden de raming veel te laag.",
        ),
        "Dit artikel is alleen voor abonnees. Al abonnee? Log hier in.",
    ),
    "sv": (
        "Lowmere bygger om den östra piren",
        "Hamnrådet i Lowmere beslutade att bygga om den östra piren.",
        (
            "Hamnrådet i Lowmere beslutade i tisdags att bygga om den östra piren.",
            "Ingenjörer har i flera år varnat för att betongen under vattnet vittrar.",
            "Arbetet ska börja i vår och pågå i ett och ett halvt år, sade borgmästaren.",
            "Fiskebåtarna flyttas till en tillfällig brygga vid det gamla tullhuset.",
            "Kostnaden är fyrtio miljoner och betalas mest av en regional fond.",
            "Två mindre partier röstade nej och kallade beräkningen alldeles för låg.",
        ),
        "För att läsa vidare behöver du ett konto. Redan prenumerant? Logga in.",
    ),
    "pl": (
        "Lowmere odbuduje wschodnie molo",
        "Rada portu w Lowmere postanowiła odbudować wschodnie molo.",
        (
            "Rada portu w Lowmere postanowiła we wtorek odbudować wschodnie molo.",
            "Inżynierowie od lat ostrzegali, że beton pod wodą się kruszy.",
            "Prace mają ruszyć wiosną i potrwać osiemnaście miesięcy, powiedziała burmistrz.",
            "Kutry przeniosą się na tymczasowe nabrzeże obok starego urzędu celnego.",
            "Koszt to czterdzieści milionów, głównie z funduszu regionalnego.",
            "Dwie mniejsze partie głosowały przeciw, uznając szacunki za zaniżone.",
        ),
        "Pozostało 81% artykułu. Dostęp tylko dla prenumeratorów.",
    ),
    "ru": (
        "Лоумир перестроит восточный причал",
        "Совет порта Лоумира решил перестроить восточный причал.",
        (
            "Совет порта Лоумира во вторник решил перестроить восточный причал.",
            "Инженеры годами предупреждали, что бетон под водой разрушается.",
            "Работы начнутся весной и займут полтора года, сообщила мэр города.",
            "Рыболовные суда переведут к временной стоянке возле старой таможни.",
            "Стоимость составит сорок миллионов, большую часть даст региональный фонд.",
            "Две небольшие партии голосовали против, назвав оценку заниженной.",
        ),
        "Чтобы читать дальше, оформите подписку. Уже подписаны? Войдите.",
    ),
    "ja": (
        "ロウミア市、東桟橋を再建へ",
        "ロウミア市の港湾評議会は東桟橋の再建を決めた。",
        (
            "ロウミア市の港湾評議会は火曜日、老朽化した東桟橋の再建を決めた。",
            "技術者らは水面下のコンクリートの劣化を長年警告していた。",
            "工事は春に始まり、一年半ほどかかる見通しだと市長は述べた。",
            "漁船は旧税関の隣に設けられる仮の岸壁に移る予定だ。",
            "費用は四千万で、その大半を地域基金がまかなうとしている。",
            "二つの小さな会派は見積もりが低すぎるとして反対に回った。",
        ),
        "この記事は有料会員限定です。残り1204文字。",
    ),
    "zh": (
        "洛米尔将重建东码头",
        "洛米尔港务委员会决定重建东码头。",
        (
            "洛米尔港务委员会星期二决定重建年久失修的东码头。",
            "工程师多年来一直警告说,水线以下的混凝土正在开裂。",
            "市长表示,工程将于明年春天开始,预计需要十八个月。",
            "渔船将搬到旧海关大楼旁边的临时泊位继续作业。",
            "项目费用为四千万,其中大部分来自地区发展基金。",
            "两个较小的党派投了反对票,认为预算估计过低。",
        ),
        "本文为付费内容,订阅后继续阅读全文。",
    ),
    "ko": (
        "로우미어, 동쪽 부두 다시 짓는다",
        "로우미어 항만위원회가 동쪽 부두 재건을 결정했다.",
        (
            "로우미어 항만위원회가 화요일 낡은 동쪽 부두를 다시 짓기로 결정했다.",
            "기술자들은 물 아래 콘크리트가 무너지고 있다고 여러 해 경고해 왔다.",
            "공사는 봄에 시작해 일 년 반이 걸릴 것이라고 시장이 말했다.",
            "어선들은 옛 세관 건물 옆의 임시 선착장으로 옮기게 된다.",
            "비용은 사천만이며 대부분을 지역 기금이 부담한다고 밝혔다.",
            "작은 정당 두 곳은 예산이 너무 낮다며 반대표를 던졌다.",
        ),
        "이 기사는 구독자 전용입니다. 로그인하고 전체 기사를 읽으세요.",
    ),
    "ar": (
        "لومير تعيد بناء الرصيف الشرقي",
        "قرر مجلس ميناء لومير إعادة بناء الرصيف الشرقي.",
        (
            "قرر مجلس ميناء لومير يوم الثلاثاء إعادة بناء الرصيف الشرقي القديم.",
            "حذر المهندسون منذ سنوات من تآكل الخرسانة تحت سطح الماء.",
            "تبدأ الأعمال في الربيع وتستمر ثمانية عشر شهرا بحسب رئيسة البلدية.",
            "تنتقل قوارب الصيد إلى مرسى مؤقت بجانب مبنى الجمارك القديم.",
            "تبلغ الكلفة أربعين مليونا يدفع معظمها صندوق إقليمي للتنمية.",
            "صوت حزبان صغيران ضد القرار ووصفا التقدير بأنه منخفض جدا.",
        ),
        "هذا المحتوى للمشتركين فقط. اشترك الآن لمتابعة القراءة.",
    ),
}


def _abroad(lang: str, sentences: tuple[str, ...], after: str = "") -> bytes:
    body = "".join(f"<p>{s}</p>" for s in sentences) + after
    return page(body, title=WORLD[lang][0], lang=lang)


def _wall(words: str) -> str:
    return f"<div class='gate'><h2>{words}</h2><button>OK</button></div>"


def _json_ld(**claims: object) -> str:
    said = {"@context": "https://schema.org", "@type": "NewsArticle", **claims}
    return f"<script type='application/ld+json'>{json.dumps(said)}</script>"


_LOCKED = {"@type": "WebPageElement", "isAccessibleForFree": False, "cssSelector": ".locked"}
_BANNER = (
    "<div id='cmp'><p>We and our 214 partners store cookies to show advertising. You can accept"
    " or reject.</p><button>Accept all</button><button>Reject all</button></div>"
)
_COOKIE_WALLS = {
    "en": "<p>Before you continue, choose how your personal data are used.</p><p>We and our 214 par"
    "tners use cookies and similar techniques to measure and to show advertising.</p><p>Some "
    "vendors rely on their legitimate interest.</p><p>Accept all, reject all, or manage your "
    "choices in the privacy settings at any time.</p>",
    "de": "<p>Weiter mit Werbung lesen: Besuchen Sie uns mit Werbung und Cookies.</p><p>"
    "Ihre Einwilligung umfasst personenbezogene Daten, die wir mit Partnern verarbeiten.</p><p>"
    "Details stehen in der Datenschutzerklärung, wo Sie jederzeit widerrufen können, was Sie "
    "akzeptieren.</p>",
    "fr": "<p>Avec votre consentement, nos 180 partenaires et nous utilisons des cookies et "
    "traceurs.</p><p>Vous pouvez accepter ou refuser le traitement de vos données personnelles.</p>"
    "<p>Vos choix sur la vie privée peuvent être modifiés à tout moment.</p>",
}
_CHALLENGE = (
    "<html><head><title>Just a moment...</title></head><body><div class='main-wrapper'><h1>paper.ex"
    "ample</h1><p>Checking if the site connection is secure. Enable JavaScript and cookies to "
    "continue.</p></div><script>window._cf_chl_opt={cvId:'3'};</script></body></html>"
)


def _plain(title: str, *lines: str) -> bytes:
    body = "".join(f"<p>{line}</p>" for line in lines)
    return f"<html><head><title>{title}</title></head><body>{body}</body></html>".encode()


CASES = [
    # -- whole articles ----------------------------------------------------------------------------
    Case("whole", "read", article()),
    Case("whole with a cookie banner", "read", article(around=_BANNER)),
    Case(
        "metered: a banner counts the free articles, the text is whole", "read",
        article(
            10, around="<div class='meter'><p>This is your last free article this month. Subscribe "
            "to read the next ones without limits.</p></div>",
        ),
    ),
    Case("metered and declared so", "read", article(10, head=_json_ld(isAccessibleForFree=False))),
    Case("free and declared so", "read", article(head=_json_ld(isAccessibleForFree=True))),
    Case(
        "whole beside locked teasers", "read",
        page(
            paragraphs(3) + "<aside><h3>More</h3><div><a href='/2'>The secret life of the harbour "
            "master, told by those who knew him best</a> Subscribers only</div></aside>"
            "<ul><li>Exclusively for subscribers: our weekly letter</li></ul>"
        ),
    ),
    Case("short news", "read", page(paragraphs(1))),
    Case("whole with a captcha in its comment form", "read",
         page(paragraphs(5) + "<form><script src='https://hcaptcha.com/1/api.js'></script></form>")),
    Case(
        "about cookies", "read",
        page(
            "<p>Parliament voted on Monday to end cookie banners on public websites.</p><p>Visitors"
            " would set their choice once, in the browser, said the minister Ada Brook.</p><p>"
            "Advertising groups oppose the bill and speak of a heavy loss.</p><p>Consumer groups "
            "counted nine clicks before a reader could refuse.</p><p>The senate debates it in May."
            "</p>", title="Parliament votes to end cookie banners",
        ),
        about="Parliament votes to end cookie banners\nPublic websites must drop cookie banners.",
    ),
    Case(
        "about paywalls", "read",
        page(
            paragraphs(10) + "<p>Readers now meet the words subscribe to continue on three sites in"
            " four, the study found.</p><p>Its authors expect the number to fall.</p>"
        ),
    ),
    Case(
        "about a blocked website", "read",
        page(
            "<p>Thousands of readers met the words access denied on Sunday when a firewall failed."
            "</p><p>The provider restored service at noon and promised an inquiry.</p><p>Shops and "
            "two airlines were affected, the company Norholm Networks said.</p>",
            title="Firewall fault shuts readers out of websites",
        ),
        about="Firewall fault shuts readers out of websites\nA fault at Norholm Networks.",
    ),
    *(
        Case(f"whole, {lang}", "read", _abroad(lang, told), f"{title}\n{teaser}")
        for lang, (title, teaser, told, _) in WORLD.items()
    ),
    # -- walls of payment --------------------------------------------------------------------------
    Case(
        "declared locked part", "paywall",
        article(9, head=_json_ld(isAccessibleForFree=False, hasPart=_LOCKED)),
    ),
    Case(
        "declared in a graph, as words", "paywall",
        page(
            paragraphs(1), head="<script type='application/ld+json'>" + json.dumps({"@graph": [
                {"@type": "WebPage"}, {"@type": ["NewsArticle"], "isAccessibleForFree": "False"}
            ]}) + "</script>",
        ),
    ),
    Case(
        "declared by a tier", "paywall",
        page(paragraphs(2), head="<meta property='article:content_tier' content='locked'>"),
    ),
    Case("teaser and wall", "paywall",
         page(paragraphs(1) + _wall("Subscribe to continue reading") + "<p>Already a member?</p>")),
    Case("teaser and registration", "paywall",
         page(paragraphs(2) + _wall("Register for free to read the full story"))),
    Case("long teaser that breaks off at the wall", "paywall",
         page(paragraphs(7) + "<p>But behind the figures, the engineers feared…</p>"
              + _wall("Unlock this article"))),
    *(
        Case(
            f"wall, {lang}", "paywall", _abroad(lang, told[:2], _wall(words)), f"{title}\n{teaser}"
        )
        for lang, (title, teaser, told, words) in WORLD.items()
    ),
    Case("login page", "paywall", page("<p>Log in</p>"), url="https://paper.example/login?next=pier"),
    # -- walls of consent --------------------------------------------------------------------------
    *(
        Case(f"cookie wall, {lang}", "cookies", page(words, title="Privacy", lang=lang))
        for lang, words in _COOKIE_WALLS.items()
    ),
    Case("cookie wall under the article's title", "cookies", page(_COOKIE_WALLS["en"])),
    Case("consent site", "consent", page(_COOKIE_WALLS["en"]), url="https://consent.paper.example/a"),
    Case("consent path", "consent", page("<p>x</p>"), url="https://paper.example/privacy-gate?to=1"),
    # -- suspicion, absence ------------------------------------------------------------------------
    Case("challenge", "challenge", _CHALLENGE.encode()),
    Case("challenge without words", "challenge", _plain("paper.example").replace(
        b"<body>", b"<body><script src='https://geo.captcha-delivery.com/c.js'></script>")),
    Case("access denied", "challenge", _plain(
        "Access Denied", "You don't have permission to access this page on this server.",
        "Reference #18.2f")),
    Case("are you a robot", "challenge", _plain(
        "Please verify", "We have seen unusual traffic from your network.", "Are you a robot?")),
    Case("soft 404", "missing", _plain("Page not found", "Try the search or the home page.")),
    Case("soft 404, de", "missing", _plain("Seite nicht gefunden", "Zurück zur Startseite.")),
    Case("home page", "missing", article(9, "Eastbury"), url="https://paper.example/"),
    Case("region", "region", _plain(
        "Sorry", "This content is not available in your region because of European law.")),
    Case("a shell that scripts would fill", "empty",
         b"<html><head><title>Paper</title></head><body><div id='root'></div></body></html>"),
    Case("maintenance", "other", page(
        "<p>We are improving our website tonight and apologise for the trouble.</p><p>Please come "
        "back in one hour; our team works as fast as it can.</p>", title="Back soon")),
    Case("another article", "other", page(
        "<p>Nine riders finished the mountain stage within a minute of each other.</p><p>The yellow"
        " jersey stays with the climber from Norholm.</p>", title="Climbers share the stage")),
]  # fmt: skip
