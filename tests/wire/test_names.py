"""Distinguished names."""

from __future__ import annotations

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from ikeactors.errors import InvalidSyntax
from ikeactors.wire.names import name_from_text, name_to_text, read_name

TABLE = [
    ("C=DE", "300d310b3009060355040613024445"),
    ("CN=a.lab", "3010310e300c06035504031305612e6c6162"),
    ("O=K\u00f6ln", "3010310e300c060355040a0c054bc3b66c6e"),
    ("E=x@y", "30143112301006092a864886f70d0109011603784079"),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_a_name_is_read_and_written(row: tuple[str, str]) -> None:
    text, der = row
    assert name_from_text(text) == bytes.fromhex(der)
    assert name_to_text(bytes.fromhex(der)) == text


@pytest.mark.parametrize(
    "text",
    [
        "C=DE, O=Example, CN=a.lab",
        "C=DE, ST=Berlin, L=Berlin, OU=x, serialNumber=5, DC=lab, UID=me",
        "O=a\\, b\\+c\\\\, CN=\\#x\\ ",
        "CN=a+serialNumber=1, O=b",
        "1.2.840.5=q",
        "CN=a=b",
        "2.999=\\00\\0ax",
    ],
)
def test_what_is_printed_is_read_back(text: str) -> None:
    assert name_to_text(name_from_text(text)) == text


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("c=DE,o=Example,emailAddress=x@y", "C=DE, O=Example, E=x@y"),
        ('O="a, b + c" , CN = y ', "O=a\\, b \\+ c, CN=y"),
        ("SN=5, surname=b", "serialNumber=5, S=b"),
        ("CN=\\c3\\b6", "CN=\u00f6"),
        ("CN=#1e020041", "CN=A"),
        ("CN=#040141", "CN=#040141"),
    ],
)
def test_other_spellings_are_read(written: str, printed: str) -> None:
    assert name_to_text(name_from_text(written)) == printed


@pytest.mark.parametrize(
    "text", ["", "x", "CN", "CN=", "CN=a,", "CN=a+", "CN=a,,O=b", "QQ=a", 'CN="a', "CN=#0", "9=a"]
)
def test_what_is_no_name_says_so(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        name_from_text(text)


def test_names_are_what_a_certificate_library_makes_of_them() -> None:
    oids = x509.NameOID
    name = x509.Name(
        [
            x509.NameAttribute(oids.COUNTRY_NAME, "DE"),
            x509.NameAttribute(oids.ORGANIZATION_NAME, "Example, Inc."),
            x509.NameAttribute(oids.COMMON_NAME, "a.lab"),
            x509.NameAttribute(oids.EMAIL_ADDRESS, "x@y"),
            x509.NameAttribute(oids.DOMAIN_COMPONENT, "lab"),
            x509.NameAttribute(oids.USER_ID, "me" * 100),
        ]
    )
    text = name_to_text(name.public_bytes())
    assert text == "C=DE, O=Example\\, Inc., CN=a.lab, E=x@y, DC=lab, UID=" + "me" * 100
    assert [attribute.text for (attribute,) in read_name(name.public_bytes())] == [
        attribute.value for attribute in name
    ]


BAD = [
    ("nothing", ""),
    ("no sequence", "3100"),
    ("octets behind the end", "300000"),
    ("a length past the end", "3001"),
    ("an endless length", "3080"),
    ("a length of many octets", "3084ffffffff"),
    ("no set", "30023000"),
    ("no object identifier", "300931073005050013024445"),
    ("an endless object identifier", "304b314930470641" + "ff" * 65 + "13024445"),
    ("octets behind the string", "300e310c300a060355040613024445ff"),
]


@pytest.mark.parametrize(("description", "der"), BAD, ids=[row[0] for row in BAD])
def test_a_malformed_name_is_invalid(description: str, der: str) -> None:
    with pytest.raises(InvalidSyntax):
        read_name(bytes.fromhex(der))


@given(st.binary(max_size=30).map(lambda rest: bytes.fromhex("300d310b30") + rest))
def test_any_octets_are_a_name_or_invalid(der: bytes) -> None:
    try:
        text = name_to_text(der)
    except InvalidSyntax:
        return
    assert text.isprintable()


def test_a_string_that_is_no_text_prints_as_octets() -> None:
    der = bytes.fromhex("300c310a300806035504031301ff")
    assert name_to_text(der) == "CN=#1301ff"
    assert name_from_text("CN=#1301ff") == der


def test_an_attribute_without_an_identifier_still_prints() -> None:
    assert name_to_text(bytes.fromhex("3009310730050600130141")) == "?=A"


@pytest.mark.parametrize("length", [1, 127, 128, 255, 256, 60000])
def test_names_of_every_length_are_written(length: int) -> None:
    text = "CN=" + "a" * length
    assert name_to_text(name_from_text(text)) == text
