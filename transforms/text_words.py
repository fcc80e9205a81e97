"""Words that `text` and the mail transforms go by: prefixes of answers and forwards, function words.

Belongs here: word lists. Does not belong here: what is done with them.
"""

from collections.abc import Mapping
from typing import Literal

REPLY_PREFIXES: Mapping[str, Literal["reply", "forward"]] = {
    "re": "reply",
    "réf": "reply",
    "rép": "reply",
    "aw": "reply",
    "antw": "reply",
    "antwort": "reply",
    "sv": "reply",
    "vs": "reply",
    "vá": "reply",
    "odp": "reply",
    "ynt": "reply",
    "cevap": "reply",
    "yanıt": "reply",
    "cvp": "reply",
    "ilt": "forward",
    "res": "reply",
    "rif": "reply",
    "r": "reply",
    "bls": "reply",
    "atb": "reply",
    "ats": "reply",
    "отв": "reply",
    "ответ": "reply",
    "відп": "reply",
    "απ": "reply",
    "σχετ": "reply",
    "הב": "forward",
    "השב": "reply",
    "תשובה": "reply",
    "رد": "reply",
    "回复": "reply",
    "回覆": "reply",
    "答复": "reply",
    "答覆": "reply",
    "返信": "reply",
    "회신": "reply",
    "trả lời": "reply",
    "balas": "reply",
    "svar": "reply",
    "fw": "forward",
    "fwd": "forward",
    "wg": "forward",
    "tr": "forward",
    "vb": "forward",
    "vl": "forward",
    "doorst": "forward",
    "rv": "forward",
    "enc": "forward",
    "pd": "forward",
    "továbbítás": "forward",
    "転送": "forward",
    "转发": "forward",
    "轉寄": "forward",
    "전달": "forward",
    "пересл": "forward",
    "إعادة توجيه": "forward",
}
"""Prefix in lower case → what it says: English, German, Dutch, Danish, Norwegian, Swedish, Finnish, Icelandic,
Turkish, French, Spanish, Portuguese, Italian, Polish, Hungarian, Czech, Latvian, Lithuanian, Russian, Ukrainian,
Greek, Hebrew, Arabic, Chinese, Japanese, Korean, Vietnamese, Indonesian."""

GENERIC_SUBJECTS: frozenset[str] = frozenset(
    {
        *(
            "help",
            "question",
            "questions",
            "problem",
            "issue",
            "error",
            "bug",
            "request",
            "support",
        ),
        *("hello", "hi", "info", "information", "urgent", "important", "test", "order", "invoice"),
        *("payment", "complaint", "feedback", "no subject", "(no subject)", "contact", "ticket"),
        *(
            "hilfe",
            "frage",
            "fragen",
            "problem",
            "fehler",
            "anfrage",
            "hallo",
            "dringend",
            "wichtig",
        ),
        *("bestellung", "rechnung", "zahlung", "reklamation", "kein betreff", "(kein betreff)"),
        *(
            "yardım",
            "soru",
            "sorun",
            "hata",
            "istek",
            "destek",
            "merhaba",
            "bilgi",
            "acil",
            "önemli",
        ),
        *("sipariş", "fatura", "ödeme", "şikayet", "konu yok", "(konu yok)", "talep", "deneme"),
        *("aide", "problème", "bonjour", "ayuda", "pregunta", "problema", "hola", "aiuto", "vraag"),
    }
)
"""Subjects (as `base_subject` gives them) that many unrelated mails carry."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    "en": _words(
        "the and to of a in is that it you for on with this have be are not we was can will my i"
        " please from your has but what there do any would when if or at an how which they our me"
        " thanks thank hello hi been does did no so as by it's i'm don't could just get all"
    ),
    "de": _words(
        "der die das und ist nicht ein eine ich sie wir zu mit auf für dass den dem von im es bitte"
        " kann wird haben bei auch nach wie aber oder wenn noch uns mir mein meine unser ihr ihre"
        " sich habe sind hat einen einem einer hallo danke grüße als aus um über nur schon kein"
        " keine mehr werden wurde vielen dank guten tag freundlichen grüßen"
    ),
    "tr": _words(
        "ve bir bu için ile de da ne çok var yok mı mi mu mü değil olarak daha ama veya gibi kadar"
        " sonra ben biz siz benim bizim sizin bana bize size merhaba teşekkürler teşekkür ederim"
        " lütfen nasıl neden şu o her en ki ise olan olduğu oldu tarafından rica ederiz iyi günler"
        " saygılarımla hala henüz üzere nedeniyle ediyorum edebilir miyim misiniz"
    ),
}
"""Language → its commonest small words, in lower case."""
