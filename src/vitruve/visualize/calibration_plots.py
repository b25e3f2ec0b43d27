"""Pictures of a calibration: where the board was seen, what is left of errors, where cameras stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from mpl_toolkits.mplot3d.art3d import Line3DCollection

from vitruve.structures.camera import Camera
from vitruve.visualize.look import DPI, FAINT, GRID, INK

_ACCENT, _ALARM = "#0072B2", "#D55E00"
_WIDTH = 5.6
_PER_ROW = 3


def corner_coverage(
    size: tuple[int, int],
    pixels: Float[np.ndarray, "n 2"],
    residuals: Float[np.ndarray, "n 2"],
    covered: Bool[np.ndarray, "C D"],
    title: str,
) -> Figure:
    """All corners of a camera in its image, with what is left of their errors as enlarged arrows.

    Args:
        size: Width and height of the image, px.
        pixels: Where corners were found.
        residuals: Projected minus found, px.
        covered: Which parts of the image have shown one; the others are marked.
        title: Above the plot.

    Returns:
        The figure, in the proportions of the image.
    """
    figure = Figure(figsize=(_WIDTH, 0.82 * _WIDTH * size[1] / size[0] + 0.6), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows, columns = covered.shape
    wide, high = size[0] / columns, size[1] / rows
    for row, column in zip(*np.nonzero(~covered), strict=True):
        corner = (column * wide - 0.5, row * high - 0.5)
        axes.add_patch(Rectangle(corner, wide, high, facecolor=_ALARM, alpha=0.16, edgecolor="white", linewidth=0.8))
    length = np.linalg.norm(residuals, axis=-1)
    typical = float(np.median(length)) if len(length) else 1.0
    enlarged = 0.012 * max(size) / max(typical, 1e-6)
    worst = max(float(np.percentile(length, 99)) if len(length) else 1.0, 1e-6)
    arrows = axes.quiver(
        *pixels.T,
        *(residuals.T * enlarged),
        length,
        cmap="viridis",
        clim=(0, worst),
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0022,
    )
    axes.set(xlim=(-0.5, size[0] - 0.5), ylim=(size[1] - 0.5, -0.5), aspect="equal")
    axes.set_title(title, fontsize=11.5, color=INK, loc="left", parse_math=False)
    axes.tick_params(labelsize=8.5, labelcolor=INK, color=FAINT, length=3)
    bar = figure.colorbar(arrows, ax=axes, shrink=0.9, pad=0.02)
    bar.set_label(f"Error (px); arrows {enlarged:.0f} times longer", fontsize=9, color=INK)
    bar.ax.tick_params(labelsize=8.5, labelcolor=INK)
    return figure


def residual_clouds(residuals: Mapping[str, Float[np.ndarray, "_ 2"]]) -> Figure:
    """What is left of the errors of each camera: a round cloud about zero where the model fits.

    Args:
        residuals: Projected minus found, px, a camera.

    Returns:
        The figure, one small plot a camera, all to one scale.
    """
    rows = -(-len(residuals) // _PER_ROW)
    figure = Figure(figsize=(_WIDTH, 1.95 * rows + 0.3), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    lengths = np.concatenate([np.linalg.norm(values, axis=-1) for values in residuals.values()])
    reach = max(1.2 * float(np.percentile(lengths, 99)), 1e-3) if len(lengths) else 1.0
    for number, (name, values) in enumerate(residuals.items(), 1):
        axes = figure.add_subplot(rows, _PER_ROW, number)
        axes.plot(values[:, 0], values[:, 1], ".", color=_ACCENT, markersize=2, alpha=0.3, markeredgewidth=0)
        median = float(np.median(np.linalg.norm(values, axis=-1))) if len(values) else 0.0
        axes.add_patch(Circle((0, 0), median, fill=False, color=_ALARM, linewidth=1.2))
        axes.set(xlim=(-reach, reach), ylim=(reach, -reach), aspect="equal")
        axes.set_title(f"{name}: median {median:.2f} px", fontsize=8.5, color=INK, loc="left", parse_math=False)
        axes.grid(True, color=GRID, linewidth=0.7)
        axes.tick_params(labelsize=7.5, labelcolor=INK, color=FAINT, length=2)
    return figure


def rig(cameras: Mapping[str, Camera], boards: Float[np.ndarray, "P 3"], primary: str) -> Figure:
    """Where the cameras stand and look, from the side and from above, with the middles of all boards.

    Args:
        cameras: Single cameras by their names.
        boards: Middles of the boards in the world, mm.
        primary: The camera whose frame is the world's.

    Returns:
        The figure; up is where the first camera's image has its upper edge.
    """
    figure = Figure(figsize=(2 * _WIDTH, 5.0), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    centers = np.array([-camera.rotation.T @ camera.translation for camera in cameras.values()])
    every = np.concatenate([centers, boards])
    low, high = np.percentile(every, [0, 100], axis=0)
    length = 0.12 * float(np.linalg.norm(high - low))
    middle, reach = (low + high) / 2, float((high - low).max()) / 2 + length / 2
    for number, (elevation, azimuth, title) in enumerate(((22, -60, "From the side"), (90, -90, "From above")), 1):
        axes = figure.add_subplot(1, 2, number, projection="3d")
        x, y, z = _upright(boards).T
        axes.plot(x, y, z, ".", color=FAINT, markersize=3, alpha=0.9)
        for name, camera in cameras.items():
            color = _ALARM if name == primary else _ACCENT
            axes.add_collection3d(Line3DCollection(_upright(_pyramid(camera, length)), colors=color, linewidths=1.0))
            place = _upright(-camera.rotation.T @ camera.translation)
            axes.text(*place, f" {name}", fontsize=8.5, color=color, parse_math=False)
        for setter, value in zip((axes.set_xlim, axes.set_ylim, axes.set_zlim), _upright(middle), strict=True):
            setter(value - reach, value + reach)
        axes.view_init(elevation, azimuth)
        axes.set_proj_type("ortho" if elevation == 90 else "persp")
        axes.set_box_aspect((1, 1, 1))
        axes.set(xlabel="x (mm)", ylabel="z (mm)", zlabel="" if elevation == 90 else "height, -y (mm)")
        axes.tick_params(labelsize=7.5, labelcolor=INK)
        if elevation == 90:
            axes.set_zticks([])
        axes.set_title(title, fontsize=11, color=INK, loc="left")
    return figure


def _upright(points: np.ndarray) -> np.ndarray:
    """Image coordinates, y down and z away, as a drawing's: x, away, up."""
    return points[..., [0, 2, 1]] * np.array([1, 1, -1])


def _pyramid(camera: Camera, length: float) -> np.ndarray:
    """Lines from the camera's centre to the corners of its image, and around them."""
    width, height = camera.size
    corners = camera.undistort(np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64))
    far = np.concatenate([corners, np.ones((4, 1))], -1) * length
    world = (far - camera.translation) @ camera.rotation
    center = -camera.rotation.T @ camera.translation
    lines: Sequence[tuple[np.ndarray, np.ndarray]] = [
        *((center, corner) for corner in world),
        *zip(world, np.roll(world, -1, 0), strict=True),
    ]
    return np.array(lines)
