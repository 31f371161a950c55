"""What notices say, by language: all matched against lower case.

Written down from the wording that publishers use; the letters of each language are its own.
"""

from __future__ import annotations

import re


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases))


# Asks for money or an account before the next sentence. "Subscribe" alone stands on every page.
WALL = _any(
    # English
    r"(?:subscribe|sign up|sign in|log in|register|join|pay) (?:now |today |for free )?to (?:contin"
    r"ue|read (?:the (?:full|whole|rest|entire)|this|on|more|full)|keep reading|unlock|finish"
    r"|access (?:the|this))",
    r"to (?:continue reading|read the (?:full|rest))",
    r"continue reading (?:with|for|by)",
    r"(?:only|exclusively|reserved|exclusive) (?:available )?(?:for|to) (?:our |paying |paid )*"
    r"(?:subscribers|members)",
    r"(?:article|story|content) is for (?:our )?(?:subscribers|members)",
    r"subscriber[- ](?:only|exclusive)",
    r"already a (?:subscriber|member)",
    r"unlock this (?:article|story)",
    # German
    r"(?:jetzt |artikel )?weiterlesen mit",
    r"um (?:den|diesen) artikel (?:weiter)?(?:zu )?lesen",
    r"(?:nur|exklusiv) für (?:abonnent|plus|mitglieder)",
    r"(?:bereits|schon) (?:ein )?abo(?:nnent\w*)?\b",
    r"artikel freischalten",
    r"lesen sie weiter mit",
    r"registrieren sie sich,? um",
    # French
    r"réservée?s? (?:aux|à nos) abonnés",
    r"pour lire la suite",
    r"la suite de (?:cet|l.) ?article est",
    r"il vous reste \d+(?:[.,]\d+)? ?%",
    r"abonnez-vous pour (?:lire|continuer|accéder)",
    r"déjà abonnée? ?\?",
    # Spanish and Portuguese
    r"(?:exclusivo|sólo|solo) para (?:nuestros )?(?:suscriptores|abonados)",
    r"para (?:seguir|continuar) leyendo",
    r"suscríbe(?:te|ase) para",
    r"ya (?:eres|es usted) suscriptor",
    r"exclusivo para (?:os )?assinantes",
    r"para continuar (?:a ler|lendo)",
    r"assine para",
    r"já é assinante",
    # Italian
    r"(?:riservato|esclusiv[oa]) (?:agli|per gli) abbonati",
    r"per continuare a leggere",
    r"abbonati per (?:leggere|continuare)",
    r"sei già abbonato",
    # Dutch
    r"(?:alleen|exclusief) voor abonnees",
    r"lees verder met",
    r"om (?:dit artikel )?(?:verder )?te lezen",
    r"(?:al|reeds) abonnee",
    # Swedish, Norwegian, Danish, Finnish
    r"för att (?:läsa vidare|fortsätta läsa)",
    r"(?:bara|endast|kun) för? (?:prenumeranter|abonnenter)",
    r"kun for abonnenter",
    r"redan prenumerant",
    r"allerede abonnent",
    r"for at læse videre",
    r"for å lese (?:videre|hele saken)",
    r"vain tilaajille",
    r"jatka lukemista tilaamalla",
    # Polish, Czech
    r"tylko dla (?:prenumeratorów|subskrybentów)",
    r"aby czytać dalej",
    r"pozostało (?:do przeczytania )?\d+ ?%",
    r"pouze pro předplatitele",
    # Russian, Ukrainian
    r"чтобы (?:читать дальше|продолжить чтение)",
    r"(?:доступ\w*|только) (?:только )?(?:для|по) (?:подписчик|подписке)",
    r"оформите подписку",
    r"(?:лише|тільки) для передплатників",
    r"оформіть передплату",
    # Turkish, Greek
    r"abonelere özel",
    r"okumaya devam etmek için",
    r"μόνο για συνδρομητές",
    # Japanese
    r"この記事は.{0,6}会員",
    r"(?:ここから先|続き|全文)[はを].{0,12}(?:会員|ログイン|登録|購読)",
    r"残り:?[\d,]+文字",
    # Chinese
    r"(?:订阅|訂閱|登录|登入|付费|付費)(?:后|後|即可|以)?(?:继续|繼續|查看|阅读|閱讀)",
    r"付费(?:内容|阅读)",
    r"會員(?:專屬|限定)",
    # Korean
    r"(?:구독자|유료 ?회원|회원) ?전용",
    r"(?:로그인|구독)(?:하고|하시면|\s?후).{0,12}(?:계속|전체|이어|전문)",
    # Arabic, Persian
    r"للمشتركين فقط",
    r"اشترك (?:الآن )?(?:لمتابعة|لقراءة|لإكمال)",
    r"ویژه مشترکان",
    # Indonesian, Vietnamese
    r"khusus (?:pelanggan|member)",
    r"berlangganan untuk (?:membaca|melanjutkan)",
    r"dành (?:riêng )?cho (?:hội viên|thuê bao)",
)

