"""Makes the images of this folder and golden.json: what Pillow, astropy and numpy make of them.

    python3 -m venv v && v/bin/pip install astropy==8.0.2 numpy==2.4.6 pillow==13.0.0 && v/bin/python make.py
"""

import json
import struct
import zlib

import numpy as np
from astropy.io import fits
from astropy.visualization import AsinhStretch, LinearStretch, LogStretch, ManualInterval
from astropy.visualization import PercentileInterval, make_lupton_rgb
from PIL import Image

rng = np.random.default_rng(5)
golden = {}


def smooth(height, width, channels):
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        127 + 90 * np.sin(x / (3 + c) + c) * np.cos(y / (4 + c)) + 30 * rng.random((height, width))
        for c in range(channels)
    ]
    return np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)


# Sizes: the middle square, made smaller; and exact sizes, of 8 bits and of floats.
rgb = smooth(29, 37, 3)
Image.fromarray(rgb).save("rgb.png")
square = Image.fromarray(rgb).resize((12, 12), Image.BILINEAR, box=(4, 0, 33, 29))
golden["short_side_12"] = np.asarray(square).transpose(2, 0, 1).ravel().tolist()
exact = Image.fromarray(rgb).resize((50, 9), Image.BILINEAR)
golden["exact_50x9"] = np.asarray(exact).transpose(2, 0, 1).ravel().tolist()
golden["grey"] = np.asarray(Image.fromarray(rgb).convert("L")).ravel().tolist()
floats = (rng.normal(size=(29, 37)) * 50 + 200).astype(np.float32)
np.save("float32.npy", floats)
small = Image.fromarray(floats).resize((11, 13), Image.BILINEAR)
golden["float_11x13"] = np.asarray(small).ravel().tolist()

# Stretches.
flux = (rng.gamma(1.0, 40.0, size=(9, 11)) - 5).astype(np.float32)
golden["flux"] = flux.ravel().tolist()
x = PercentileInterval(100)(flux)
low, high = np.percentile(flux, [1.5, 97.0])
x = ManualInterval(low, high)(flux.astype(np.float64))
golden["linear"] = LinearStretch()(x).ravel().tolist()
golden["asinh"] = AsinhStretch(0.05)(x).ravel().tolist()
golden["log"] = LogStretch(500)(x).ravel().tolist()
cube = (rng.gamma(0.7, 4.0, size=(3, 8, 9)) - 0.5).astype(np.float32)
golden["cube"] = cube.ravel().tolist()
golden["lupton"] = make_lupton_rgb(*cube.astype(float), minimum=0.2, stretch=3.0, Q=6).transpose(2, 0, 1).ravel().tolist()
golden["lupton_q0"] = make_lupton_rgb(*cube.astype(float), minimum=0, stretch=5, Q=0).transpose(2, 0, 1).ravel().tolist()

# PNG: bits, palettes, opacity, animation.
Image.fromarray((smooth(10, 9, 1)[..., 0].astype(np.uint16) * 257)).save("grey16.png")
Image.fromarray(rgb).quantize(16).save("palette.png")
golden["palette"] = np.asarray(Image.open("palette.png").convert("RGB")).transpose(2, 0, 1).ravel().tolist()
Image.fromarray((smooth(10, 9, 1)[..., 0] > 127)).save("one_bit.png")
golden["one_bit"] = (np.asarray(Image.open("one_bit.png")).astype(int) * 255).ravel().tolist()
clear = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
clear[3, 5, 3] = 51
clear[4, 6, 3] = 0
Image.fromarray(clear).save("clear.png")
frames = [Image.fromarray(smooth(10, 12, 3)) for _ in range(3)]
frames[0].save("animated.png", save_all=True, append_images=frames[1:])
golden["animated"] = np.asarray(frames[0]).transpose(2, 0, 1).ravel().tolist()


def rgb16_png(path, image):
    """Pillow writes no colour of 16 bits."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    head = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


rgb16 = rng.integers(0, 65536, size=(9, 8, 3))
rgb16_png("rgb16.png", rgb16)
golden["rgb16"] = rgb16.transpose(2, 0, 1).ravel().tolist()

# JPEG: grey, CMYK, progressive, turned by its camera.
Image.fromarray(rgb).save("rgb.jpg", quality=95, subsampling=0)
golden["jpeg"] = np.asarray(Image.open("rgb.jpg")).transpose(2, 0, 1).ravel().tolist()
Image.fromarray(rgb).save("progressive.jpg", quality=95, subsampling=0, progressive=True)
Image.fromarray(rgb).convert("L").save("grey.jpg", quality=95)
Image.fromarray(rgb).convert("CMYK").save("cmyk.jpg", quality=95)
exif = Image.Exif()
exif[0x0112] = 6
Image.fromarray(rgb).save("turned.jpg", quality=95, subsampling=0, exif=exif)

# FITS: whole numbers with BSCALE, BZERO and BLANK; an image in an extension with NaN; a cube; no image; packed.
whole = rng.integers(-1000, 1000, size=(9, 12)).astype(np.int16)
whole[2, 3] = -32768
hdu = fits.PrimaryHDU(whole)
hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 100.0, -32768
hdu.writeto("scaled.fits", overwrite=True)
raw = whole[::-1].ravel().tolist()
golden["scaled"] = [None if v == -32768 else 100 + 0.5 * v for v in raw]
ext = (rng.normal(size=(10, 8)) * 3).astype(np.float32)
ext[1, 1], ext[4, 4] = np.nan, np.inf
fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(ext)]).writeto("extension.fits", overwrite=True)
golden["extension"] = [v if np.isfinite(v) else None for v in ext[::-1].ravel().tolist()]
fits.PrimaryHDU(cube.astype(">f8")).writeto("cube.fits", overwrite=True)
golden["cube_fits"] = cube[:, ::-1].ravel().tolist()
table = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=[1.0, 2.0])])
fits.HDUList([fits.PrimaryHDU(), table]).writeto("table.fits", overwrite=True)
fits.CompImageHDU(ext).writeto("packed.fits", overwrite=True)

# NPY: types, orders, axes.
np.save("uint8_hwc.npy", rgb)
np.save("uint16_big_chw.npy", rgb16.transpose(2, 0, 1).astype(">u2"))
np.save("float64_fortran.npy", np.asfortranarray(cube.transpose(1, 2, 0).astype(float)))
np.save("complex.npy", np.zeros((9, 9), np.complex64))

with open("golden.json", "w") as file:
    json.dump(golden, file, separators=(",", ":"))
