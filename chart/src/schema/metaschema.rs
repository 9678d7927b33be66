//! Schemas of schemas: whether a schema is one.

use std::sync::{Arc, OnceLock};

use super::{
    address::{Address, quoted},
    compile::Compiler,
    draft::{Draft, published},
    instance::Instance,
    json::Json,
    model::{SchemaId, Schemas},
    plain::is_plain,
    roots::{Problem, Root},
    validate::{MAX_STEPS, validate},
    violation::Violation,
};

/// The compiled schema of schemas of a draft.
struct Metaschema {
    schemas: Schemas,
    root: SchemaId,
}

/// Checks the part of a document that `pointer` leads to.
pub(super) fn check(root: &Root, part: &Json, pointer: &str) -> Result<(), Problem> {
    if root.url.starts_with("http://json-schema.org/")
        || root.url.starts_with("https://json-schema.org/")
    {
        return Ok(());
    }
    let draft = root
        .resource(pointer)
        .map(|resource| resource.draft)
        .unwrap_or_default();
    if is_plain(part, draft) {
        return Ok(());
    }
    let found = violations(part, draft)?;
    if found.is_empty() {
        return Ok(());
    }
    let mut lines = String::new();
    for violation in &found {
        violation.write(&mut lines, 0);
    }
    let schema = quoted(&Address::new(&root.url, pointer).shown());
    Err(Problem::new(format!(
        "{schema} is not valid against metaschema: jsonschema validation failed with '{}#'\n{lines}",
        draft.url()
    )))
}

/// What the draft's schema of schemas says against a schema.
pub(super) fn violations(schema: &Json, draft: Draft) -> Result<Vec<Violation>, Problem> {
    let metaschema = metaschema(draft)?;
    let value = Instance::Json(schema);
    validate(&metaschema.schemas, metaschema.root, value, MAX_STEPS).map_err(super::exhausted)
}

fn metaschema(draft: Draft) -> Result<&'static Metaschema, Problem> {
    static COMPILED: [OnceLock<Result<Metaschema, Problem>>; 5] = [const { OnceLock::new() }; 5];
    let Some(compiled) = COMPILED.get(draft as usize) else {
        return Err(Problem::new("unknown draft"));
    };
    let compiled = compiled.get_or_init(|| compile(draft));
    compiled.as_ref().map_err(Clone::clone)
}

fn compile(draft: Draft) -> Result<Metaschema, Problem> {
    let url = draft.url();
    let document = published(url).ok_or_else(|| Problem::new("unknown draft"))?;
    let mut compiler = Compiler::new(true);
    let unchecked = |_: &Root, _: &Json, _: &str| Ok(());
    compiler.add_root(url, &Arc::new(Json::from(&*document)), unchecked)?;
    let (schemas, root) = compiler.compile(url, unchecked)?;
    Ok(Metaschema { schemas, root })
}
