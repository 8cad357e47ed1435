import yaml

from workflows import document


def test_yaml_is_written_and_read_by_libyaml_where_it_is_there() -> None:
    assert yaml.__with_libyaml__
    assert document._Loader is yaml.CSafeLoader
    assert issubclass(document._Dumper, yaml.CSafeDumper)


def test_what_is_written_is_read_back_in_its_order() -> None:
    content = {"z": ["größe", "a: b", "1"], "a": {"n": 1, "text": "two\nlines"}}

    assert list(document.read_all(document.write(content) + "---\n" + document.write([1]))) == [content, [1]]
    assert document.write(content).startswith('z:\n- "gr\\xF6\\xDFe"\n')
