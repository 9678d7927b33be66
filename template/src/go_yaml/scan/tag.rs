//! Directives, anchors, aliases and tags.

use super::{Kind, Mark, Scan, Scanner};

/// The longest version number of a `%YAML` directive.
const VERSION_DIGITS: usize = 2;

impl Scanner<'_> {
    pub(super) fn directive(&mut self) -> Scan<()> {
        self.unroll_indent(None);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.word();
        if name.is_empty() {
            return Err(self.scanner_error(start, "could not find expected directive name"));
        }
        if !self.cursor.is_blankz(0) {
            return Err(self.scanner_error(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => {
                self.cursor.skip_blanks();
                let major = self.version_number(start)?;
                if self.cursor.byte(0) != b'.' {
                    let problem = "did not find expected digit or '.' character";
                    return Err(self.scanner_error(start, problem));
                }
                self.cursor.skip();
                let minor = self.version_number(start)?;
                Kind::VersionDirective { major, minor }
            }
            "TAG" => self.tag_directive(start)?,
            _ => return Err(self.scanner_error(start, "found unknown directive name")),
        };
        self.push_token(kind, start);
        self.cursor.skip_blanks();
        self.cursor.skip_comment();
        if !self.cursor.at_breakz() {
            let problem = "did not find expected comment or line break";
            return Err(self.scanner_error(start, problem));
        }
        self.cursor.take_break();
        Ok(())
    }

    fn version_number(&mut self, start: Mark) -> Scan<u8> {
        let mut value = 0;
        let mut length = 0;
        while self.cursor.byte(0).is_ascii_digit() {
            length += 1;
            if length > VERSION_DIGITS {
                return Err(self.scanner_error(start, "found extremely long version number"));
            }
            value = value * 10 + (self.cursor.byte(0) - b'0');
            self.cursor.skip();
        }
        if length == 0 {
            return Err(self.scanner_error(start, "did not find expected version number"));
        }
        Ok(value)
    }

    fn tag_directive<'t>(&mut self, start: Mark) -> Scan<Kind<'t>> {
        self.cursor.skip_blanks();
        let handle = self.tag_handle(true, start)?;
        if !self.cursor.at_blank() {
            return Err(self.scanner_error(start, "did not find expected whitespace"));
        }
        self.cursor.skip_blanks();
        let prefix = self.tag_uri("", start)?;
        if !self.cursor.is_blankz(0) {
            let problem = "did not find expected whitespace or line break";
            return Err(self.scanner_error(start, problem));
        }
        Ok(Kind::TagDirective { handle, prefix })
    }

    pub(super) fn anchor(&mut self, alias: bool) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.word();
        let ends = self.cursor.is_blankz(0)
            || matches!(
                self.cursor.byte(0),
                b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`'
            );
        if name.is_empty() || !ends {
            let problem = "did not find expected alphabetic or numeric character";
            return Err(self.scanner_error(start, problem));
        }
        let kind = if alias {
            Kind::Alias(name)
        } else {
            Kind::Anchor(name)
        };
        self.push_token(kind, start);
        Ok(())
    }

    pub(super) fn tag(&mut self) -> Scan<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let start = self.cursor.mark;
        let (handle, suffix) = if self.cursor.byte(1) == b'<' {
            self.cursor.skip_bytes(2);
            let suffix = self.tag_uri("", start)?;
            if self.cursor.byte(0) != b'>' {
                return Err(self.scanner_error(start, "did not find the expected '>'"));
            }
            self.cursor.skip();
            (String::new(), suffix)
        } else {
            let handle = self.tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_uri("", start)?;
                (handle, suffix)
            } else {
                let suffix = self.tag_uri(&handle, start)?;
                if suffix.is_empty() {
                    (String::new(), "!".to_owned())
                } else {
                    ("!".to_owned(), suffix)
                }
            }
        };
        if !self.cursor.is_blankz(0) {
            let problem = "did not find expected whitespace or line break";
            return Err(self.scanner_error(start, problem));
        }
        self.push_token(Kind::Tag { handle, suffix }, start);
        Ok(())
    }

    fn tag_handle(&mut self, directive: bool, start: Mark) -> Scan<String> {
        if self.cursor.byte(0) != b'!' {
            return Err(self.scanner_error(start, "did not find expected '!'"));
        }
        let from = self.cursor.mark.offset;
        self.cursor.skip();
        self.word();
        if self.cursor.byte(0) == b'!' {
            self.cursor.skip();
        } else if directive && self.cursor.since(from) != "!" {
            return Err(self.scanner_error(start, "did not find expected '!'"));
        }
        Ok(self.cursor.since(from).to_owned())
    }

    /// Reads what follows the `head` of a tag, whose `!` is not part of it.
    fn tag_uri(&mut self, head: &str, start: Mark) -> Scan<String> {
        let mut uri = head.get(1..).unwrap_or_default().as_bytes().to_vec();
        let mut found = !head.is_empty();
        loop {
            match self.cursor.byte(0) {
                b'%' => self.uri_escape(start, &mut uri)?,
                byte if is_word(byte) || b";/?:@&=+$,.!~*'()[]".contains(&byte) => {
                    uri.push(byte);
                    self.cursor.skip();
                }
                _ if found => return Ok(String::from_utf8_lossy(&uri).into_owned()),
                _ => return Err(self.scanner_error(start, "did not find expected tag URI")),
            }
            found = true;
        }
    }

    /// Reads the escaped bytes of one character.
    fn uri_escape(&mut self, start: Mark, uri: &mut Vec<u8>) -> Scan<()> {
        let mut left = None;
        while left != Some(0) {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let (Some(high), Some(low)) = (
                digit(self.cursor.byte(1)).filter(|_| self.cursor.byte(0) == b'%'),
                digit(self.cursor.byte(2)),
            ) else {
                return Err(self.scanner_error(start, "did not find URI escaped octet"));
            };
            let octet = u8::try_from(high * 16 + low).unwrap_or_default();
            left = Some(match (left, octet) {
                (None, 0..=0x7f) => 0,
                (None, 0xc0..=0xdf) => 1,
                (None, 0xe0..=0xef) => 2,
                (None, 0xf0..=0xf7) => 3,
                (None, _) => {
                    let problem = "found an incorrect leading UTF-8 octet";
                    return Err(self.scanner_error(start, problem));
                }
                (Some(left), 0x80..=0xbf) => left - 1,
                (Some(_), _) => {
                    let problem = "found an incorrect trailing UTF-8 octet";
                    return Err(self.scanner_error(start, problem));
                }
            });
            uri.push(octet);
            self.cursor.skip_bytes(3);
        }
        Ok(())
    }
}

impl<'t> Scanner<'t> {
    /// Letters, digits, `-` and `_`.
    fn word(&mut self) -> &'t str {
        let from = self.cursor.mark.offset;
        while is_word(self.cursor.byte(0)) {
            self.cursor.skip();
        }
        self.cursor.since(from)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
