"""Write letters.h: Aileron's ASCII letters as bitmaps, from the copy of it in Pillow, for the words on an overlay.

.venv/bin/python make_letters.py > letters.h

Aileron is by Sora Sagano (dotcolon.net), released under CC0.
"""

from PIL import Image, ImageDraw, ImageFont

SIZE = 33  # the largest whose widest letter fits 32 bits
font = ImageFont.load_default(SIZE)
assert isinstance(font, ImageFont.FreeTypeFont)
ascent, descent = font.getmetrics()
rows: list[int] = []
letters: list[str] = []
for code in range(32, 128):  # the last one, which has no letter, shows what the font draws for those that it lacks
    letter = chr(code) if code < 127 else "\ufffe"
    advance = round(font.getlength(letter))
    image = Image.new("1", (32, ascent + descent))
    ImageDraw.Draw(image).text((0, 0), letter, fill=1, font=font)
    box = image.getbbox() or (0, 0, 0, 0)
    letters.append(f"{{{len(rows)}, {box[1]}, {box[3] - box[1]}, {advance}}}")
    rows += [sum(1 << (31 - x) for x in range(32) if image.getpixel((x, y))) for y in range(box[1], box[3])]
print("/* Aileron Regular by Sora Sagano, released under CC0. Made by make_letters.py. */")
print(f"enum {{ LETTER_ROWS = {ascent + descent}, LETTER_SIZE = {SIZE} }};")
print("/* Of the characters from the space on, and last for all others: where in the bitmap the first row is that is")
print("   not empty, which row of the line that is, how many there are, and how wide the letter is. */")
print("static const struct {\n    uint16_t at, row, rows, advance;\n} LETTERS[] = {")
for start in range(0, len(letters), 6):
    print(f"    {', '.join(letters[start : start + 6])},")
print("};")
print("/* The leftmost pixel is the highest bit. */")
print("static const uint32_t LETTER_BITS[] = {")
for start in range(0, len(rows), 10):
    print(f"    {', '.join(f'0x{row:x}' for row in rows[start : start + 10])},")
print("};")
