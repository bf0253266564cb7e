#!/usr/bin/env python3
"""Writes src/Weir/Mcp/KeyFolding.txt: per code point, what it becomes when case, compatibility forms and ignorable characters
are taken away (the idea of Unicode's NFKC_Casefold, decomposed). The process runs without ICU, so it carries its own table.
Source: Python's unicodedata. Lines: CODEPOINT [CODEPOINT ...] in hex; nothing behind the first means that it vanishes.
Hangul syllables are left out: their decomposition is arithmetic."""
import sys, unicodedata

def ignorable(c):
    return unicodedata.category(c) == 'Cf' or c in '\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0' or '\ufe00' <= c <= '\ufe0f'

def fold(text):
    while True:
        after = ''.join(c for c in unicodedata.normalize('NFKD', text.casefold()) if not ignorable(c))
        if after == text:
            return text
        text = after

with open('src/Weir/Mcp/KeyFolding.txt', 'w', encoding='ascii') as out:
    out.write(f'# Unicode {unicodedata.unidata_version}; made by eng/make-key-folding.py\n')
    for code in range(0x80, sys.maxunicode + 1):
        if 0xAC00 <= code <= 0xD7A3 or 0xD800 <= code <= 0xDFFF:
            continue
        folded = fold(chr(code))
        if folded != chr(code):
            out.write(' '.join([f'{code:X}', *(f'{ord(c):X}' for c in folded)]) + '\n')
