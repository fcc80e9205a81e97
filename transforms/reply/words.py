"""Words by which programs mark what is quoted, forwarded or signed, in the languages they are made for.

Belongs here: word lists, in lower case. Does not belong here: what is done with them.
"""

# fmt: off
WROTE: tuple[str, ...] = (
    "wrote", "writes", "said", "has written", "written by", "schrieb", "hat geschrieben",
    "geschrieben", "schreibt", "a écrit", "écrit", "a ecrit", "escribió", "escribio",
    "ha escrito", "va escriure", "ha scritto", "scrisse", "scritto", "wrote this", "schreef",
    "het volgende geschreven", "geschreven", "geskryf", "het geskryf", "escreveu",
    "escreveu o seguinte", "napisał(a)", "napisał", "napisała", "napisal(a)", "napisal", "pisze",
    "napisano", "написал", "написала", "написал(а)", "пишет", "писал", "писал(а)", "написав",
    "пише", "написа", "написао", "је написао", "написал(-а)", "skrev", "skrev följande",
    "skrev følgende", "skrifaði", "skreiv", "kirjoitti", "kirjutas", "rašė", "rakstīja",
    "napsal", "napsala", "napsal(a)", "napísal", "napísal(a)", "napísala", "napisao",
    "je napisao", "je napisal", "je napisala", "je napisao/la", "piše", "napisao je", "a scris",
    "írta", "írta (időpont:", "ezt írta", "έγραψε", "shkroi", "yazdı", "şunu yazdı",
    "şunları yazdı", "yazmış", "yazdi", "写道", "寫道", "写了", "寫了", "来信", "のメール", "のメッセージ",
    "wrote in message", "さんは書きました", "が書きました", "書きました", "님이 작성", "님이 씀", "작성", "이(가) 작성", "כתב",
    "כתבה", "כתב/ה", "כתבת", "מאת", "كتب", "كتبت", "تمت كتابة ما يلي بواسطة", "نوشت", "menulis",
    "đã viết", "viết", "เขียนว่า", "เขียน", "ने लिखा", "लिखा",
)
"""What stands at the end of the line that introduces a quote, or near it."""

LEADS: tuple[str, ...] = (
    "on", "at", "in message", "in article", "am", "um", "le", "el", "il", "il giorno", "in data",
    "op", "em", "no dia", "w dniu", "dnia", "den", "d.", "dne", "on:", "pe", "dana", "u", "la",
    "в", "у", "на", "kl", "data", "tarihinde", "στις", "την", "vào", "pada", "tanggal", "在", "于",
    "於", "ב", "בתאריך", "ביום", "في", "بتاريخ", "در", "à", "lúc", "quoting", "zitat von",
)
"""Words that such a line begins with, before the date."""

FROM_LABELS: tuple[str, ...] = (
    "from", "von", "de", "da", "van", "fra", "från", "fran", "od", "oд", "lähettäjä", "от",
    "від", "отправитель", "від кого", "kimden", "gönderen", "feladó", "από", "απο", "nadawca",
    "差出人", "送信者", "发件人", "發件人", "寄件者", "寄件人", "보낸 사람", "보낸사람", "발신", "expéditeur", "מאת", "من",
    "remitente", "remetente", "mittente", "afzender", "avsender", "afsender", "avsändare",
    "dari", "từ", "de la", "saatja", "no", "nuo", "kas", "จาก", "absender", "отправлено от",
    "pošiljatelj", "odosielateľ", "odesílatel", "from (sender)", "sender",
)

