"""Drawings as files: SVG and PDF keep lines and text as such, PNG has pixels. Written directly: the formats' own few commands.

PDF: ISO 32000-1, sections 8 and 9 (paths, images, the standard font Helvetica in WinAnsi).
"""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

from torch_utils.atomic import atomic
from viz.capture import COMMAND_KEY, KEY
from viz.figures.drawing import Box, Color, Disc, Drawing, Item, Line, Picture, Text
from viz.figures.figure import figure_font
from viz.session import origin

SCALE, SMOOTH = 2, 2  # pixels of a .png for a point, and how many times larger it is drawn first
WINANSI = {"−": "-", "ψ": "psi", "σ": "sigma", "β": "beta", "≥": ">=", "≤": "<="}  # what Helvetica has not


def save(path: Path, drawing: Drawing, view_json: str = "", command: str = "") -> Path:
    """Writes .svg, .pdf or .png by the name, whole or not at all, with view and command inside. Raises OSError; ValueError: other names."""
    writers: dict[str, Callable[[Drawing, str, str], bytes]] = {".svg": svg, ".pdf": pdf, ".png": png}
    if path.suffix.lower() not in writers:
        raise ValueError(f"{path.name} ends in {path.suffix or 'nothing'}; {', '.join(writers)} is expected")
    data = writers[path.suffix.lower()](drawing, view_json, command)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    return path


# ------------------------------------------------------------------------------------------------------------ SVG


def svg(drawing: Drawing, view_json: str = "", command: str = "") -> bytes:
    size = f'width="{drawing.width:g}pt" height="{drawing.height:g}pt" viewBox="0 0 {drawing.width:g} {drawing.height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Helvetica, Arial, sans-serif">',
        f"<title>{escape(drawing.title)}</title>",
        f"<metadata>{escape(origin.about(view_json, command))}</metadata>" if view_json or command else "",
        '<rect width="100%" height="100%" fill="white"/>',
        *(_svg_item(item) for item in drawing.items),
        "</svg>",
    ]
    return "\n".join(line for line in lines if line).encode()


def _svg_item(item: Item) -> str:
    match item:
        case Line():
            points = " ".join(f"{x:.2f},{y:.2f}" for x, y in item.points)
            dash = f' stroke-dasharray="{" ".join(f"{d:g}" for d in item.dash)}"' if item.dash else ""
            return f'<polyline points="{points}" fill="none" stroke="{_hex(item.color)}" stroke-width="{item.width:g}"{dash}/>'
        case Box():
            fill, stroke = (_hex(c) if c is not None else "none" for c in (item.fill, item.stroke))
            box = f'x="{item.x:.2f}" y="{item.y:.2f}" width="{item.width:.2f}" height="{item.height:.2f}"'
            return f'<rect {box} fill="{fill}" stroke="{stroke}" stroke-width="0.8"/>'
        case Text():
            turn = f' transform="rotate(-90 {item.x:.2f} {item.y:.2f})"' if item.upright else ""
            place = f'x="{item.x:.2f}" y="{item.y:.2f}" font-size="{item.size:g}" text-anchor="{item.anchor}" fill="{_hex(item.color)}"'
            return f"<text {place}{turn}>{escape(item.text)}</text>"
        case Picture():
            data = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(item.pixels)).save(data, format="PNG")
            box = f'x="{item.x:.2f}" y="{item.y:.2f}" width="{item.width:.2f}" height="{item.height:.2f}" preserveAspectRatio="none"'
            encoded = base64.b64encode(data.getvalue()).decode()
            return f'<image {box} style="image-rendering:pixelated" href="data:image/png;base64,{encoded}"/>'
        case Disc():
            return f'<circle cx="{item.x:.2f}" cy="{item.y:.2f}" r="{item.radius:.2f}" fill="{_hex(item.color)}"/>'


def _hex(color: Color) -> str:
    return "#" + "".join(f"{c:02x}" for c in color)


# ------------------------------------------------------------------------------------------------------------ PDF


