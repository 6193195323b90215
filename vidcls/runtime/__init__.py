"""An exported model and videos -> class names and scores, without torch: onnxruntime, NumPy, a decoder and OpenCV."""

from vidcls.runtime.predictor import Predictor

__all__ = ["Predictor"]
