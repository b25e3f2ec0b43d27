"""The nouns of pose estimation as plain arrays: skeleton, instances, camera, labels, batch.

Pixel convention: x runs right, y runs down, and the centre of the top-left pixel is (0, 0). An image of width W
covers x from -0.5 to W - 0.5. Millimetres are used in three dimensions. A missing coordinate is NaN.
"""