def pdf(drawing: Drawing, view_json: str = "", command: str = "") -> bytes:
    pictures = [item for item in drawing.items if isinstance(item, Picture)]
    names = {id(item): f"P{i}" for i, item in enumerate(pictures)}
    content = zlib.compress("\n".join(_pdf_item(item, drawing.height, names) for item in drawing.items).encode("cp1252", "replace"))
    images = "".join(f"/P{i} {6 + i} 0 R " for i in range(len(pictures)))
    box = f"[0 0 {drawing.width:g} {drawing.height:g}]"
    resources = f"<< /Font << /F 4 0 R >> /XObject << {images}>> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox {box} /Resources {resources} /Contents 5 0 R >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        _stream("/Filter /FlateDecode", content),
        *(_pdf_picture(picture) for picture in pictures),
        f"<< /Title {_pdf_hex(drawing.title)} /Subject {_pdf_hex(origin.about(view_json, command))} >>".encode(),
    ]
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, data in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + data + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode() + b"".join(f"{o:010d} 00000 n \n".encode() for o in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def _pdf_item(item: Item, page: float, names: dict[int, str]) -> str:
    """In PDF's coordinates: y counts from below."""
    rgb = lambda color: " ".join(f"{c / 255:.3f}" for c in color)  # noqa: E731
    match item:
        case Line():
            moves = [f"{x:.2f} {page - y:.2f} {'l' if i else 'm'}" for i, (x, y) in enumerate(item.points)]
            return f"[{' '.join(f'{d:g}' for d in item.dash)}] 0 d {item.width:g} w {rgb(item.color)} RG {' '.join(moves)} S"
        case Box():
            fill = f"{rgb(item.fill)} rg " if item.fill is not None else ""
            stroke = f"[] 0 d 0.8 w {rgb(item.stroke)} RG " if item.stroke is not None else ""
            paint = {(True, True): "B", (True, False): "f", (False, True): "S"}.get((bool(fill), bool(stroke)), "n")
            return f"{fill}{stroke}{item.x:.2f} {page - item.y - item.height:.2f} {item.width:.2f} {item.height:.2f} re {paint}"
        case Text():
            text = "".join(WINANSI.get(c, c) for c in item.text)
            back = {"start": 0.0, "middle": 0.5, "end": 1.0}[item.anchor] * helvetica_width(text) * item.size
            x, y = (item.x, item.y + back) if item.upright else (item.x - back, item.y)
            matrix = "0 1 -1 0" if item.upright else "1 0 0 1"
            shown = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
            return f"BT {rgb(item.color)} rg /F {item.size:g} Tf {matrix} {x:.2f} {page - y:.2f} Tm ({shown}) Tj ET"
        case Picture():
            box = f"{item.width:.2f} 0 0 {item.height:.2f} {item.x:.2f} {page - item.y - item.height:.2f}"
            return f"q {box} cm /{names[id(item)]} Do Q"
        case Disc():  # a line without length, with round ends
            at = f"{item.x:.2f} {page - item.y:.2f}"
            return f"[] 0 d 1 J {2 * item.radius:.2f} w {rgb(item.color)} RG {at} m {at} l S 0 J"


def _pdf_picture(item: Picture) -> bytes:
    height, width = item.pixels.shape[:2]
    header = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /FlateDecode"
    )
    return _stream(header, zlib.compress(np.ascontiguousarray(item.pixels[..., :3], dtype=np.uint8).tobytes()))


def _stream(header: str, data: bytes) -> bytes:
    return f"<< {header} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def _pdf_hex(text: str) -> str:
    return "<" + ("\ufeff" + text).encode("utf-16-be").hex() + ">"


def helvetica_width(text: str) -> float:
    """The length of a line in Helvetica of size 1, from the widths of its commonest characters (Adobe's metrics, in thousandths)."""
    widths = {
        222: "ijl'",
        278: "ft.,:;/ I|!",
        333: "()r-",
        500: "csvxyzkJ",
        667: "ABEKPSVXY",
        722: "CDHNRUw",
        833: "mM",
        889: "%",
        944: "W",
    }
    known = {c: width for width, characters in widths.items() for c in characters}
    return sum(known.get(c, 556) for c in text) / 1000


