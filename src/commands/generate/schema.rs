//! The JSON schema of the settings file, for editors, made from the keys and shapes that also parse
//! the file.

use serde_json::{Map, Value, json};

use crate::cli::{Definition, SETTINGS, SettingId, Shape, StepKey};

/// A duration, as `settings::parse` reads it.
const DURATION: &str = "^(0+|([0-9]+(ms|s|m|h|d))+)$";

/// The schema, in the draft that editors support best.
pub fn schema() -> String {
    let keys = SETTINGS.iter().filter(|row| row.id != SettingId::Config);
    let properties = keys
        .map(|row| (row.name.to_owned(), described(row.shape, &help(row))))
        .collect::<Map<_, _>>();
    let keys_of = |has: &dyn Fn(&StepKey) -> bool| {
        let keys = StepKey::ALL.into_iter().filter(has);
        let described = |key: StepKey| {
            let (shape, help) = key.description();
            (key.as_str().to_owned(), described(shape, help))
        };
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["command"],
            "properties": keys.map(described).collect::<Map<_, _>>(),
        })
    };
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "launchgate.toml",
        "description": "Settings of launchgate. The keys are the names of its flags.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "definitions": {
            "words": {
                "type": "array",
                "minItems": 1,
                "items": { "type": "string" },
            },
            "step": keys_of(&|_| true),
            "start-command": keys_of(&|key| key.is_for_start_commands()),
        },
    });
    format!("{schema:#}\n")
}

fn help(row: &Definition) -> String {
    let help = row.help_with_default(row.help);
    match row.verbs {
        [verb] => format!("`launchgate {}`: {help}", verb.as_str()),
        _ => help,
    }
}

fn described(shape: Shape, help: &str) -> Value {
    let mut schema = of(shape);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(help));
    }
    schema
}

fn of(shape: Shape) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    let command = [text.clone(), json!({ "$ref": "#/definitions/words" })];
    let table_of = |kind| json!({ "$ref": format!("#/definitions/{kind}") });
    let one = |kind| [&command[..], &[table_of(kind)]].concat();
    let several = |kind| {
        json!({ "anyOf": [
            { "type": "array", "items": { "anyOf": one(kind) } },
            text,
            table_of(kind),
        ] })
    };
    let table = json!({ "type": "object", "additionalProperties": {
        "type": ["string", "integer", "boolean"],
    } });
    match shape {
        Shape::Table => table,
        Shape::Text | Shape::StepFolder => json!({ "type": ["string", "integer"] }),
        Shape::Switch => json!({ "anyOf": [
            { "type": "boolean" },
            { "enum": ["1", "true", "yes", "on", "0", "false", "no", "off", 1, 0] },
        ] }),
        Shape::Duration => json!({ "anyOf": [
            { "type": "string", "pattern": DURATION },
            { "const": 0 },
        ] }),
        Shape::Count => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": "^[0-9]+$" },
        ] }),
        Shape::List => json!({ "anyOf": [
            { "type": "array", "items": { "type": ["string", "integer"] } },
            text,
        ] }),
        Shape::Pairs => json!({ "anyOf": [
            table,
            { "type": "array", "items": { "type": "string", "pattern": "^[^=]+=" } },
            text,
        ] }),
        Shape::Command => json!({ "anyOf": command }),
        Shape::Step => json!({ "anyOf": one("step") }),
        Shape::Steps => several("step"),
        Shape::StartCommands => several("start-command"),
    }
}
