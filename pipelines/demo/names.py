"""The words that people, companies and parcels of the demo are named with.

Belongs here: plain tuples. Does not belong here: anything that draws from them.
"""

FIRST_NAMES: dict[str, tuple[str, ...]] = {
    "de": (
        *("Anna", "Björn", "Claudia", "Dieter", "Elke", "Florian", "Greta", "Hans-Jürgen", "Ines"),
        *("Jörg", "Katrin", "Lukas", "Mareike", "Niklas", "Petra", "Ralf", "Sabine", "Thomas"),
        *("Ulrike", "Volker", "Wiebke", "Yannick", "Jürgen", "Zoë", "Anneliese", "Sönke"),
    ),
    "en": (
        *("Alice", "Ben", "Charlotte", "Daniel", "Emily", "Fergus", "Grace", "Harry", "Imogen"),
        *("Jack", "Katie", "Liam", "Megan", "Nigel", "Olivia", "Priya", "Rory", "Siobhán"),
        *("Tom", "Umar", "Victoria", "William", "Zara", "Niamh", "Owen", "Amelia"),
    ),
    "tr": (
        *("Ahmet", "Ayşe", "Burak", "Ceren", "Deniz", "Elif", "Fatma", "Gökhan", "Hülya"),
        *("İbrahim", "Jale", "Kerem", "Leyla", "Mehmet", "Nazlı", "Okan", "Özlem", "Pınar"),
        *("Rıza", "Selin", "Şule", "Tolga", "Ufuk", "Yiğit", "Zeynep", "Çağla"),
    ),
}

LAST_NAMES: dict[str, tuple[str, ...]] = {
    "de": (
        *("Albrecht", "Bäcker", "Brandt", "Döring", "Ebert", "Fuchs", "Groß", "Hartmann", "Jäger"),
        *(
            "Köhler",
            "Lindemann",
            "Müller",
            "Neumann",
            "Otto",
            "Pohl",
            "Richter",
            "Schäfer",
            "Thiel",
        ),
        *("Vogt", "Weiß", "Zimmermann", "Schröder", "Hübner", "Krämer"),
    ),
    "en": (
        *("Adams", "Barnes", "Cooper", "Dawson", "Ellis", "Fletcher", "Graham", "Hughes", "Irving"),
        *("Jones", "Kaur", "Lloyd", "Morgan", "O'Brien", "Patel", "Reid", "Shaw", "Turner"),
        *("Underwood", "Walsh", "Young", "MacLeod", "Ng", "Okafor"),
    ),
    "tr": (
        *("Aksoy", "Başaran", "Çelik", "Demir", "Erdoğdu", "Gündüz", "Işık", "Kaya", "Korkmaz"),
        *("Öztürk", "Polat", "Sağlam", "Şahin", "Tekin", "Uçar", "Yıldız", "Yılmaz", "Zorlu"),
        *("Aydın", "Bulut", "Doğan", "Güneş", "Kılıç", "Özkan"),
    ),
}

CITIES: dict[str, tuple[str, ...]] = {
    "de": ("Berlin", "Hamburg", "Köln", "Leipzig", "München", "Stuttgart", "Bremen", "Nürnberg"),
    "en": ("London", "Leeds", "Bristol", "Glasgow", "Cardiff", "Manchester", "Norwich", "Belfast"),
    "tr": ("İstanbul", "Ankara", "İzmir", "Bursa", "Antalya", "Eskişehir", "Gaziantep", "Muğla"),
}

COMPANIES: dict[str, tuple[tuple[str, str], ...]] = {
    "de": (
        ("Nordlicht Möbel GmbH", "nordlicht-moebel.example"),
        ("Bäckerei Krümel & Söhne", "kruemel-soehne.example"),
        ("Fahrradhaus Speiche", "fahrradhaus-speiche.example"),
        ("Elbufer Optik GmbH", "elbufer-optik.example"),
        ("Papier & Feder KG", "papierundfeder.example"),
        ("Gartenwelt Lindenau", "gartenwelt-lindenau.example"),
        ("Spreekaffee Rösterei", "spreekaffee.example"),
        ("Alpenblick Sport GmbH", "alpenblick-sport.example"),
        ("Zahnrad Werkzeuge AG", "zahnrad-werkzeuge.example"),
        ("Buchhandlung Seitenweise", "seitenweise.example"),
        ("Hansekontor Feinkost", "hansekontor.example"),
        ("Tierbedarf Pfote", "tierbedarf-pfote.example"),
    ),
    "en": (
        ("Thistle & Oak Ltd", "thistleandoak.example"),
        ("Harbourside Bikes", "harbourside-bikes.example"),
        ("Penny Lane Records", "pennylane-records.example"),
        ("Moorland Outdoor Co", "moorland-outdoor.example"),
        ("Copper Kettle Tea", "copperkettle.example"),
        ("Foxglove Florists", "foxglove-florists.example"),
        ("Bright & Bold Prints", "brightandbold.example"),
        ("Tweed River Knitwear", "tweedriver.example"),
        ("Dockyard Coffee", "dockyard-coffee.example"),
        ("Little Acorns Toys", "littleacorns.example"),
    ),
    "tr": (
        ("Boğaziçi Kahve A.Ş.", "bogazicikahve.example"),
        ("Ege Zeytin Ltd. Şti.", "egezeytin.example"),
        ("Anadolu Halı", "anadoluhali.example"),
        ("Kapadokya Seramik", "kapadokyaseramik.example"),
        ("Karadeniz Çay Evi", "karadenizcay.example"),
        ("Yıldız Kırtasiye", "yildizkirtasiye.example"),
        ("Marmara Spor", "marmaraspor.example"),
        ("Güneş Optik", "gunesoptik.example"),
        ("Toros Bahçe", "torosbahce.example"),
        ("Lale Butik", "lalebutik.example"),
    ),
}

FREE_MAIL: dict[str, tuple[str, ...]] = {
    "de": ("postkasten.example", "freemail.example"),
    "en": ("inbox.example", "freemail.example"),
    "tr": ("eposta.example", "freemail.example"),
}

PRODUCTS = (
    *("card reader CR-2", "label printer LP-40", "till stand T1", "barcode scanner BS-7"),
    *("receipt printer RP-80", "cash drawer CD-3", "tablet mount M10", "scale S-15"),
)

ENDPOINTS = (
    "/v1/orders",
    "/v1/products",
    "/v1/stock",
    "/v1/customers",
    "/v1/invoices",
    "/v1/webhooks",
)
PLANS = ("Starter", "Team", "Business", "Enterprise")
VERSIONS = ("5.3.0", "5.3.2", "5.4.0", "5.4.1")
