"""Words that scored matching knows: nicknames, letters of other scripts, legal forms, words of streets.

Belongs here: lists. Does not belong here: what is done with them (`values`).
"""

NICKNAMES: tuple[tuple[str, ...], ...] = tuple(
    tuple(line.split())
    for line in """alexander alex sandro sascha xander aleksander alexandre alessandro
    alexandra alex sandra sasha alessandra
    andrew andy drew andreas andre andrea
    anthony tony antonio anton toni
    barbara barb babs
    benjamin ben benny
    catherine katherine kathryn cathy kathy kate katie kat katharina katrin kathrin
    charles charlie chuck karl carlos carl
    christian chris
    christina christine chris tina christa
    christopher chris christoph kit
    daniel dan danny
    david dave davy
    deborah debbie deb debra
    donald don donny
    dorothy dot dottie dorothea
    edward ed eddie ted ned eduard
    elizabeth liz beth betty lizzie eliza elisabeth lisa elsa
    eric erik
    eugene gene
    frances fran francesca franziska franzi
    francis frank franz francesco francisco
    frederick fred freddie friedrich fritz frederic
    gabriel gabe
    gerald gerry jerry gerhard gerd
    gregory greg
    harold harry hal
    heinrich heinz henry harry hank enrico
    helen helena helene lena
    jacob jake jakob
    jacqueline jackie
    james jim jimmy jamie
    jennifer jen jenny
    jessica jess jessie
    joanna joanne jo johanna hanna
    johannes hans john johann jan
    john jack johnny jon
    jonathan jon jonny nathan
    joseph joe joey josef giuseppe jose
    joshua josh
    judith judy
    kenneth ken kenny
    lawrence larry laurence lorenz
    leonard leo len lenny leonardo
    louis lou luis ludwig luigi
    madeline maddie maddy
    manuel manny emanuel
    margaret maggie meg peggy margie margarete greta grete
    martha marty
    martin marty
    mary maria marie molly
    matthew matt matthias mathias matteo
    maximilian max
    megan meg
    mehmet muhammed mohammed mohamed muhammad mohammad
    michael mike mick mickey michel miguel micha michele
    mustafa mustapha
    nathaniel nathan nate nat
    nicholas nick nicky nicolas nikolaus niklas klaus nicola
    olivia liv livvy
    pamela pam
    patricia pat patty tricia trish
    patrick pat paddy
    paul paolo pablo
    peter pete pietro pedro
    philip phil philipp phillip philippe
    rebecca becky becca
    richard rick rich dick ricky ricardo
    robert rob bob bobby robbie roberto
    roland rolf
    ronald ron ronnie
    samantha sam
    samuel sam sammy
    sandra sandy
    sebastian seb bastian
    stephanie steph stefanie steffi
    stephen steven steve stefan stephan stefano esteban
    susan sue susie suzanne susanne
    theodore theo ted teddy theodor
    theresa teresa terry tess therese
    thomas tom tommy tomas tommaso
    timothy tim timmy
    ulrich uli
    valerie val
    victoria vicky vic tori
    vincent vince vinnie
    walter walt wally
    wilhelm willi william guillermo
    william will bill billy willy liam
    wolfgang wolf
    zachary zach zack""".splitlines()
)
"""Forms of one given name; a form may stand in several lines."""

