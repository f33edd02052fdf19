"""Print what the quickstart's main job has reached: a short table, and the files to look at."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LEFT_OUT = ("xyz", "harmonics_L10", "harmonics_L20")
FILES = {
    "city/photos/": "street photos of the made city",
    "city.png": "the embedding of the whole scene as colours",
    "search.html": "photos that look like a place, on a map",
    "run/curve.png": "the training curve",
    "retrieval.json": "all retrieval scores",
    "earth/elevation.json": "all scores of the real Earth (also country.json, landsea.json)",
    "log.txt": "every command with its words",
}


def retrieval_rows(path: Path) -> list[tuple[str, str, str]]:
    """Return R@10 both ways, beside the tile mean and chance."""
    scores = json.loads(path.read_text(encoding="utf-8"))["scores"]
    found = {(s["task"], s["method"]): s for s in scores if s["metric"] == "R@10"}
    rows = []
    for task in ("SV->RS", "RS->SV"):
        for method in ("at the photo", "tile mean", "chance"):
            score = found.get((task, method))
            if score is not None:
                rows.append((f"made city, {task}, R@10 of {score['n']}", method, _value(score, 1)))
    return rows


def point_rows(path: Path, name: str) -> list[tuple[str, str, str]]:
    """Return the block-split scores of the chief methods on every target of a file."""
    rows = []
    for target in json.loads(path.read_text(encoding="utf-8"))["targets"]:
        scores = {s["method"]: s for s in target["scores"] if s["split"] == "block"}
        for method, score in scores.items():
            if method not in LEFT_OUT:
                label = f"{name}, {target['target']}, {score['metric']}, block folds"
                rows.append((label, method, _value(score, 3)))
    return rows


def _value(score: dict[str, Any], digits: int) -> str:
    text = f"{score['value']:.{digits}f}"
    if score.get("low") is None:
        return text
    return f"{text}  [{score['low']:.{digits}f}, {score['high']:.{digits}f}]"


def table(rows: list[tuple[str, str, str]]) -> str:
    """Return aligned lines; a repeated first column is left blank."""
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines, last = [], ""
    for label, method, value in rows:
        shown = "" if label == last else label
        lines.append(f"   {shown:{widths[0]}}  {method:{widths[1]}}  {value}")
        last = label
    return "\n".join(lines)


def main() -> None:
    """Print the table of the folder given on the command line."""
    out = Path(sys.argv[1])
    rows = [*retrieval_rows(out / "retrieval.json"), *point_rows(out / "city-points.json", "city")]
    for name in ("elevation", "country", "landsea"):
        path = out / "earth" / f"{name}.json"
        if path.exists():
            rows += point_rows(path, "Earth")
    print(table(rows))
    print("\n   [95 % interval by bootstrap of spatial blocks]\n\nLook at:")
    for name, text in FILES.items():
        if (out / name).exists():
            print(f"   {out / name}  {text}")


if __name__ == "__main__":
    main()
