use super::*;

fn tagging<'a>(subject: &'a str, tag: &'a str, volunteer: &'a str) -> Tagging<'a> {
    Tagging { subject, tag, volunteer }
}

fn remark<'a>(subject: &'a str, volunteer: &'a str) -> Remark<'a> {
    Remark { subject, volunteer }
}

#[test]
fn counts_on_paper() {
    let taggings = [
        tagging("1", "merger", "ann"),
        tagging("1", "merging", "ann"),
        tagging("1", "arc", "ben"),
        tagging("2", "merging", "ben"),
        tagging("3", "merger", "ann"),
        tagging("9", "merger", "ann"),
        tagging("8", "кольцо", ""),
    ];
    let remarks = [
        remark("1", "ann"),
        remark("1", "cec"),
        remark("2", "ben"),
        remark("7", "ben"),
        remark("8", ""),
        remark("9", "ann"),
        remark("", "ann"),
    ];
    let merge = MergeTable::new([("merging".to_owned(), "merger".to_owned())]).unwrap();
    // 9 is in no vote table; nobody commented on 3.
    let tags = Tags::count(&taggings, &remarks, &merge, |subject| subject != "9");
    assert_eq!((tags.subjects.len(), tags.n_tagged(), tags.n_without_comment), (4, 3, 1));
    let merger = &tags.rows[0];
    assert_eq!((merger.tag.as_str(), merger.n_subjects, merger.n_uses), ("merger", 2, 3));
    assert_eq!((merger.n_people, merger.n_by_one, merger.n_comments), (2, 2, 3));
    assert_eq!(merger.raw, ["merging", "merger"]);
    // Repeats are kept; of equal tags the first by name comes first; who is unknown is nobody.
    assert_eq!(tags.subjects["1"], Discussed { n_comments: 2, n_people: 3, tags: vec![(0, 2), (1, 1)] });
    assert_eq!(tags.rows[2].tag, "кольцо");
    assert_eq!((tags.rows[2].n_people, tags.rows[2].n_uses), (0, 1));
    assert_eq!(tags.subjects_with(0).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((tags.n_people, tags.n_by_three), (2, 4));
    assert_eq!(Tags::count(&[], &[], &merge, |_| true), Tags::default());
}
