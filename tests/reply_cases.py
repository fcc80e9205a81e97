"""Replies as mail programs write them, invented, each with the words that its author wrote.

Belongs here: cases for `transforms.reply`, written before its rules were, in many languages and programs. Does not
belong here: mail of real people; cases made after a rule (those stand in the tests of the rule).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplyCase:
    """One mail's text and what its author wrote in it (compared without white space)."""

    name: str
    text: str
    reply: str


CASES: tuple[ReplyCase, ...] = (
    ReplyCase(
        "gmail_english",
        """Yes, the second one works.

On Tue, Mar 3, 2026 at 4:05 PM Support <support@acme.example> wrote:

> Hi Jo,
>
> have you tried the other port?
>
> Support
""",
        "Yes, the second one works.",
    ),
    ReplyCase(
        "gmail_english_broken_line",
        """Still broken, sorry.
See the screenshot.

On Fri, Nov 20, 2026 at 11:58 AM Maximilian Featherstonehaugh <
maximilian.featherstonehaugh@customer.example> wrote:

> Please restart it.
>
""",
        "Still broken, sorry.\nSee the screenshot.",
    ),
    ReplyCase(
        "gmail_german",
        """Hallo zusammen,

das hat geklappt, danke!

Viele Grüße
Anna

Am Mo., 2. Nov. 2026 um 09:14 Uhr schrieb Kundendienst <
hilfe@firma.example>:

> Guten Tag,
>
> bitte starten Sie den Router neu.
""",
        "Hallo zusammen,\n\ndas hat geklappt, danke!\n\nViele Grüße\nAnna",
    ),
    ReplyCase(
        "apple_german",
        """Der Fehler tritt nur unter Windows auf.

> Am 12.05.2026 um 17:03 schrieb Helpdesk <helpdesk@firma.example>:
>
> Auf welchem System?
>
""",
        "Der Fehler tritt nur unter Windows auf.",
    ),
    ReplyCase(
        "gmail_french",
        """Bonjour,

La facture est toujours fausse.

Le mar. 6 oct. 2026 à 10:22, Service Clients <service@societe.example> a écrit :

> Bonjour Madame,
> votre facture est corrigée.
""",
        "Bonjour,\n\nLa facture est toujours fausse.",
    ),
    ReplyCase(
        "gmail_spanish",
        """Gracias, ya funciona.

El mié, 7 oct 2026 a las 12:40, Soporte (<soporte@empresa.example>) escribió:

> ¿Puede probar de nuevo?
""",
        "Gracias, ya funciona.",
    ),
    ReplyCase(
        "gmail_italian",
        """Confermo, il pacco è arrivato.

Il giorno gio 8 ott 2026 alle ore 08:31 Assistenza <assistenza@ditta.example>
ha scritto:

> Il pacco è in consegna.
""",
        "Confermo, il pacco è arrivato.",
    ),
    ReplyCase(
        "gmail_dutch",
        """Het werkt nog niet.

Op vr 9 okt 2026 om 16:20 schreef Klantenservice <service@bedrijf.example>:

> Kunt u het opnieuw proberen?
""",
        "Het werkt nog niet.",
    ),
    ReplyCase(
        "gmail_portuguese",
        """Obrigado! Pode fechar o chamado.

Em qui., 15 de out. de 2026 às 14:02, Suporte <suporte@empresa.example>
escreveu:

> O acesso foi liberado.
""",
        "Obrigado! Pode fechar o chamado.",
    ),
    ReplyCase(
        "gmail_polish",
        """Dziękuję, działa.

pon., 19 paź 2026 o 10:11 Pomoc Techniczna <pomoc@firma.example> napisał(a):

> Proszę spróbować ponownie.
""",
        "Dziękuję, działa.",
    ),
    ReplyCase(
        "gmail_russian",
        """Спасибо, проблема решена.

вт, 20 окт. 2026 г. в 13:37, Служба поддержки <help@company.example>:

> Попробуйте ещё раз.
""",
        "Спасибо, проблема решена.",
    ),
    ReplyCase(
        "gmail_swedish",
        """Tack, nu fungerar det.

Den ons 21 okt. 2026 kl 15:45 skrev Kundtjänst <kund@bolag.example>:

> Har du startat om?
""",
        "Tack, nu fungerar det.",
    ),
    ReplyCase(
        "gmail_danish",
        """Ja, det er ordrenummer 4711.

Den tors. 22. okt. 2026 kl. 09.05 skrev Support <support@firma.example>:

> Hvad er ordrenummeret?
""",
        "Ja, det er ordrenummer 4711.",
    ),
    ReplyCase(
        "gmail_norwegian",
        """Det stemmer.

fre. 23. okt. 2026 kl. 08:12 skrev Kundeservice <post@selskap.example>:

> Gjelder det faktura 12?
""",
        "Det stemmer.",
    ),
    ReplyCase(
        "gmail_finnish",
        """Kiitos, asia on kunnossa.

la 24. lokak. 2026 klo 18.30 Asiakaspalvelu (tuki@yritys.example) kirjoitti:

> Voitteko kokeilla uudelleen?
""",
        "Kiitos, asia on kunnossa.",
    ),
    ReplyCase(
        "gmail_czech",
        """Děkuji, už to funguje.

po 26. 10. 2026 v 11:20 odesílatel Podpora <podpora@firma.example> napsal:

> Zkuste to prosím znovu.
""",
        "Děkuji, už to funguje.",
    ),
    ReplyCase(
        "gmail_turkish",
        """Teşekkürler, sorun çözüldü.

Destek <destek@firma.example>, 27 Eki 2026 Sal, 12:00 tarihinde şunu yazdı:

> Tekrar dener misiniz?
""",
        "Teşekkürler, sorun çözüldü.",
    ),
    ReplyCase(
        "gmail_chinese",
        """谢谢，已经解决了。

客服 <service@company.example> 于2026年10月28日周三 14:20写道：

> 请再试一次。
""",
        "谢谢，已经解决了。",
    ),
    ReplyCase(
        "gmail_japanese",
        """ありがとうございます。解決しました。

2026年10月29日(木) 9:41 サポート <support@kaisha.example>:

> もう一度お試しください。
""",
        "ありがとうございます。解決しました。",
    ),
    ReplyCase(
        "gmail_korean",
        """감사합니다. 해결되었습니다.

2026년 10월 30일 (금) 오후 3:15, 고객센터 <help@hoesa.example>님이 작성:

> 다시 시도해 주세요.
""",
        "감사합니다. 해결되었습니다.",
    ),
    ReplyCase(
        "gmail_hebrew",
        """תודה, זה עובד עכשיו.

‫בתאריך יום ב׳, 2 בנוב׳ 2026 ב-10:05 מאת ‪תמיכה‬‏ <‪tmicha@hevra.example‬‏>:‬

> נא לנסות שוב.
""",
        "תודה, זה עובד עכשיו.",
    ),
    ReplyCase(
        "gmail_arabic",
        """شكرا، تم حل المشكلة.

في الاثنين، 2 نوفمبر 2026 في 10:05 ص تمت كتابة ما يلي بواسطة الدعم <
support@sharika.example>:

> يرجى المحاولة مرة أخرى.
""",
        "شكرا، تم حل المشكلة.",
    ),
    ReplyCase(
        "outlook_english",
        """Please find the log attached.

Regards,
Sam

From: Support <support@acme.example>
Sent: Monday, November 2, 2026 9:12 AM
To: Sam Miller <sam@customer.example>
Subject: RE: Printer offline

Dear Sam,

could you send us the log?

Support
""",
        "Please find the log attached.\n\nRegards,\nSam",
    ),
    ReplyCase(
        "outlook_german_rule",
        """Ja, bitte stornieren.

Mit freundlichen Grüßen
B. Beispiel

________________________________
Von: Bestellung <bestellung@firma.example>
Gesendet: Dienstag, 3. November 2026 14:55
An: B. Beispiel <b@kunde.example>
Betreff: AW: Bestellung 100

Sollen wir stornieren?
""",
        "Ja, bitte stornieren.\n\nMit freundlichen Grüßen\nB. Beispiel",
    ),
    ReplyCase(
        "outlook_french",
        """Voici le document.

De : Support <support@societe.example>
Envoyé : mercredi 4 novembre 2026 08:44
À : Claire Exemple <claire@client.example>
Objet : RE: Dossier 12

Merci d'envoyer le document.
""",
        "Voici le document.",
    ),
    ReplyCase(
        "outlook_turkish",
        """Fatura ektedir.

Kimden: Destek <destek@firma.example>
Gönderildi: 4 Kasım 2026 Çarşamba 10:20
Kime: Ayşe Örnek <ayse@musteri.example>
Konu: YNT: Fatura

Faturayı gönderir misiniz?
""",
        "Fatura ektedir.",
    ),
    ReplyCase(
        "outlook_spanish_original_message",
        """De acuerdo, gracias.

-----Mensaje original-----
De: Soporte [mailto:soporte@empresa.example]
Enviado el: jueves, 5 de noviembre de 2026 16:01
Para: Luis Ejemplo
Asunto: RE: Pedido

Mañana lo enviamos.
""",
        "De acuerdo, gracias.",
    ),
    ReplyCase(
        "outlook_original_message_german",
        """Passt so.

-----Ursprüngliche Nachricht-----
Von: Service <service@firma.example>
Gesendet: Freitag, 6. November 2026 07:30
An: kunde@kunde.example
Betreff: Termin

Passt Dienstag?
""",
        "Passt so.",
    ),
    ReplyCase(
        "markdown_headers",
        """We are on version 5.2.

*From:* Support <support@acme.example>
*Sent:* Thursday, 5 November 2026 13:00
*To:* Kim <kim@customer.example>
*Subject:* Re: Crash at start

Which version do you use?
""",
        "We are on version 5.2.",
    ),
    ReplyCase(
        "outlook_japanese",
        """ログを添付します。

差出人: サポート <support@kaisha.example>
送信日時: 2026年11月6日 10:00
宛先: 山田 <yamada@kokyaku.example>
件名: RE: エラー

ログを送ってください。
""",
        "ログを添付します。",
    ),
    ReplyCase(
        "phone_iphone",
        """It is the black one.

Sent from my iPhone

> On 6 Nov 2026, at 18:20, Support <support@acme.example> wrote:
>
> Which one is broken?
""",
        "It is the black one.",
    ),
    ReplyCase(
        "phone_german_outlook",
        """Ich bin morgen ab 10 Uhr da.

Outlook für Android<https://aka.ms/AAb9ysg> herunterladen
________________________________
From: Termine <termine@firma.example>
Sent: Saturday, November 7, 2026 10:02:11 AM
To: Kunde <kunde@kunde.example>
Subject: Termin

Wann sind Sie da?
""",
        "Ich bin morgen ab 10 Uhr da.",
    ),
    ReplyCase(
        "phone_french",
        """Merci, c'est reçu.

Envoyé de mon iPhone
""",
        "Merci, c'est reçu.",
    ),
    ReplyCase(
        "phone_turkish",
        """Tamam, bekliyorum.

iPhone'umdan gönderildi
""",
        "Tamam, bekliyorum.",
    ),
    ReplyCase(
        "signature_dashes",
        """The invoice number is 2026-77.

-- 
Pat Sample
Accounts, Customer Ltd
Tel. +1 555 0100
""",
        "The invoice number is 2026-77.",
    ),
    ReplyCase(
        "signature_then_quote",
        """Neither of them.

--
Pat Sample

On 8 Nov 2026 at 10:10, Support wrote:
> Left or right one?
""",
        "Neither of them.",
    ),
    ReplyCase(
        "inline_answers",
        """Hello,

On 09/11/2026 08:15, Support wrote:
> 1. Which system do you use?

Debian 12.

> 2. Which browser?

Firefox, newest.

Thanks
Eve
""",
        "Hello,\n\nDebian 12.\n\nFirefox, newest.\n\nThanks\nEve",
    ),
    ReplyCase(
        "bottom_posting",
        """On Mon, 9 Nov 2026 10:00:00 +0100
Support <support@acme.example> wrote:

> Does it blink?

It blinks red, twice.

Max
""",
        "It blinks red, twice.\n\nMax",
    ),
    ReplyCase(
        "reply_marker",
        """Yes please.

##- Please type your reply above this line -##

Your request (1234) has been updated.

Support, Nov 9, 10:00

Shall we close it?
""",
        "Yes please.",
    ),
    ReplyCase(
        "forward_with_words",
        """Please handle this one for us.

---------- Forwarded message ---------
From: Billing <billing@vendor.example>
Date: Mon, Nov 9, 2026 at 8:00 AM
Subject: Overdue
To: <me@customer.example>

You have not paid.
""",
        "Please handle this one for us.",
    ),
    ReplyCase(
        "forward_german",
        """Zur Info, bitte klären.

---------- Weitergeleitete Nachricht ----------
Von: Lieferant <info@lieferant.example>
Datum: 9. November 2026
Betreff: Lieferung
An: Kunde <kunde@kunde.example>

Die Lieferung verzögert sich.
""",
        "Zur Info, bitte klären.",
    ),
    ReplyCase(
        "apple_forward",
        """Is this mail really yours?

Begin forwarded message:

From: "Prize" <win@prize.example>
Subject: You won
Date: 9 November 2026 at 10:00:00 CET
To: me@customer.example

Click here.
""",
        "Is this mail really yours?",
    ),
    ReplyCase(
        "no_quote_on_in_text",
        """On Monday I wrote to you about the broken lamp.
On Tuesday your colleague wrote: no lamp is in stock.

From: and To: are both empty in the form. What now?
""",
        """On Monday I wrote to you about the broken lamp.
On Tuesday your colleague wrote: no lamp is in stock.

From: and To: are both empty in the form. What now?""",
    ),
    ReplyCase(
        "no_quote_table_and_code",
        """The output is:

| name | count |
|------|-------|
| a    | 12    |

if a > b:
    print("> yes")
--------
done

Why is it 12?
""",
        """The output is:

| name | count |
|------|-------|
| a    | 12    |

if a > b:
    print("> yes")
--------
done

Why is it 12?""",
    ),
    ReplyCase(
        "disclaimer",
        """The contract is fine with us.

Kind regards,
Lee

This e-mail and any attachments are confidential and intended solely for the use of the individual
or entity to whom they are addressed. If you have received this email in error please notify the sender.
""",
        "The contract is fine with us.\n\nKind regards,\nLee",
    ),
    ReplyCase(
        "yahoo",
        """Received, thank you.

    On Monday, November 9, 2026 at 11:11:11 AM GMT+1, Support <support@acme.example> wrote:  
 
 We sent it today.
  
""",
        "Received, thank you.",
    ),
    ReplyCase(
        "two_levels",
        """Fourth floor.

On Tue, Nov 10, 2026 at 9:00 AM Support <support@acme.example> wrote:

> Which floor?
>
> On Mon, Nov 9, 2026 at 5:00 PM Uma <uma@customer.example> wrote:
>
>> The lift is stuck.
>>
>
""",
        "Fourth floor.",
    ),
    ReplyCase(
        "sent_from_in_text",
        """The parcel was sent from my office on Friday.
It was sent from my iPhone app, too, but nothing came.
""",
        """The parcel was sent from my office on Friday.
It was sent from my iPhone app, too, but nothing came.""",
    ),
    ReplyCase(
        "pipes",
        """Only on the second screen.

Support wrote on 2026-11-10:
| Does it flicker on both screens?
| Please also tell us the model.
""",
        "Only on the second screen.",
    ),
    ReplyCase(
        "quote_only_question_below",
        """> Our shop is closed on Monday.

And on Tuesday?
""",
        "And on Tuesday?",
    ),
)
