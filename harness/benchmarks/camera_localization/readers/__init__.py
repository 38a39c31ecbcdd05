"""How camera-localization datasets lie on disk: a module per format.

Poses leave here in one convention: camera centre in metres, rotation from camera to world, camera axes x right, y down,
z forward (OpenCV).
"""
