//! Loads charts and says what is wrong with them, as Helm does.

mod archives;
mod files;
mod hostile;
mod hostile_schemas;
mod late;
mod patterns;
mod schemas;
mod tars;
mod vectors;

use cairn_chart::{Chart, ChartFile, Error, load};
use cairn_spec::{Origins, Sources};

/// The metadata of a chart with which nothing is wrong.
const METADATA: &str = "{apiVersion: v2, name: web, version: 1.2.3}";

fn load_files(files: Vec<ChartFile>) -> Result<Chart, Error> {
    load(files, "web", &mut Sources::new(), &mut Origins::new())
}
