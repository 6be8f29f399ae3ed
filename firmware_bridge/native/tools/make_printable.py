"""Write printable.h: the code points that Python's str.isprintable() takes, so that both programs escape the same.

python3.11 make_printable.py > printable.h
"""

import unicodedata

ranges, first = [], None
for code in range(0x110001):
    printable = code < 0x110000 and chr(code).isprintable()
    if printable and first is None:
        first = code
    if not printable and first is not None:
        ranges.append((first, code - 1))
        first = None
print(f"/* Printable code points of Unicode {unicodedata.unidata_version}, first and last of each range. */")
print("/* Made by make_printable.py. */")
print("static const uint32_t PRINTABLE[][2] = {")
for start in range(0, len(ranges), 5):
    row = ", ".join(f"{{0x{low:x}, 0x{high:x}}}" for low, high in ranges[start : start + 5])
    print(f"    {row},")
print("};")
