"""Checks task definitions against the service model of ECS: what RegisterTaskDefinition takes."""

import json
import sys

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator


def enumerations(shape, value, path):
    """Values that an enumeration does not have: the validator looks at names and types alone."""
    if shape.type_name == "structure":
        for name, member in value.items():
            yield from enumerations(shape.members[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for member in value:
            yield from enumerations(shape.member, member, f"{path}[]")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}: {value} is none of {', '.join(shape.enum)}"


model = ServiceModel(Loader().load_service_model("ecs", "service-2"))
shape = model.operation_model("RegisterTaskDefinition").input_shape
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        definition = json.load(file)
    report = ParamValidator().validate(definition, shape)
    wrong = [report.generate_report()] if report.has_errors() else list(enumerations(shape, definition, path))
    if wrong:
        sys.exit("\n".join([path, *wrong]))
