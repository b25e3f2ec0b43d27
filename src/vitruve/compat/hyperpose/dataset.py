"""``Dataset``: what is learned from, and measured on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vitruve.compat.hyperpose.anatomy import NameConverter, learned_skeleton
from vitruve.compat.hyperpose.base_dataset import Base_dataset, Pairs, added_data
from vitruve.compat.hyperpose.custom import has, name_of, of_config
from vitruve.compat.hyperpose.enums import DATA
from vitruve.compat.hyperpose.metas import CocoMeta, MPIIMeta
from vitruve.compat.hyperpose.official import MPII_dataset, MSCOCO_dataset
from vitruve.compat.hyperpose.sections import Configuration
from vitruve.compat.hyperpose.targets import converted, read_target
from vitruve.errors import ConfigError

__all__ = ["Base_dataset", "CocoMeta", "MPIIMeta", "MPII_dataset", "MSCOCO_dataset"]

COCOMeta = CocoMeta


class Multi_dataset(Base_dataset):
    """Several data sets together: all are trained on, the first is evaluated and tested on.

    Args:
        config: Names the configurations of the others.
    """

    def __init__(self, config: Configuration) -> None:
        super().__init__(config)
        self.members = [get_dataset(_filtered_as(each, config)) for each in config.data.multiple_configs]
        wanted = learned_skeleton(config)
        for member in self.members:
            if isinstance(member, Base_dataset):
                member.set_input_kpt_cvter(NameConverter(member.skeleton, wanted))
        first = self.members[0]
        if isinstance(first, Base_dataset):
            first.set_output_kpt_cvter(NameConverter(wanted, first.skeleton))
            self.skeleton, self.output_kpt_cvter = first.skeleton, first.output_kpt_cvter

    def generate_train_data(self) -> tuple[list[str], list[dict[str, Any]]]:
        """Images of all, with their targets; keypoints as the model has them."""
        paths: list[str] = []
        targets: list[dict[str, Any]] = []
        for member in self.members:
            getter = None if isinstance(member, Base_dataset) else getattr(member, "get_input_kpt_cvter", None)
            convert = getter() if callable(getter) else None
            for path, given in member.get_train_dataset():
                where = f"dataset {name_of(member)}: {path}"
                target = read_target(given, where)
                paths.append(path)
                targets.append({**target, "kpt": converted(target["kpt"], convert, where)})
        more_paths, more_targets = added_data(self.config)
        return [*paths, *more_paths], [*targets, *(dict(target) for target in more_targets)]

    def get_train_dataset(self, in_list: bool = False, need_total_num: bool = False) -> Any:
        """As for the class it derives from; each set has converted its own keypoints."""
        paths, targets = self.generate_train_data()
        self._sizes["train"] = len(paths)
        return (paths, targets) if in_list else Pairs(paths, targets)

    def generate_eval_data(self) -> tuple[list[str], list[Any]]:
        """Images of the first."""
        return _apart(self.members[0].get_eval_dataset())

    def generate_test_data(self) -> tuple[list[str], list[Any]]:
        """Images of the first."""
        return _apart(self.members[0].get_test_dataset())

    def official_eval(self, pd_anns: Any, eval_dir: str | Path = "./eval_dir", image_ids: Any = None) -> Any:
        """The evaluation of the first."""
        return self.members[0].official_eval(pd_anns, eval_dir, image_ids)

    def official_test(self, pd_anns: Any, test_dir: str | Path = "./test_dir", image_ids: Any = None) -> Any:
        """The test of the first."""
        return self.members[0].official_test(pd_anns, test_dir, image_ids)


_KINDS: Mapping[DATA, type[Base_dataset]] = {DATA.MSCOCO: MSCOCO_dataset, DATA.MPII: MPII_dataset}


def get_dataset(config: Configuration) -> Any:
    """The data set of a configuration.

    Args:
        config: What ``Config.get_config()`` gave.

    Returns:
        COCO, MPII, several together, or the user's own.

    Raises:
        ConfigError: The user's own is to be used, but none was given.
    """
    kind = config.data.dataset_type
    if kind is DATA.MULTIPLE:
        if not config.data.multiple_configs:
            raise ConfigError("Config.DATA.MULTIPLE: name the configurations by Config.set_multiple_dataset")
        return Multi_dataset(config)
    if kind is DATA.USERDEF:
        given = config.data.userdef_dataset
        if given is None:
            raise ConfigError("Config.DATA.USERDEF: give the data set by Config.set_userdef_dataset")
        found = of_config(given, "Config.set_userdef_dataset", config)
        has(found, "get_train_dataset", "Config.set_userdef_dataset")
        if config.data.dataset_filter is not None and not isinstance(found, Base_dataset):
            warnings.warn(
                f"Config.set_dataset_filter has no effect on {name_of(found)}, which has no meta objects", stacklevel=2
            )
        return found
    return _KINDS[kind](config)


def get_domainadapt_dataset(config: Configuration) -> Pairs:
    """The unlabelled images of ``Config.set_domainadapt_dataset``, as paths with targets whose ``labeled`` is 0."""
    return Base_dataset(config).get_dmadapt_train_dataset()


def get_pretrain_dataset(config: Configuration) -> Path:
    """The folder of class folders that ``Model.get_pretrain`` learns from."""
    return config.pretrain.dataset_path


def _filtered_as(member: Configuration, config: Configuration) -> Configuration:
    """A member without a filter of its own has that of all."""
    keep = member.data.dataset_filter or config.data.dataset_filter
    return replace(member, data=replace(member.data, dataset_filter=keep))


def _apart(pairs: Any) -> tuple[list[str], list[Any]]:
    found = list(pairs)
    return [path for path, _ in found], [value for _, value in found]
