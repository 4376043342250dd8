//! How ECR prints a stored policy: two blanks for each object, lists in one line, blanks around
//! colons (the outputs of the AWS CLI examples of SetRepositoryPolicy).
//!
//! Order and spelling stay as the author wrote them. Nothing here judges a policy.

use super::json::Json;

/// Prints JSON `text` again; none for what is no JSON or repeats a key.
pub fn echo(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() * 2);
    value(&Json::parse(text).ok()?, 0, &mut out);
    Some(out)
}

fn value(json: &Json, depth: usize, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => out.push_str(&number.to_string()),
        Json::Text(text) => quoted(text, out),
        Json::List(values) => {
            out.push('[');
            for (place, entry) in values.iter().enumerate() {
                out.push_str(if place == 0 { " " } else { ", " });
                value(entry, depth, out);
            }
            out.push_str(" ]");
        }
        Json::Object(entries) if entries.is_empty() => out.push_str("{ }"),
        Json::Object(entries) => {
            out.push('{');
            for (place, (key, entry)) in entries.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { "," });
                new_line(depth + 1, out);
                quoted(key, out);
                out.push_str(" : ");
                value(entry, depth + 1, out);
            }
            new_line(depth, out);
            out.push('}');
        }
    }
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

#[cfg(test)]
mod tests {
    use super::echo;

    #[test]
    fn the_form_of_the_cli_examples() {
        let text = r#"{"Version":"2008-10-17","Statement":[{"Sid":"a b","Effect":"Allow",
            "Principal":{"AWS":["1","2"]},"Action":[],"Condition":{}},{"Sid":"\u002f\""}]}"#;
        let printed = r#"{
  "Version" : "2008-10-17",
  "Statement" : [ {
    "Sid" : "a b",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : [ "1", "2" ]
    },
    "Action" : [ ],
    "Condition" : { }
  }, {
    "Sid" : "/\""
  } ]
}"#;
        assert_eq!(echo(text).as_deref(), Some(printed));
        assert_eq!(echo(printed).as_deref(), Some(printed));
        assert_eq!(echo("{"), None);
        assert_eq!(echo(r#"{"a":1,"a":1}"#), None);
    }
}
