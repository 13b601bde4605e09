"""Options and configuration: the constructor arguments of the classes, by jsonargparse.

One source for types, defaults, help and YAML; what is here only turns its parser's complaints
into messages of ours and writes the resolved values down.
"""

import argparse
import dataclasses
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace
from jsonargparse.typing import lazy_instance

from fewshot.algorithms.algorithm import Algorithm
from fewshot.algorithms.mamladam import MAMLAdam
from fewshot.choice import chosen, unreadable
from fewshot.complaints import explained
from fewshot.errors import InputError, listing
from fewshot.evaluation import Evaluation
from fewshot.further import check_single
from fewshot.models.encoder import LoraEncoder
from fewshot.models.learner import Learner
from fewshot.outer import Training, Validation
from fewshot.tasks.attributes import Attributes
from fewshot.tasks.family import TaskFamily
from fewshot.untrusted.yaml_files import read_yaml

GROUPS: dict[str, type] = {"training": Training, "validation": Validation, "evaluation": Evaluation}


class HelpFormatter(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """jsonargparse's help, with texts before and after the options left as they are.

    A default with line breaks is quoted, as YAML takes it: a help text is wrapped, and would lose them.
    """

    def _get_help_string(self, action: argparse.Action) -> str:
        text = super()._get_help_string(action)
        if isinstance(action.default, str) and "\n" in action.default:
            text = text.replace("%(default)s", json.dumps(action.default, ensure_ascii=False))
        return text


class Parser(ArgumentParser):
    """A parser whose help, and that of the classes it takes, has the formatter of ours."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**({"formatter_class": HelpFormatter} | given))


@dataclass(frozen=True)
class Parts:
    """What a configuration builds."""

    family: TaskFamily
    model: Learner
    algorithm: Algorithm
    training: Training
    validation: Validation
    evaluation: Evaluation


def add_parts(parser: ArgumentParser) -> None:
    """Gives a parser `--config` and the options of every part."""
    parser.add_argument("--config", action=ActionConfigFile, help="YAML file; options after it override it")
    _add_part(parser, "family", TaskFamily, Attributes, "where episodes come from")
    _add_learning(parser)
    for name, group in GROUPS.items():
        parser.add_class_arguments(group, name)


def _add_learning(parser: ArgumentParser) -> None:
    """The parts that learn a task."""
    _add_part(parser, "model", Learner, LoraEncoder, "what is adapted")
    _add_part(parser, "algorithm", Algorithm, MAMLAdam, "how a task is learned")


def _add_part(parser: ArgumentParser, name: str, kind: type, default: type, text: str) -> None:
    """The options of one part, as by `add_subclass_arguments`, but that the part is not read from a file."""
    group = parser.add_argument_group((kind.__doc__ or name).split("\n")[0].removesuffix("."))
    metavar = "CLASS_PATH_OR_NAME | .INIT_ARG_NAME VALUE"
    group.add_argument(
        f"--{name}", type=kind, default=lazy_instance(default), help=text, metavar=metavar, sub_configs=False
    )


def command_parser(command: str, usage: str, text: str, example: str) -> ArgumentParser:
    """The parser of a command that takes the options of every part.

    Args:
        command: its name.
        usage: what follows the name.
        text: what it does.
        example: what follows the name in an example.
    """
    parser = Parser(
        prog=f"fewshot {command}",
        usage=f"fewshot {command} {usage}",
        description=text,
        exit_on_error=False,
    )
    add_parts(parser)
    parser.epilog = f"the configuration that options change, by default:\n\n{defaults(parser)}\n"
    parser.epilog += (
        f"--family.help NWayKShot shows the options of another class.\nexample: fewshot {command} {example}"
    )
    return parser


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parses a command line.

    Raises:
        InputError: an option or a value that is wrong; names the nearest right one.
    """
    parser.set_defaults({part: {"class_path": name} for part, name in chosen(arguments).items()})
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise explained(str(error), parser) from error
    except TypeError as error:  # a required constructor argument that is missing comes as one
        raise InputError("the configuration is incomplete", got=str(error)) from error


def build(parser: ArgumentParser, parsed: Namespace) -> Parts:
    """Constructs the parts; their own checks raise `InputError`."""
    built = parser.instantiate(parsed)
    names = [field.name for field in dataclasses.fields(Parts)]
    return Parts(**{name: built[name] for name in names})


def values(parser: ArgumentParser, parsed: Namespace) -> dict[str, Any]:
    """The values of every part as plain data, in the form of `config.yaml`."""
    content: dict[str, Any] = yaml.safe_load(_text(parser, parsed, {}, {}))
    return content


def parse_values(config: Mapping[str, Any]) -> tuple[ArgumentParser, Namespace]:
    """Parses plain data in the form of `config.yaml`.

    Raises:
        InputError: a value that is wrong.
    """
    parser = ArgumentParser(prog="fewshot", exit_on_error=False)
    add_parts(parser)
    return parser, _parsed(parser, config)


def build_learning(config: Mapping[str, Any], where: Path) -> tuple[Learner, Algorithm]:
    """Constructs what learns a task, and nothing that reads data.

    Args:
        config: plain data in the form of `config.yaml`, of which `model` and `algorithm` are taken; its names
            have been judged.
        where: the file that it comes from.

    Raises:
        InputError: a value that is wrong, or options in a further file.
    """
    parser = ArgumentParser(prog="fewshot", exit_on_error=False)
    parser.add_argument("--config", action=ActionConfigFile)
    _add_learning(parser)
    own = {name: config[name] for name in ("model", "algorithm")}
    check_single(own, where, lambda changed: _parsed(parser, changed))
    built = parser.instantiate(_parsed(parser, own))
    return built.model, built.algorithm


def _parsed(parser: ArgumentParser, config: Mapping[str, Any]) -> Namespace:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        file.write_text(yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True), encoding="utf-8")
        return parse(parser, ["--config", str(file)])


