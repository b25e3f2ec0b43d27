"""What an image shows, to pretrain backbones."""

from vitruve.algorithms.classifier.algorithm import Classifier

ALGORITHM = Classifier
