//! The header fields of a call, looked up by name, without an HTTP library.

use std::fmt;

use super::Field;

/// The header fields of a request, as received.
pub trait Headers: fmt::Debug + Send + Sync {
    /// Hands every value of the field `name` (in lower case) to `take`, in the order of the lines.
    fn each<'s>(&'s self, name: &str, take: &mut dyn FnMut(&'s [u8]));

    /// The field `name` (in lower case), as one that may stand once.
    fn field<'s>(&'s self, name: &str) -> Field<'s> {
        let mut field = Field::Absent;
        self.each(name, &mut |value| field = field.and(value));
        field
    }
}

/// Header fields from a list: names in lower case, then values.
#[derive(Clone, Copy, Default)]
pub struct Listed<'a>(pub &'a [(&'a str, &'a [u8])]);

impl Headers for Listed<'_> {
    fn each<'s>(&'s self, name: &str, take: &mut dyn FnMut(&'s [u8])) {
        self.0.iter().filter(|(known, _)| *known == name).for_each(|(_, value)| take(value));
    }
}

/// Names alone: values may be credentials.
impl fmt::Debug for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_absent_once_or_several() {
        let listed = [("host", &b"a"[..]), ("x", b"1"), ("x", b"2")];
        let headers = Listed(&listed);
        assert_eq!(headers.field("host"), Field::One(b"a"));
        assert_eq!(headers.field("x"), Field::Several);
        assert_eq!(headers.field("y"), Field::Absent);
        let mut values = Vec::new();
        headers.each("x", &mut |value| values.push(value));
        assert_eq!(values, [b"1", b"2"]);
        assert_eq!(format!("{headers:?}"), r#"{"host", "x", "x"}"#);
    }
}
