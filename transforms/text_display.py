"""HTML of strangers made safe to show: nothing runs, nothing is fetched, nothing hides or covers.

Belongs here: which tags, attributes, addresses and styles may stay. Does not belong here: HTML as text (`text`).
"""

import html as html_entities
import re

import nh3

from transforms.text import html_to_text

DISPLAY_LIMIT = 2_000_000
"""Longer HTML is shown as its text."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DEEPEST = 1_000
"""HTML nested deeper is shown as its text: the sanitiser's time grows with the square of the depth."""

_TAGS = _words(
    "a abbr b blockquote br caption center code col colgroup dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins"
    " kbd li ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr tt u ul var"
)
_DROPPED_WITH_CONTENT = _words(
    "script style title noscript template iframe frameset object embed applet svg math textarea select option"
    " audio video canvas noembed noframes xmp plaintext"
)
_LINK_MANNERS = ' target="_blank" rel="noopener noreferrer nofollow"'
_BLOCKED = "data-blocked-src"
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"dir", "lang", "style", "title"},
    "a": {"href"},
    "img": {"src", _BLOCKED, "alt", "width", "height"},
    "td": {"colspan", "rowspan", "align", "valign"},
    "th": {"colspan", "rowspan", "align", "valign", "scope"},
    "tr": {"align", "valign"},
    "ol": {"start", "type"},
    "li": {"value"},
    "col": {"span"},
    "colgroup": {"span"},
}
_STYLES = _words(
    "font-style font-weight text-align text-decoration vertical-align white-space list-style-type"
)
"""Nothing that moves, sizes, colours or covers: text in the background's colour is hidden text."""

_SCHEMES = frozenset({"http", "https", "mailto", "tel", "cid", "data"})
_LINK = re.compile(r"(?:https?|mailto|tel):", re.I)
_REMOTE = re.compile(r"https?://", re.I)
_CARRIED = re.compile(r"cid:|data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*$", re.I)
_NOT_IN_STYLE = re.compile(r"[\\@(]|/\*|<|&")
_SMALL_NUMBERS = {"colspan", "rowspan", "span", "start", "value", "width", "height"}
_SMALL = re.compile(r"-?\d{1,4}%?$")

_NESTING_TAG = re.compile(
    r"<(/?)(?!(?:br|hr|img|input|meta|link|col|wbr|area|base|p|li|dt|dd|td|th|tr|tbody|thead|option)\b)[a-z]",
    re.I,
)
_ANY_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s+[^\s=<>\"/]+(?:=\"[^\"]*\")?)*)\s*/?>")
_SOURCE = re.compile(r"(\s)src=(\"https?:[^\"]*\")", re.I)


def display_html(html: str, *, remote_images: bool = False) -> str:
    """HTML that a browser may show as it is, made of a foreign document or fragment.

    Scripts, forms, frames, comments, ids, classes and handlers go; links open nothing but the web, mail and telephone
    and tell the other side nothing (`rel`); of styles those stay that neither hide, move nor cover. Pictures that came
    with the message (`cid:`, `data:`) stay; remote ones are not fetched, their address stays in `data-blocked-src`.

    Args:
        html: what the source gave; any text is taken.
        remote_images: whether remote pictures may be fetched, which tells their sender that the message is read.
    """
    if len(html) > DISPLAY_LIMIT or _depth(html) > _DEEPEST:
        return f"<pre>{html_entities.escape(html_to_text(html))}</pre>"
    clean = nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=_kept,
        link_rel=None,
        url_schemes=set(_SCHEMES),
        url_relative="deny",
        filter_style_properties=set(_STYLES),
    )
    # The tags are those that nh3 wrote: each attribute in double quotes, so that none is found within another's value.
    return _ANY_TAG.sub(lambda tag: _finished(tag, remote_images=remote_images), clean)


def _depth(html: str) -> int:
    """How deep the tags are nested, those left out that browsers close by themselves."""
    depth = deepest = 0
    for tag in _NESTING_TAG.finditer(html):
        depth += -1 if tag[1] else 1
        depth = max(depth, 0)
        deepest = max(deepest, depth)
    return deepest


def _kept(tag: str, name: str, value: str) -> str | None:
    """An attribute's value, or None where it must go."""
    if name == "href":
        return value if _LINK.match(value.strip()) else None
    if name == "src":
        value = value.strip()
        return value if _REMOTE.match(value) or _CARRIED.match(value) else None
    if name == _BLOCKED:
        return value if _REMOTE.match(value.strip()) else None
    if name == "style":
        return None if _NOT_IN_STYLE.search(value) else value
    if name in _SMALL_NUMBERS:
        return value if _SMALL.match(value.strip()) else None
    return value


def _finished(tag: re.Match[str], *, remote_images: bool) -> str:
    if tag[1]:
        return tag[0]
    if tag[2] == "a" and "href=" in tag[3]:
        return f"{tag[0][:-1]}{_LINK_MANNERS}>"
    if tag[2] != "img" or remote_images or not _SOURCE.search(tag[0]):
        return tag[0]
    rest = re.sub(rf"\s{_BLOCKED}=\"[^\"]*\"", "", tag[0])
    return _SOURCE.sub(rf"\1{_BLOCKED}=\2", rest, count=1)