GIVEN_NAMES = frozenset(
    """ada adam adela aaron alan albert alice alina alma amalia amanda amelia amir amira amy ana andre andrea anja anna
    anne anita anton antonia arne astrid aylin ayla ayse aysel bella bella ben berk bert bianca brian bruno carla carlo
    carlos carmen carol caroline celina chiara christian christiana clara claude claudia claudio daniel daniela
    danielle dario daria dean denis denise diana diego dora ela elena eli elia elias elif elin elisa ella elsa emil emilia
    emily emma emre enes eric erica erik erika eva evan eve fabian fabia fatma felix felicia filip finn flora
    florian frank franka gabriel gabriela gina greta hakan halil hana hanna hannah hans hasan heidi helen helena helene
    hugo ida igor ilka ilse ina ines inga inge ingo irena irene iris ismail ivan ivana jan jana jane jean jens
    jill joan joana joel john jon jonas jose josef josefa judith julia julian juliana julie julien julius karin karl
    karla katja kerem kim klara lara lars laura lea leah leila lena leo leon leona leonie lia liam lian lili lilian
    lilly lily lina linda linus lisa lora lorena louis louisa luca lucas lucia lucy luis luisa lukas luna maja malte
    mara marc marcel marcela marco maria mariam marian mariana marie mario marion marius mark marko marta martha martin
    martina mary mathilda max maya mia michael michaela mila milan milena mira miriam mona monika murat nadia nadja
    nicola nicolas nicole nils nina noah noel nora olga oliver olivia omar omer oscar oskar otto paul paula pauline
    peter petra pia rene renate rita robert roberta robin rolf roman romana ronja rosa rose rudolf ruth sabina sabine
    sahra sam samira sara sarah selim selin selina selma serkan sina silvia simon simona simone sofia sofie sonja
    stefan stefania stella sven svenja tamara tania tanja tara theo theodora thomas tim tina tobias tom tomas toni ulla
    uwe valentin valentina vera vincent viola volker walter wanda yasmin yusuf zara zoe""".split()  # noqa: SIM905
)
"""Given names that are near another one: between two of them an edit is no slip (Anna, Hanna; Paul, Paula)."""

SCRIPTS = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфыэіґ", "abvgdeziiklmnoprstufyeig", strict=True))
    | dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True))
    | {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": ""}
    | {"ю": "yu", "я": "ya", "є": "ye", "ї": "yi", "θ": "th", "χ": "ch", "ψ": "ps"}
    | {"ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)
"""Letters that do not fall apart into a Latin letter and a mark."""

LEGAL_FORMS = frozenset(
    """ab ag aps as asa bv bvba co cokg company corp corporation cv doo ead ev ead eood fzco fze gbr ges gesmbh
    gmbh gmbhco inc incorporated kg kgaa kk limited llc llp lp ltd ltda mbh nv ohg ooo oy oyj plc pte
    pty pvt sa sarl sas sasu se sia sl slu sp spa spol spzoo srl sro sti ug uab""".split()  # noqa: SIM905 - a list of words reads best as words
)
"""Words of a company's legal form; they say nothing of which company it is."""

BRANCH_WORDS = frozenset(
    "north south east west nord sud ost ii iii iv v vi first second third kuzey guney dogu bati".split()  # noqa: SIM905
)
"""With numbers what tells branches of one organisation apart."""

STOP_WORDS = frozenset(
    "a and at das de del der des di die du e el et for in la le of on the to und ve van von y".split()  # noqa: SIM905
)

SHORT_WORDS = {
    "assn": "association",
    "assoc": "association",
    "bldg": "building",
    "bros": "brothers",
    "cntr": "center",
    "centre": "center",
    "ctr": "center",
    "dept": "department",
    "dev": "development",
    "devel": "development",
    "edu": "education",
    "elem": "elementary",
    "fdn": "foundation",
    "gov": "government",
    "hosp": "hospital",
    "inst": "institute",
    "intl": "international",
    "int": "international",
    "mfg": "manufacturing",
    "mgmt": "management",
    "natl": "national",
    "org": "organization",
    "organisation": "organization",
    "saint": "st",
    "sch": "school",
    "schl": "school",
    "schools": "school",
    "svc": "service",
    "svcs": "service",
    "services": "service",
    "soc": "society",
    "sys": "systems",
    "tech": "technology",
    "technologies": "technology",
    "univ": "university",
}
"""Word → the form under which it is compared."""

STREET_WORDS = {
    "n": "",
    "e": "",
    "s": "",
    "w": "",
    "north": "",
    "east": "",
    "south": "",
    "west": "",
    **dict.fromkeys(
        """ave av avenue bd blvd boulevard cad cadde caddesi circle close court crescent cresc ct dr drive expressway
        expy highway hwy lane ln loop parkway pkwy pl place plaza plz rd road row rue sk sokak sq square st
        str strasse street ter terrace trail via walk way weg allee""".split(),  # noqa: SIM905
        "",
    ),
}
"""Words of a street that are written in many ways or left out: compared without them."""