def resolved(
    parser: ArgumentParser, parsed: Namespace, parts: Parts, training: Mapping[str, Any] | None = None
) -> str:
    """The text of `config.yaml`: every value, with what 'auto' became and which revision was read."""
    changed = {"family": parts.family.resolved(), "model": parts.model.resolved()}
    return _text(parser, parsed, changed, training or {})


def _text(
    parser: ArgumentParser,
    parsed: Namespace,
    changed: Mapping[str, Mapping[str, Any]],
    training: Mapping[str, Any],
) -> str:
    """The values of every part as YAML, some of them changed."""
    everything = yaml.safe_load(parser.dump(parsed, skip_validation=True, skip_unset=False))
    values = {field.name: everything[field.name] for field in dataclasses.fields(Parts)}
    for part, arguments in changed.items():
        if arguments:
            values[part].setdefault("init_args", {}).update(arguments)
    values["training"].update(training)
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def defaults(parser: ArgumentParser) -> str:
    """The default configuration as YAML."""
    return _text(parser, parser.get_defaults(), {}, {})


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a run.

    Raises:
        InputError: not readable, written for a run that was started from Python, or with other options than
            those of the parts.
    """
    try:
        content = read_yaml(path)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not isinstance(content, dict) or "family" not in content:
        raise InputError(
            "the run does not record how to build its parts",
            where=path,
            got="a run that was started from Python",
            needed="a run of `fewshot train`",
            fix="evaluate it from Python: evaluate(family, run.model, run.algorithm)",
        )
    if missing := [name for name in ("model", "algorithm") if name not in content]:
        raise InputError("the configuration is incomplete", where=path, got=f"no {' and no '.join(missing)}")
    known = [field.name for field in dataclasses.fields(Parts)]
    if others := [name for name in content if name not in known]:  # such as `out`, which is written to
        raise InputError(
            "the run sets an option of the command line", where=path, got=others[0], needed=listing(known)
        )
    return content
