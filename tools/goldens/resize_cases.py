"""Prints the table of tests/io/image_resize_test.cpp: CRC-32 of pictures that Pillow resized.

    python3 tools/goldens/resize_cases.py     # needs Pillow (table made with 9.4.0)
"""
import zlib

from PIL import Image


def formula_image(width, height):
    """Byte i of a picture is the top byte of a linear congruential generator; the test makes the same one."""
    state, data = width * 1000 + height, bytearray()
    for _ in range(3 * width * height):
        state = (state * 1103515245 + 12345) % 2**32
        data.append(state >> 24)
    return Image.frombytes("RGB", (width, height), bytes(data))


SIZES = [(37, 23, 20, 31), (37, 23, 5, 7), (64, 48, 64, 20), (50, 40, 224, 224), (500, 375, 341, 256), (11, 300, 9, 256), (32, 32, 32, 32), (7, 5, 1, 1)]
for name in ["BILINEAR", "BICUBIC"]:
    for w, h, to_w, to_h in SIZES:
        result = formula_image(w, h).resize((to_w, to_h), getattr(Image, name))
        print(f"    {{ResizeFilter::{name.capitalize()}, {w}, {h}, {to_w}, {to_h}, 0x{zlib.crc32(result.tobytes()):08x}}},")