# Speaks of cookies, consent and who sells what one reads.
COOKIES = _any(
    r"cookie|consent|your (?:privacy|data|choices)|personal data|privacy (?:policy|settings)",
    r"third part|vendors|our partners|legitimate interest|advertis|tracking",
    r"einwillig|zustimm|datenschutz|personenbezogen|werbung|akzeptier",
    r"traceurs|consentement|accepter|refuser|données personnelles|vie privée",
    r"consentimiento|aceptar|rechazar|datos personales|privacidad|dados pessoais|aceitar",
    r"consenso|accett|rifiut|dati personali|toestemming|akkoord|accepteren",
    r"samtyck|samtykke|zgod[aęy]|plik(?:i|ów) cookie|dane osobowe",
    r"согласи|персональн\w+ данн|çerez",
    r"クッキー|同意|プライバシー|隐私|쿠키|동의|개인정보|ملفات تعريف الارتباط",
)

# Takes us for a program, or refuses us.
SUSPICION = _any(
    r"just a moment|attention required|access (?:to this page has been )?denied",
    r"are you (?:a )?(?:robot|human)|pardon our interruption|security (?:check|verification)",
    r"checking your browser|verify (?:that )?you(?:'re| are) (?:a )?human|one more step",
    r"ddos.guard|(?:human|bot|browser) (?:verification|check)|robot check|too many requests",
    r"request (?:blocked|rejected|could not be satisfied)|^\W*(?:403 )?forbidden",
    r"you have been blocked|unusual traffic|enable (?:javascript|js|cookies) (?:and|to)",
    r"einen moment,? bitte|zugriff verweigert|un instant|acc[eè]s (?:refusé|interdit)",
    r"un momento|acceso denegado|accesso negato|доступ (?:ограничен|запрещ[её]н)",
    r"подтвердите,? что вы не робот|проверка браузера",
    r"请稍候|安全验证|人机验证|アクセスが拒否|잠시만 기다",
)
SUSPICION_MARKUP = _any(
    r"_cf_chl_opt|cf-browser-verification|cf-chl-|cf-turnstile|_incapsula_resource|px-captcha",
    r"captcha-delivery\.com|/awswaf|hcaptcha\.com|g-recaptcha|ddos-guard",
)

# There is no such page (any more).
MISSING = _any(
    r"^\W*(?:error )?404\b|page (?:doesn.t|does not) exist",
    r"(?:page|article|story|content) (?:was |is |could )?(?:not|no longer) (?:be )?"
    r"(?:found|available)",
    r"seite (?:wurde )?nicht gefunden|page introuvable|p[áa]gina no (?:encontrada|existe)",
    r"pagina non trovata|página não encontrada|pagina niet gevonden",
    r"sidan (?:kunde inte hittas|finns inte)|nie znaleziono strony",
    r"страница не найдена|сторінку не знайдено",
    r"页面不存在|找不到(?:该|此)?页面|ページが見つかりません|페이지를 찾을 수 없",
)

# Shown elsewhere in the world only.
REGION = _any(
    r"not available in your (?:region|country|location)|unavailable (?:for|due to) legal",
    r"(?:visitors|users|readers) (?:from|in) the european (?:union|economic area)",
    r"in ihre[mr] (?:land|region) nicht verfügbar",
    r"n.est pas disponible dans votre (?:pays|région)",
    r"no está disponible en (?:su|tu) (?:país|región)",
)
