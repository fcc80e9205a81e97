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

FURTHER_FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    "fr": _words(
        "le la les un une des du de et est à au aux que qui ne pas pour dans sur avec ce cette ces je j'ai nous"
        " vous il elle sont ont mon ma mes notre votre vos bonjour merci cordialement mais ou où comment puis"
        " c'est n'est d'un d'une l'ai si plus être avoir fait peut pouvez toujours reçu depuis suis"
    ),
    "es": _words(
        "el la los las un una unos de del y es en que no por para con se su sus lo al me mi mis nos le les"
        " este esta estos como pero más ya hola gracias buenos buenas días tardes saludos cuando muy está"
        " están puede pueden tengo tiene hay desde hasta qué cómo favor usted ustedes he ha sido ser"
    ),
    "it": _words(
        "il lo la i gli le un una di del della dei delle e è in che non per con si su al alla da dal mi ci"
        " vi mio mia nostro vostro questo questa sono ho ha hanno come ma più già ciao buongiorno grazie"
        " saluti cordiali quando molto può possibile anche se perché nel nella ancora stato essere"
    ),
    "pt": _words(
        "o a os as um uma de do da dos das e é em no na nos nas que não por para com se seu sua meu minha"
        " ao à este esta isso como mas mais já olá obrigado obrigada bom boa dia tarde quando muito está"
        " estão pode tenho tem há desde até você vocês foi ser eu ainda pelo pela também"
    ),
    "nl": _words(
        "de het een en is niet ik je u wij we ze zij met op aan van voor dat die dit deze te om bij naar als"
        " maar of wel nog al mijn onze ons uw jullie hallo beste dank bedankt groeten vriendelijke kunt kan"
        " heb heeft hebben zijn was worden wordt er ook geen meer hoe wat waar graag"
    ),
    "pl": _words(
        "i w we na z ze do nie się jest to że o od po za dla jak ale czy co mam mamy mi mnie nam pan pani"
        " państwo dzień dobry dziękuję pozdrawiam proszę są był była było już jeszcze tylko tego tej ten ta"
        " przez przy oraz lub może moje mój moja nasz witam bardzo gdy kiedy"
    ),
    "sv": _words(
        "och att det som en ett är jag inte på med för av till den de vi ni du har kan om men så när från"
        " hej tack hälsningar vänliga mvh mitt min mina vår er ert var hur vad går skulle eller också efter"
        " bara mer nu här ska blev"
    ),
    "da": _words(
        "og at det som en et er jeg ikke på med for af til den de vi i du har kan om men så når fra hej tak"
        " hilsen venlig venlige mvh min mit mine vores jer var hvordan hvad hvor skulle eller også efter"
        " bare mere nu her skal blev jeres mig os efter meget"
    ),
    "fi": _words(
        "ja on ei että se en olen olemme mutta kun jos niin kuin voi voitte voisitte tämä tämän hei kiitos"
        " terveisin ystävällisin mitä miten missä minun meidän teidän ovat oli ole vielä myös nyt sitten"
        " tai joka jotka minä sinä hän me te siitä"
    ),
    "cs": _words(
        "a je se na v ve že to s z do o pro ale jak by jsem jsme jste mi mě nám vám není jsou byl byla bylo"
        " dobrý den děkuji děkujeme pozdravem prosím už ještě jen tento tato toto při nebo když kdy co můj"
        " moje náš můžete bych od po"
    ),
    "ru": _words(
        "и в во на не что я с со как это по но мы вы он она они у к из за от для же бы если или уже ещё еще"
        " мне нас вас вам нам мой моя наш ваш здравствуйте добрый день спасибо уважением пожалуйста был была"
        " было есть нет так когда где почему можно до при"
    ),
    "uk": _words(
        "і й в у на не що я з зі як це по але ми ви він вона вони до від для ж якщо або вже ще мені нас вас"
        " вам нам мій моя наш ваш вітаю добрий день дякую повагою будь ласка був була було є немає так коли"
        " де чому можна при та"
    ),
}
"""The same of languages that tickets are rarer in; more of them is asked for (`text.language`)."""

SCRIPTS: Mapping[str, str] = {
    "ja": r"[\u3041-\u30ff]",
    "ko": r"[\uac00-\ud7a3]",
    "zh": r"[\u4e00-\u9fff]",
    "he": r"[\u05d0-\u05ea]",
    "el": r"[\u0370-\u03ff\u1f00-\u1fff]",
    "th": r"[\u0e01-\u0e5b]",
}
"""Language → its own letters. Japanese stands before Chinese, whose letters it uses as well."""