# ------------------------------------------------------------------------------------------------------------ PNG


def png(drawing: Drawing, view_json: str = "", command: str = "") -> bytes:
    k = SCALE * SMOOTH
    canvas = Image.new("RGB", (round(drawing.width * k), round(drawing.height * k)), (255, 255, 255))
    for item in drawing.items:
        _png_item(canvas, item, k)
    small = canvas.resize((canvas.width // SMOOTH, canvas.height // SMOOTH), Image.Resampling.BOX)
    info = PngImagePlugin.PngInfo()
    if view_json:
        info.add_text(KEY, view_json)
    if command:
        info.add_text(COMMAND_KEY, command)
    data = io.BytesIO()
    small.save(data, format="PNG", pnginfo=info, dpi=(72 * SCALE, 72 * SCALE))
    return data.getvalue()


def pixels(drawing: Drawing) -> np.ndarray:
    """uint8 [H, W, 3], as the .png has them."""
    with Image.open(io.BytesIO(png(drawing))) as image:
        return np.asarray(image.convert("RGB"))


def _png_item(canvas: Image.Image, item: Item, k: int) -> None:
    ink = ImageDraw.Draw(canvas)
    match item:
        case Line():
            for run in _dashes(item):
                ink.line([(x * k, y * k) for x, y in run], fill=item.color, width=max(1, round(item.width * k)), joint="curve")
        case Box():
            corners = (item.x * k, item.y * k, (item.x + item.width) * k, (item.y + item.height) * k)
            ink.rectangle(corners, fill=item.fill, outline=item.stroke, width=max(1, round(0.8 * k)))
        case Text():
            font = figure_font(item.size * k)
            anchor = {"start": "l", "middle": "m", "end": "r"}[item.anchor] + "s"
            if not item.upright:
                ink.text((item.x * k, item.y * k), item.text, item.color, font, anchor=anchor)
                return
            left, top, right, bottom = (round(v) for v in font.getbbox(item.text, anchor="ls"))
            label = Image.new("L", (right - left + 2, bottom - top + 2), 0)
            ImageDraw.Draw(label).text((-left, -top), item.text, 255, font, anchor="ls")
            turned = label.rotate(90, expand=True)
            back = {"start": 1.0, "middle": 0.5, "end": 0.0}[item.anchor] * turned.height
            canvas.paste(item.color, (round(item.x * k) + top, round(item.y * k - back)), turned)
        case Picture():
            size = max(1, round(item.width * k)), max(1, round(item.height * k))
            larger = Image.fromarray(np.ascontiguousarray(item.pixels)).resize(size, Image.Resampling.NEAREST)
            canvas.paste(larger, (round(item.x * k), round(item.y * k)))
        case Disc():
            x, y, r = item.x * k, item.y * k, item.radius * k
            ink.ellipse((x - r, y - r, x + r, y + r), fill=item.color)


def _dashes(line: Line) -> list[list[tuple[float, float]]]:
    """The pieces of a line that are drawn."""
    if not line.dash:
        return [list(line.points)]
    pieces: list[list[tuple[float, float]]] = []
    at, index, left = np.array(line.points[0], dtype=float), 0, line.dash[0]
    piece = [(float(at[0]), float(at[1]))]
    for end in (np.array(p, dtype=float) for p in line.points[1:]):
        while (length := float(np.hypot(*(end - at)))) > 1e-9:
            step = min(left, length)
            at = at + (end - at) * (step / length)
            left -= step
            piece.append((float(at[0]), float(at[1])))
            if left <= 1e-9:
                if index % 2 == 0:
                    pieces.append(piece)
                index += 1
                left, piece = line.dash[index % len(line.dash)], [(float(at[0]), float(at[1]))]
    return [*pieces, piece] if index % 2 == 0 and len(piece) > 1 else pieces
