//! A PNG image as the SVG that a pack's logo is.

use base64::{Engine as _, engine::general_purpose::STANDARD};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The largest side, in pixels: what says more is no logo.
const MAX_SIDE: u32 = 16_384;

/// An SVG that shows the image; none when it is no PNG.
pub(super) fn svg(png: &[u8]) -> Option<String> {
    // https://www.w3.org/TR/png/#11IHDR: length, `IHDR`, width, height.
    let header = png
        .strip_prefix(SIGNATURE)?
        .get(4..16)?
        .strip_prefix(b"IHDR")?;
    let side = |bytes: &[u8]| Some(u32::from_be_bytes(bytes.try_into().ok()?));
    let (width, height) = (side(header.get(..4)?)?, side(header.get(4..)?)?);
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return None;
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\"><image width=\"{width}\" height=\"{height}\" href=\"data:image/png;base64,{}\"/></svg>\n",
        STANDARD.encode(png)
    ))
}