DATE_LABELS: tuple[str, ...] = (
    "date", "sent", "datum", "gesendet", "gesendet am", "envoyé", "envoye", "envoyé le", "fecha",
    "enviado", "enviado el", "enviada em", "enviado em", "enviada", "data", "inviato", "inviata",
    "verzonden", "verzonden op", "sendt", "dato", "skickat", "wysłano", "wyslano", "lähetetty",
    "päivämäärä", "päiväys", "odesláno", "odoslané", "dátum", "datum odeslání", "отправлено",
    "дата", "надіслано", "дата отправки", "gönderildi", "tarih", "gönderme tarihi", "elküldve",
    "küldve", "στάλθηκε", "ημερομηνία", "送信日時", "送信", "日時", "日付", "发送时间", "发送日期", "日期", "時間",
    "傳送時間", "寄件日期", "傳送日期", "时间", "보낸 날짜", "날짜", "발송일", "נשלח", "תאריך", "التاريخ",
    "تاريخ الإرسال", "تم الإرسال", "أُرسلت", "sent at", "sent on", "trimis", "dikirim",
    "tanggal", "poslano", "saadetud", "nosūtīts", "išsiųsta", "ngày", "đã gửi", "date d'envoi",
    "message du", "date sent", "วันที่",
)

TO_LABELS: tuple[str, ...] = (
    "to", "cc", "bcc", "an", "kopie", "à", "a", "para", "aan", "till", "til", "do", "dw", "udw",
    "kopia", "kopi", "copie à", "copie", "con copia", "copia", "vastaanottaja", "kopio", "komu",
    "кому", "копия", "копія", "kime", "bilgi", "alıcı", "címzett", "másolatot kap", "προς",
    "κοιν", "宛先", "收件人", "抄送", "收件者", "副本", "받는 사람", "받는사람", "참조", "אל", "עותק", "إلى", "نسخة",
    "per", "destinataire", "destinatario", "destinatário", "către", "catre", "kepada", "đến",
    "kam", "prima", "za", "za:", "kopija", "empfänger", "blindkopie", "reply-to", "antwort an",
    "répondre à", "responder a", "ถึง", "สำเนาถึง", "saaja", "koopia", "cci", "cc:", "kk", "cco",
    "ccn", "adresat",
)

SUBJECT_LABELS: tuple[str, ...] = (
    "subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp", "emne", "ämne",
    "amne", "temat", "aihe", "předmět", "predmet", "тема", "konu", "tárgy", "θέμα", "件名", "主题",
    "主旨", "主題", "제목", "נושא", "הנדון", "الموضوع", "subiect", "perihal", "subjek", "chủ đề",
    "efni", "teema", "tēma", "tema", "zadeva", "subjekt", "หัวเรื่อง", "เรื่อง", "titel",
    "title",
)

OTHER_LABELS: tuple[str, ...] = (
    "importance", "priority", "attachments", "attachment", "wichtigkeit", "priorität", "anlagen",
    "anhänge", "importancia", "pièces jointes", "pièce jointe", "datos adjuntos", "organization",
    "newsgroups", "message-id", "in-reply-to", "references", "resent-from", "prioridade",
    "anexos", "allegati", "priorità", "bijlagen", "urgentie", "prioritet", "vedlegg", "önem",
    "ekler", "важность", "вложения", "załączniki", "ważność", "重要度", "添付ファイル", "附件", "重要性", "첨부",
    "sensitivity", "categories", "flag", "crm:", "mailing list", "list", "x-mailer",
)

ORIGINAL_MARKERS: tuple[str, ...] = (
    "original message", "original appointment", "original e-mail", "original email",
    "reply message", "reply to message", "ursprüngliche nachricht", "originalnachricht",
    "original-nachricht", "ursprünglicher termin", "ursprüngliche e-mail", "message d'origine",
    "message original", "message initial", "courriel original", "mensaje original",
    "mensagem original", "messaggio originale", "oorspronkelijk bericht", "origineel bericht",
    "oprindelig meddelelse", "opprinnelig melding", "original meddelelse",
    "ursprungligt meddelande", "originalmeddelande", "alkuperäinen viesti",
    "oryginalna wiadomość", "wiadomość oryginalna", "původní zpráva", "pôvodná správa",
    "исходное сообщение", "оригинальное сообщение", "первоначальное сообщение",
    "вихідне повідомлення", "оригінальне повідомлення", "özgün ileti", "orijinal mesaj",
    "orjinal mesaj", "özgün mesaj", "orijinal ileti", "eredeti üzenet", "mesaj original",
    "mesajul original", "αρχικό μήνυμα", "izvorna poruka", "originalna poruka",
    "izvirno sporočilo", "原始邮件", "原邮件", "原始郵件", "原始信件", "元のメッセージ", "元のメール", "オリジナルメッセージ",
    "원본 메시지", "원본 메일", "원본메시지", "הודעה מקורית", "ההודעה המקורית", "الرسالة الأصلية",
    "رسالة أصلية", "pesan asli", "thư gốc", "tin nhắn gốc", "algne kiri", "missatge original",
    "previous message",
)

