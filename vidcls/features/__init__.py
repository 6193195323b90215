"""A frozen network and videos -> its features of each video, computed once and kept."""

from vidcls.features.compute import compute_features
from vidcls.features.key import FeatureKey
from vidcls.features.report import Report
from vidcls.features.store import FeatureStore, default_root
from vidcls.features.verify import verify

__all__ = ["FeatureKey", "FeatureStore", "Report", "compute_features", "default_root", "verify"]
