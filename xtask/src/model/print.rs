//! Writes facts as JSON that diffs well: one line per member, value or error.
//! Objects and arrays open up to a depth; below it they stay on one line.
//! It must keep the order of the types it prints.

use std::io::{self, Write};

use anyhow::Result;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// Containers nested deeper than this stay on one line.
const OPEN_DEPTH_MAX: usize = 4;

/// The text of `value`, ending in a newline.
pub fn to_text(value: &impl Serialize) -> Result<String> {
    let mut bytes = Vec::new();
    let layout = Layout {
        depth: 0,
        pretty: PrettyFormatter::new(),
    };
    value.serialize(&mut Serializer::with_formatter(&mut bytes, layout))?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}

struct Layout {
    depth: usize,
    pretty: PrettyFormatter<'static>,
}

/// Forwards one formatter call to the layout that the current depth asks for.
macro_rules! by_depth {
    ($self:ident, $($call:tt)*) => {
        if $self.depth <= OPEN_DEPTH_MAX { $self.pretty.$($call)* } else { CompactFormatter.$($call)* }
    };
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.depth += 1;
        by_depth!(self, begin_array(w))
    }
    fn end_array<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        let done = by_depth!(self, end_array(w));
        self.depth -= 1;
        done
    }
    fn begin_array_value<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        by_depth!(self, begin_array_value(w, first))
    }
    fn end_array_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        by_depth!(self, end_array_value(w))
    }
    fn begin_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        self.depth += 1;
        by_depth!(self, begin_object(w))
    }
    fn end_object<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        let done = by_depth!(self, end_object(w));
        self.depth -= 1;
        done
    }
    fn begin_object_key<W: ?Sized + Write>(&mut self, w: &mut W, first: bool) -> io::Result<()> {
        by_depth!(self, begin_object_key(w, first))
    }
    fn begin_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        by_depth!(self, begin_object_value(w))
    }
    fn end_object_value<W: ?Sized + Write>(&mut self, w: &mut W) -> io::Result<()> {
        by_depth!(self, end_object_value(w))
    }
}