FORWARD_MARKERS: tuple[str, ...] = (
    "forwarded message", "forwarded by", "forwarded mail", "forwarded email",
    "begin forwarded message", "start of forwarded message", "weitergeleitete nachricht",
    "weitergeleitete e-mail", "anfang der weitergeleiteten nachricht",
    "anfang der weitergeleiteten e-mail", "message transféré", "message transmis",
    "message réexpédié", "début du message réexpédié", "début du message transféré",
    "mensaje reenviado", "inicio del mensaje reenviado", "mensagem encaminhada",
    "mensagem reencaminhada", "início da mensagem encaminhada",
    "início da mensagem reencaminhada", "messaggio inoltrato", "inizio messaggio inoltrato",
    "doorgestuurd bericht", "begin doorgestuurd bericht", "videresendt meddelelse",
    "start på videresendt besked", "videresendt besked", "videresendt melding",
    "videresendt e-post", "vidarebefordrat meddelande", "vidarebefordrat mejl",
    "vidarebefordrat brev", "välitetty viesti", "alku välitetty viesti",
    "edelleenlähetetty viesti", "przekazana wiadomość", "wiadomość przekazana",
    "treść przekazanej wiadomości", "początek przekazywanej wiadomości", "přeposlaná zpráva",
    "předávaná zpráva", "začátek přeposílané zprávy", "preposlaná správa",
    "пересылаемое сообщение", "пересланное сообщение", "начало переадресованного сообщения",
    "переслане повідомлення", "початок листа, що пересилається", "yönlendirilen ileti",
    "iletilen mesaj", "yönlendirilmiş ileti", "iletilmiş mesaj", "iletinin başlangıcı",
    "iletilen ileti", "továbbított üzenet", "továbbított levél kezdete", "mesaj redirecționat",
    "προωθημένο μήνυμα", "προωθούμενο μήνυμα", "proslijeđena poruka", "prosleđena poruka",
    "posredovano sporočilo", "转发的邮件", "转发邮件信息", "轉寄郵件", "轉寄的郵件", "以下是轉寄的郵件", "下面是被转发的邮件",
    "転送メッセージ", "転送されたメッセージ", "転送メール", "전달된 메시지", "전달한 메시지", "הודעה שהועברה", "הודעה מועברת",
    "הודעות שהועברו", "رسالة معاد توجيهها", "الرسالة المعاد توجيهها", "pesan terusan",
    "pesan yang diteruskan", "thư đã chuyển tiếp", "tin nhắn được chuyển tiếp", "edastatud kiri",
    "missatge reenviat", "vervolg van doorgestuurd bericht", "wiadomość przesłana dalej",
)

