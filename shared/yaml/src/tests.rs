use super::*;

fn read(text: &str) -> Tree<&str> {
    let (tree, broken) = Tree::read(text);
    assert!(broken.is_none(), "{broken:?}");
    tree
}

fn first<'t>(tree: &'t Tree<&'t str>) -> Node<'t, &'t str> {
    tree.documents().next().expect("a document")
}

#[test]
fn every_node_knows_its_line_its_column_and_its_bytes() {
    let text = "a: é\nlist:\n  - \"b\"\n  - !Sub c\nlast: *none\n".replace("*none", "{x: 1}");
    let tree = read(&text);
    let list = first(&tree).get("list").unwrap().items();
    assert_eq!(list[0].position(), Position { line: 3, column: 5 });
    assert_eq!(&text[list[0].span()], "\"b\"");
    assert_eq!(&text[list[1].span()], "!Sub c");
    assert_eq!((list[1].tag(), list[1].scalar(), list[1].style()), (Some("Sub"), Some("c"), Some(Style::Plain)));
    assert_eq!(&text[first(&tree).get("last").unwrap().span()], "{x: 1}");
    assert_eq!(*list[0].source(), text);
}

#[test]
fn an_alias_is_what_its_anchor_is_and_stands_where_it_is_written() {
    let tree = read("one: &x {y: 1}\ntwo: *x\n");
    let (one, two) = (first(&tree).get("one").unwrap(), first(&tree).get("two").unwrap());
    assert_eq!(two.at(&["y"]).and_then(Node::scalar), Some("1"));
    assert_eq!((two.span(), two.position().line), (one.span(), 2));
}

#[test]
fn null_is_null_only_without_quotes() {
    for (text, is_null) in [
        ("a: ", true),
        ("a: ~", true),
        ("a: null", true),
        ("a: NULL", true),
        ("a: \"\"", false),
        ("a: 'null'", false),
    ] {
        let tree = read(text);
        let value = first(&tree).get("a").unwrap();
        assert_eq!(matches!(value.shape(), Shape::Null), is_null, "{text}");
        assert_eq!(value.scalar().is_none(), is_null, "{text}");
    }
}

#[test]
fn merges_are_followed_once_and_own_keys_win() {
    let tree = read("base: &b {image: a, x: 1}\nother: &o {<<: *b, image: b}\nuse: {<<: [*o, *b], x: 2}\n");
    let used = first(&tree).get("use").unwrap();
    assert_eq!(used.get("image").and_then(Node::scalar), Some("b"));
    assert_eq!(used.entries().len(), 2);
    assert_eq!(used.get("x").and_then(Node::scalar), Some("2"));
}

#[test]
fn a_repeated_key_is_there_twice_and_the_last_one_counts() {
    let tree = read("a: 1\nb: 2\na: 3\n");
    assert_eq!(first(&tree).own_entries().filter(|(key, _)| *key == "a").count(), 2);
    assert_eq!(first(&tree).get("a").and_then(Node::scalar), Some("3"));
    let Shape::Mapping(entries) = first(&tree).shape() else {
        panic!("a mapping")
    };
    assert_eq!(entries.len(), 3);
}

#[test]
fn what_comes_before_a_fault_is_there() {
    let (tree, broken) = Tree::read("a: 1\n---\nb: [1\n---\n");
    let broken = broken.expect("a fault");
    assert_eq!(first(&tree).get("a").and_then(Node::scalar), Some("1"));
    assert!(broken.at.line >= 3 && broken.offset >= 9, "{broken:?}");
    let (_, broken) = Tree::read("a: *nothing\n");
    assert_eq!(broken.map(|broken| broken.at.line), Some(1));
}

#[test]
fn a_bomb_of_aliases_stays_small() {
    let mut text = "a0: &a0 {image: x}\n".to_owned();
    for level in 1..40 {
        let before = level - 1;
        text.push_str(&format!("a{level}: &a{level} {{<<: [*a{before}, *a{before}, *a{before}, *a{before}]}}\n"));
    }
    let tree = read(&text);
    let last = first(&tree).get("a39").unwrap();
    assert_eq!(last.get("image").and_then(Node::scalar), Some("x"));
    assert!(read("a: &a [*a, {<<: *a}]\n").mappings().count() == 2);
}

#[test]
fn a_mapping_merges_no_more_than_it_may() {
    let bases: String = (0..2_000).map(|at| format!("- &b{at} {{k{at}: x}}\n")).collect();
    let list: String = (0..2_000).map(|at| format!("*b{at}, ")).collect();
    let wide: String = (0..2_000).map(|at| format!("  k{at}: x\n")).collect();
    let chain = (1..2_000).fold("- &b0 {k0: x}\n".to_owned(), |text, at| {
        text + &format!("- &b{at} {{k{at}: x, <<: *b{}}}\n", at - 1)
    });
    for text in [
        format!("bases:\n{bases}use: {{own: x, <<: [{list}]}}\n"),
        format!("base: &b\n{wide}use: {{own: x, <<: *b}}\n"),
        chain,
    ] {
        let tree = read(&text);
        let last = tree.mappings().last().unwrap();
        assert!((1..MOST_MERGED).contains(&last.entries().len()), "{}", last.entries().len());
        assert!(last.get("own").is_some() || last.get("k1999").is_some());
        assert!(last.get("none").is_none());
    }
}

#[test]
fn depth_costs_no_stack() {
    for open in ["[", "{a: ", "- ", "? ", "&a [", "!t {"] {
        let text = open.repeat(20_000);
        drop(Tree::read(text.as_str()));
    }
}

#[test]
fn only_a_mapping_has_keys() {
    let tree = read("- {image: a}\n- {image: b}\n");
    assert!(first(&tree).get("image").is_none() && first(&tree).entries().is_empty());
    assert!(first(&tree).items()[0].get("image").is_some());
}

#[test]
fn its_own_entries_are_never_left_out() {
    let text: String = (0..5_000).map(|at| format!("k{at}: x\n")).collect();
    let text = format!("{text}<<: {{more: y}}\n");
    let tree = read(&text);
    assert_eq!(first(&tree).entries().len(), 5_001);
    assert_eq!(first(&tree).get("k4999").and_then(Node::scalar), Some("x"));
}
