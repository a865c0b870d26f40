import io
import re
from pathlib import Path

from PIL import Image

from demo.pictures import SUBJECTS, render
from tests.support.images import jpeg

ROOT = Path(__file__).resolve().parents[2]


def test_every_picture_is_credited_and_described() -> None:
    page = (ROOT / "demo" / "CREDITS.md").read_text()
    rows = re.findall(
        r"^\| (\w+) \| .+ \| .*(?:CC BY 2\.0|CC0|public domain).* \|", page, re.MULTILINE
    )
    assert sorted(rows) == sorted(Path(subject.path).stem for subject in SUBJECTS)
    assert all(subject.alt_text.endswith(".") for subject in SUBJECTS)


def test_each_seed_renders_a_picture_differently(tmp_path: Path) -> None:
    file = tmp_path / "one.jpg"
    file.write_bytes(jpeg(600, 400))
    rendered = [render(file, f"someone/{n}/0") for n in range(12)]
    assert len(set(rendered)) == 12
    assert render(file, "someone/0/0") == rendered[0]
    for data in rendered:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) == 1080