REPLY_ABOVE: tuple[str, ...] = (
    "reply above this line", "type your reply above", "write your reply above",
    "reply above the line", "respond above this line", "write above this line",
    "text above this line", "reply above here", "please reply above", "enter your reply above",
    "add your reply above", "reply only above this line", "type above this line",
    "antworten sie bitte oberhalb", "oberhalb dieser linie", "oberhalb dieser zeile",
    "über dieser linie", "über dieser zeile", "au-dessus de cette ligne", "encima de esta línea",
    "por encima de esta línea", "sobre esta línea", "sopra questa riga",
    "al di sopra di questa riga", "sopra questa linea", "boven deze lijn", "boven deze regel",
    "acima desta linha", "powyżej tej linii", "powyżej tego wiersza", "выше этой линии",
    "выше этой строки", "над этой чертой", "ovanför den här raden", "ovanför denna rad",
    "over denne linjen", "over denne linje", "tämän rivin yläpuolelle", "nad tímto řádkem",
    "nad tuto čáru", "bu satırın üstüne", "bu çizginin üstüne", "bu satırın üzerine", "在此行上方",
    "在这行以上", "在此線上方", "この行より上", "この行の上", "이 줄 위에", "מעל שורה זו", "فوق هذا السطر",
    "do not remove or change this line", "reply to this email above this line",
)

LEGAL_SURE: tuple[str, ...] = (
    "confidential", "intended recipient", "intended solely", "intended only", "privileged",
    "in error", "by mistake", "legally protected", "not necessarily represent",
    "accepts no liability", "vertraulich", "nicht der richtige adressat", "irrtümlich erhalten",
    "rechtlich geschützt", "confidentiel", "par erreur", "confidencial", "por error", "riservat",
    "per errore", "vertrouwelijk", "abusievelijk", "por engano", "poufn", "конфиденциальн",
    "по ошибке", "gizli", "yanlışlıkla", "fortrolig", "konfidentiell", "luottamuksellinen",
    "důvěrn", "机密", "保密", "機密", "기밀",
)
"""One of these, and one of either list besides, in a paragraph at the end tell legal text."""

LEGAL_CUES: tuple[str, ...] = (
    "addressee", "notify the sender", "notify us", "unauthorized", "unauthorised", "disclos",
    "strictly prohibited", "legally", "dissemination", "liability", "liable", "any attachment",
    "delete it", "delete the", "delete this", "solely for", "use of the individual", "virus",
    "this e-mail", "this email", "this message", "this communication", "this transmission",
    "diese e-mail", "diese nachricht", "adressat", "empfänger", "unbefugt", "nicht gestattet",
    "vernichten", "informieren sie", "löschen", "destinataire", "ce message", "détruire",
    "interdit", "destinatari", "este mensaje", "prohibid", "este correo", "questo messaggio",
    "vietat", "geadresseerde", "dit bericht", "destinatário", "esta mensagem", "proibid",
    "adresat", "wiadomość", "zabronione", "адресат", "получател", "сообщени", "yetkisiz",
    "alıcı", "bu e-posta", "bu mesaj", "bu ileti", "yasak", "modtager", "mottagare",
    "vastaanottaja", "příjemce", "收件人", "邮件", "郵件", "受信者", "수신",
)

BANNER_CUES: tuple[str, ...] = (
    "originated from outside", "originated outside", "from an external", "external email",
    "external sender", "external e-mail", "sent from outside", "outside of the organization",
    "outside your organization", "outside the organization", "do not click",
    "don't often get email from", "externe e-mail", "extern", "außerhalb der organisation",
    "von außerhalb", "klicken sie nicht", "extérieur", "ne cliquez pas", "no haga clic",
    "fuera de la organización", "kurum dışından", "tıklamayın", "learn why this is important",
    "erfahren, warum dies wichtig ist", "recognize the sender", "know the content is safe",
    "remitente externo", "mittente esterno", "externe afzender",
)

BANNER_HEADS: tuple[str, ...] = (
    "caution", "external", "[external", "warning", "attention", "notice", "achtung", "vorsicht",
    "extern", "hinweis", "warnung", "prudence", "avertissement", "precaución", "atención",
    "attenzione", "let op", "dikkat", "uyarı", "uwaga", "внимание", "varning", "obs",
    "you don't often get email", "sie erhalten nicht häufig",
    "some people who received this message don't often",
)

