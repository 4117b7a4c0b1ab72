"""The national language shift tables of 3GPP TS 23.038: Turkish, Spanish and Portuguese, for texts that we receive.

Rules of this file:
- A user data header says which tables a message uses, by the language's number (23.038 section 6.2.1.2.4): element 0x24
  replaces the extension table (single shift), element 0x25 the default alphabet itself (locking shift).
- A table stands here as annex A has it, complete, and nothing is computed: sixteen characters a line, 0x1B the escape.
- Numbers without a table (0 and 14 upwards are reserved; 4 to 13 are languages of India and Pakistan; Spanish has no
  locking shift) leave the default table, as 23.038 asks of a receiver that does not know them.
- We write none of them: a text that is not in the default alphabet goes out in UCS-2, which every handset reads.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TURKISH: Final = 1
SPANISH: Final = 2
PORTUGUESE: Final = 3


class Shift(NamedTuple):
    """The numbers of the languages whose tables a message uses; 0 is the default table."""

    locking: int = 0
    single: int = 0


NO_SHIFT: Final = Shift()

LOCKING: Final = {
    TURKISH: (  # A.3.1
        "@£$¥€éùıòÇ\nĞğ\rÅå"
        "Δ_ΦΓΛΩΠΨΣΘΞ\x1bŞşßÉ"
        " !\"#¤%&'()*+,-./"
        "0123456789:;<=>?"
        "İABCDEFGHIJKLMNO"
        "PQRSTUVWXYZÄÖÑÜ§"
        "çabcdefghijklmno"
        "pqrstuvwxyzäöñüà"
    ),
    PORTUGUESE: (  # A.3.3
        "@£$¥êéúíóç\nÔô\rÁá"
        "Δ_ªÇÀ∞^\\€Ó|\x1bÂâÊÉ"
        " !\"#º%&'()*+,-./"
        "0123456789:;<=>?"
        "ÍABCDEFGHIJKLMNO"
        "PQRSTUVWXYZÃÕÚÜ§"
        "~abcdefghijklmno"
        "pqrstuvwxyzãõ`üà"
    ),
}

SINGLE: Final = {
    TURKISH: {  # A.2.1
        0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
        0x47: "Ğ", 0x49: "İ", 0x53: "Ş", 0x63: "ç", 0x65: "€", 0x67: "ğ", 0x69: "ı", 0x73: "ş",
    },
    SPANISH: {  # A.2.2
        0x09: "ç", 0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|",
        0x41: "Á", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x61: "á", 0x65: "€", 0x69: "í", 0x6F: "ó", 0x75: "ú",
    },
    PORTUGUESE: {  # A.2.3
        0x05: "ê", 0x09: "ç", 0x0A: "\f", 0x0B: "Ô", 0x0C: "ô", 0x0E: "Á", 0x0F: "á", 0x12: "Φ", 0x13: "Γ", 0x14: "^",
        0x15: "Ω", 0x16: "Π", 0x17: "Ψ", 0x18: "Σ", 0x19: "Θ", 0x1F: "Ê", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[",
        0x3D: "~", 0x3E: "]", 0x40: "|", 0x41: "À", 0x49: "Í", 0x4F: "Ó", 0x55: "Ú", 0x5B: "Ã", 0x5C: "Õ", 0x61: "Â",
        0x65: "€", 0x69: "í", 0x6F: "ó", 0x75: "ú", 0x7B: "ã", 0x7C: "õ", 0x7F: "â",
    },
}  # fmt: skip
