//! What a pack test expects of objects and host files.

use std::borrow::Cow;

use cairn_spec::{ExpectedObject, Node, TreePath, Value, yaml::write_scalar};

use super::Runner;
use crate::{Session, object::Object, pack_render::PackOutput, render::LayerOutput};

/// The host file that says what a node does; it becomes the host plan, not a file of the bundle.
const STEPS: &str = "steps.yaml";

impl Runner<'_> {
    pub(super) fn check_objects(&mut self, output: &PackOutput, session: &Session) {
        let expect = &self.test.spec.expect;
        if let Some(count) = expect.count.filter(|count| *count != output.objects.len()) {
            let list: Vec<String> = output
                .objects
                .iter()
                .map(|object| object.id.to_string())
                .collect();
            let message = format!(
                "expected {count} objects, found {}: {}",
                output.objects.len(),
                list.join(", ")
            );
            self.fail(message, self.place("/count", session));
        }
        for (index, expected) in expect.objects.iter().enumerate() {
            let matching: Vec<&Object> = output
                .objects
                .iter()
                .filter(|object| matches(expected, object))
                .collect();
            let place = self.place(&format!("/objects/{index}"), session);
            match matching.as_slice() {
                [object] => self.check_fields(expected, object, index, session),
                [] => {
                    let near: Vec<String> = output
                        .objects
                        .iter()
                        .filter(|object| object.id.kind == expected.kind)
                        .map(|object| object.id.to_string())
                        .collect();
                    let rendered = if near.is_empty() {
                        "none of that kind".to_owned()
                    } else {
                        near.join(", ")
                    };
                    self.fail(
                        format!(
                            "expected a {} `{}`, which is not rendered (rendered: {rendered})",
                            expected.kind, expected.name
                        ),
                        place,
                    );
                }
                several => self.fail(
                    format!(
                        "expected one {} `{}`, found {}; add its namespace",
                        expected.kind,
                        expected.name,
                        several.len()
                    ),
                    place,
                ),
            }
        }
        self.check_absent(output, session);
    }

    fn check_absent(&mut self, output: &PackOutput, session: &Session) {
        for (index, pattern) in self.test.spec.expect.absent.iter().enumerate() {
            let fits = |wanted: &Option<String>, found: Option<&String>| {
                wanted.is_none() || wanted.as_ref() == found
            };
            let present = output.objects.iter().find(|object| {
                object.id.kind == pattern.kind
                    && fits(&pattern.name, Some(&object.id.name))
                    && fits(&pattern.namespace, object.id.namespace.as_ref())
            });
            if let Some(object) = present {
                let message = format!("expected no {}, found {}", pattern.kind, object.id);
                self.fail(message, self.place(&format!("/absent/{index}"), session));
            }
        }
    }

    fn check_fields(
        &mut self,
        expected: &ExpectedObject,
        object: &Object,
        index: usize,
        session: &Session,
    ) {
        for (pointer, value) in &expected.fields {
            let wanted = Node::from(value.clone()).value;
            let found = object
                .node
                .pointer(pointer)
                .map_or(&Value::Null, |node| &node.value);
            if !found.same_data(&wanted) {
                let key = pointer.replace('~', "~0").replace('/', "~1");
                let message = format!(
                    "{}: `{pointer}` should be `{}`, is `{}`",
                    object.id,
                    write_scalar(&wanted),
                    write_scalar(found)
                );
                self.fail(
                    message,
                    self.place(&format!("/objects/{index}/fields/{key}"), session),
                );
            }
        }
    }

    pub(super) fn check_host(&mut self, output: &PackOutput, session: &Session) {
        let expect = &self.test.spec.expect;
        let output = &output.output;
        let mut known: Vec<&str> = output.host.keys().map(TreePath::as_str).collect();
        if !output.steps_text.is_empty() {
            known.push(STEPS);
        }
        for (index, path) in expect.host.iter().enumerate() {
            if !known.contains(&path.as_str()) {
                let message = format!(
                    "expected the host file `{path}`; there are {}",
                    known.join(", ")
                );
                self.fail(message, self.place(&format!("/host/{index}"), session));
            }
        }
        for (path, texts) in &expect.host_contains {
            let key = path.replace('~', "~0").replace('/', "~1");
            let Some(content) = host_text(output, path) else {
                let message = format!(
                    "expected the host file `{path}`; there are {}",
                    known.join(", ")
                );
                self.fail(
                    message,
                    self.place(&format!("/hostContains/{key}"), session),
                );
                continue;
            };
            for (index, text) in texts.iter().enumerate() {
                if !content.contains(text.as_str()) {
                    let message = format!("the host file `{path}` does not hold `{text}`");
                    let place = self.place(&format!("/hostContains/{key}/{index}"), session);
                    self.fail(message, place);
                }
            }
        }
    }
}

/// The text of a host file, the rendered steps included.
fn host_text<'a>(output: &'a LayerOutput, path: &str) -> Option<Cow<'a, str>> {
    if path == STEPS {
        return (!output.steps_text.is_empty()).then_some(Cow::Borrowed(&output.steps_text));
    }
    let (_, bytes) = output
        .host
        .iter()
        .find(|(known, _)| known.as_str() == path)?;
    Some(String::from_utf8_lossy(bytes))
}

fn matches(expected: &ExpectedObject, object: &Object) -> bool {
    object.id.kind == expected.kind
        && object.id.name == expected.name
        && expected
            .api_version
            .as_ref()
            .is_none_or(|version| *version == object.id.api_version)
        && expected
            .namespace
            .as_ref()
            .is_none_or(|namespace| Some(namespace) == object.id.namespace.as_ref())
}