SENT_FROM: tuple[str, ...] = (
    "sent from", "sent via", "sent with", "sent using", "sent by", "get outlook for",
    "sent on the go", "sent on", "sent through", "gesendet von", "von meinem", "gesendet mit",
    "gesendet über", "diese nachricht wurde von meinem", "diese nachricht wurde mit",
    "outlook für", "holen sie sich outlook", "envoyé de mon", "envoyé depuis",
    "envoyé à partir de", "envoyé avec", "envoyé via", "envoyé par", "obtenir outlook pour",
    "télécharger outlook pour", "provenance :", "enviado desde", "enviado con", "enviado do",
    "enviado de", "enviado a partir do", "enviado pelo", "enviado via", "enviado por",
    "obtener outlook para", "obter o outlook para", "obtenha o outlook", "inviato da",
    "inviato dal", "inviato con", "inviata da", "ottieni outlook per", "scarica outlook per",
    "verzonden vanaf", "verstuurd vanaf", "verzonden met", "verstuurd met", "verzonden via",
    "verstuurd via", "outlook voor", "download outlook voor", "sendt fra", "sendt via",
    "sendt med", "hent outlook til", "få outlook for", "skickat från", "skickat med",
    "skickat via", "skaffa outlook för", "hämta outlook för", "lähetetty", "hanki outlook",
    "wysłano z", "wysłane z", "wysłano za pomocą", "pobierz outlook", "odesláno z", "odoslané z",
    "získat outlook pro", "stáhnout outlook", "отправлено с", "отправлено из",
    "отправлено через", "скачать outlook", "получить outlook", "надіслано з", "відправлено з",
    "küldve", "elküldve", "trimis de pe", "trimis din", "στάλθηκε από", "poslano s",
    "poslano iz", "发自我的", "从我的", "发送自", "來自我的", "從我的", "傳送自我的", "获取 outlook", "取得 outlook",
    "由我的", "から送信", "outlook for ios を入手", "나의", "내", "iphone에서 보냄", "נשלח מ", "أُرسلت من",
    "مرسل من", "تم الإرسال من", "dikirim dari", "gửi từ", "enviat des", "saadetud minu",
    "outlook for",
)
"""How such a line begins."""

SENT_FROM_ENDS: tuple[str, ...] = (
    "gönderildi", "gönderilmiştir", "gönderdim", "から送信", "から送信されました", "에서 보냄", "에서 보냈습니다",
    "gesendet", "geschickt", "herunterladen", "verzonden", "verstuurd", "edinin", "indirin",
    "を入手", "gesendet.", "에서 발송", "발송", "発送", "küldve", "küldtem", "发送", "發送", "傳送",
)
"""How it ends in languages that put the verb last."""

DEVICES: tuple[str, ...] = (
    "iphone", "ipad", "ipod", "android", "blackberry", "samsung", "galaxy", "smartphone",
    "phone", "mobile", "mobil", "handy", "tablet", "outlook", "yahoo", "gmail", "windows",
    "mail", "nokia", "huawei", "xiaomi", "pixel", "oneplus", "motorola", "lg", "htc", "sony",
    "verizon", "t-mobile", "at&t", "o2", "vodafone", "proton", "protonmail", "thunderbird",
    "k-9", "spark", "sparrow", "mailbird", "airmail", "superhuman", "aquamail", "bluemail",
    "nine", "newton", "hey", "gmx", "web.de", "icloud", "ios", "app", "телефон", "айфон",
    "iphon", "手机", "手機", "スマートフォン", "携帯", "아이폰", "휴대폰", "puhelimesta", "telefon", "téléphone",
    "teléfono", "telefono", "telefoon", "telemóvel", "celular", "móvil", "portable", "mac",
    "macbook", "watch", "wireless", "device", "mailspring", "zoho", "tutanota", "fairphone",
    "redmi", "boxer", "front", "polymail", "edison", "myphone", "treo", "webmail", "puhelin",
)
