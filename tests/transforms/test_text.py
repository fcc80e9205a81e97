"""Text: HTML becomes readable, subjects lose their prefixes, languages are told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.text import (
    base_subject,
    clean_text,
    has_reply_prefix,
    html_to_text,
    language,
    normalise_subject,
    one_line,
)


@pytest.mark.parametrize(
    ("subject", "base", "is_reply"),
    [
        ("Printer broken", "printer broken", False),
        ("Re: Printer broken", "printer broken", True),
        ("RE[2]: re : Printer  broken", "printer broken", True),
        ("AW: WG: Drucker defekt", "drucker defekt", True),
        ("WG: Drucker defekt", "drucker defekt", False),
        ("YNT: Yazıcı bozuk", "yazici bozuk", True),
        ("Cevap: Yazıcı bozuk", "yazici bozuk", True),
        ("İlt: Yazıcı bozuk", "yazici bozuk", False),
        ("SV: VS: Antw: Odp: RES: printer", "printer", True),
        ("YANIT: YAZICI BOZUK", "yazici bozuk", True),
        ("回复：打印机", "打印机", True),
        ("[support] Re: [list] Printer broken", "printer broken", True),
        ("[#123] Printer broken", "printer broken", False),
        ("Fwd: Printer broken (fwd)", "printer broken", False),
        ("[support]", "[support]", False),
        ("Re:", "", True),
        ("Reply needed: printer", "reply needed: printer", False),
        ("Regarding: printer", "regarding: printer", False),
        ("", "", False),
    ],
)
def test_base_subject(subject: str, base: str, is_reply: bool) -> None:
    assert (base_subject(subject), has_reply_prefix(subject)) == (base, is_reply)


def test_normalise_subject_keeps_letters_and_tags() -> None:
    assert normalise_subject("Re: AW: [Acme]  Drucker DEFEKT") == "[Acme] Drucker DEFEKT"
    assert normalise_subject("Re: ") == "Re:"


@given(st.text(max_size=80))
def test_a_base_subject_is_its_own_base(subject: str) -> None:
    assert base_subject(base_subject(subject)) == base_subject(subject)


def test_html_becomes_readable_text() -> None:
    html = """<html><head><title>x</title><style>p{color:red}</style></head><body>
      <script>alert(1)</script><p>Hello&nbsp;<b>Ada</b>,</p><ul><li>one<li>two</ul>
      <table><tr><td>Order</td><td>4711</td></tr></table><br>Bye &amp; thanks</body></html>"""
    text = html_to_text(html)
    assert "alert" not in text
    assert "color" not in text
    assert [line.split() for line in text.splitlines() if line.strip()] == [
        ["Hello", "Ada,"],
        *(["*", "one"], ["*", "two"]),
        ["Order", "4711"],
        ["Bye", "&", "thanks"],
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("   ", ""),
        ("just text", "just text"),
        ('<?xml version="1.0" encoding="utf-8"?><p>x</p>', "x"),
        ("<p>a\x00b\ud800</p>", "a\ufffdb\ufffd"),
        ("<!-- only a comment -->", ""),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("2 < 3 and 4 > 1", "2 < 3 and 4 > 1"),
    ],
)
def test_odd_html(html: str, text: str) -> None:
    assert html_to_text(html).strip() == text


def test_very_large_or_deep_html_is_stripped_plainly() -> None:
    large = "<p>line</p>" * 300_000
    assert html_to_text(large).split() == ["line"] * 300_000
    assert "deep" in html_to_text("<div>" * 5_000 + "deep" + "</div>" * 5_000)


@given(st.text(max_size=300))
def test_any_text_is_safe_html(html: str) -> None:
    html_to_text(html).encode()


@given(st.text(alphabet=st.characters(), max_size=200))
def test_clean_text_is_storable_and_stable(text: str) -> None:
    clean = clean_text(text)
    assert "\x00" not in clean
    clean.encode()
    assert clean_text(clean) == clean
    assert "\n" not in one_line(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, my order has not arrived yet. Can you please tell me where it is?", "en"),
        ("Guten Tag, ich habe meine Bestellung noch nicht erhalten. Bitte um Hilfe.", "de"),
        ("Merhaba, siparişim henüz gelmedi. Lütfen bana bilgi verir misiniz?", "tr"),
        ("4711 0815", None),
        ("Zdravím, tiskárna nefunguje, prosím o pomoc", None),
        ("", None),
    ],
)
def test_language(text: str, expected: str | None) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Bonjour, je n'ai toujours pas reçu ma commande et la facture est fausse. Merci de votre aide.", "fr"),
        ("Hola, no puedo entrar en mi cuenta desde ayer y la contraseña no funciona. Gracias por su ayuda.", "es"),
        ("Buongiorno, il pacco non è ancora arrivato e non ho ricevuto nessuna mail. Grazie per la risposta.", "it"),
        ("Olá, não consigo entrar na minha conta e a senha não funciona. Obrigado pela ajuda.", "pt"),
        ("Hallo, ik kan niet inloggen en het wachtwoord dat u mij heeft gestuurd werkt niet. Bedankt.", "nl"),
        ("Dzień dobry, nie mogę się zalogować na moje konto i hasło jest już nieważne. Dziękuję za pomoc.", "pl"),
        ("Hej, jag kan inte logga in och det lösenord som ni skickade till mig fungerar inte. Tack för hjälpen.", "sv"),
        ("Hej, jeg kan ikke logge ind, og min adgangskode er ikke rigtig. Tak for hjælpen, venlig hilsen.", "da"),
        ("Hei, en pysty kirjautumaan sisään ja salasana ei ole oikea. Voisitteko auttaa? Kiitos, se on tärkeää.", "fi"),
        ("Dobrý den, nemohu se přihlásit a heslo není správné. Můžete mi prosím pomoci? Děkuji.", "cs"),
        ("Здравствуйте, я не могу войти в мой аккаунт, и пароль не подходит. Спасибо за помощь.", "ru"),
        ("Вітаю, я не можу увійти до мого акаунта, і пароль не підходить. Дякую за допомогу, будь ласка.", "uk"),
        ("こんにちは、ログインできません。パスワードを再設定してください。", "ja"),
        ("您好，我无法登录，请帮我重置密码。", "zh"),
        ("안녕하세요, 로그인이 되지 않습니다. 도와주세요.", "ko"),
        ("שלום, אני לא מצליח להתחבר לחשבון שלי", "he"),
        ("Γεια σας, δεν μπορώ να συνδεθώ στον λογαριασμό μου", "el"),
        ("Ok danke", None),
        ("Order 4711", None),
        ("la casa", None),
        ("Yes", None),
        ("com de la", None),
        ("Router Switch Firewall Backup Server", None),
        ("Привет", None),
        ("X310 N210 B200 uhd_usrp_probe --args addr=192.168.10.2", None),
    ],
)  # fmt: skip
def test_the_language_of_short_tickets_or_none_rather_than_a_guess(
    text: str, code: str | None
) -> None:
    assert language(text) == code


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<div>Hi<div>there</div></div>", "Hi\nthere"),
        ("<span>Hello</span><span>World</span>", "HelloWorld"),
        ("<div>above<hr>below</div>", "above\nbelow"),
        ('<p>See <img src="x" alt="the lamp"><img src="pixel" alt=""></p>', "See [the lamp]"),
        ("<ul><li>one<ul><li>two</li></ul></li></ul><ol><li>a</li></ol>", "  * one\n      + two\n 1. a"),
        ("<pre>if x:\n    y</pre>after", "if x:\n    y\nafter"),
        ("<p>a &lt; b &amp;&nbsp;c &#8364; &nosuch;</p>", "a < b & c € &nosuch;"),
        ("<div>Sale" + "&#847;&zwnj;&nbsp;" * 40 + "</div><p>Hello</p>", "Sale\n\nHello"),
        ('<div style="display:none">preview</div><p>Hello</p>', "Hello"),
    ],
)  # fmt: skip
def test_html_is_laid_out_as_a_browser_does(html: str, text: str) -> None:
    assert html_to_text(html) == text
