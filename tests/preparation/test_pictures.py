import pytest

from crane_pyg.preparation.pictures import pictures_by_id
from tests.preparation.shop import refused


@refused(r"items\.csv', line 4, column 'image': must stay inside .* \(got '\.\./log\.csv'\)")
def test_a_path_that_climbs_out(shop):
    shop.change_item(2, 2, "../log.csv")
    return ["--images", shop.path("pics")]


@refused(r"items\.csv', line 2, column 'image': must stay inside .* \(got '/")
def test_an_absolute_path(shop):
    shop.change_item(0, 2, shop.path("pics/0.png"))
    return ["--images", shop.path("pics")]


@refused(r"items\.csv', line 3, column 'image': must stay inside .* \(got 'link\.png'\)")
def test_a_link_that_climbs_out(shop):
    (shop.folder / "pics" / "link.png").symlink_to(shop.folder / "log.csv")
    shop.change_item(1, 2, "link.png")
    return ["--images", shop.path("pics")]


def test_a_link_that_climbs_out_by_its_name(shop):
    link = shop.folder / "pics" / "a.png"
    link.symlink_to(shop.folder / "pics" / "0.png")
    assert pictures_by_id(link.parent, ["a", "b"]) == [link, None]
    link.unlink()
    link.symlink_to(shop.folder / "log.csv")
    with pytest.raises(ValueError, match=r"a\.png' must stay inside .* \(got a link out of it\)"):
        pictures_by_id(link.parent, ["a", "b"])


@refused(r"items\.csv', line 5, column 'image': must lead to a file \(got 'more'\)")
def test_a_folder_for_a_picture(shop):
    (shop.folder / "pics" / "more").mkdir()
    shop.change_item(3, 2, "more")
    return ["--images", shop.path("pics")]


@refused(r"The images must lie in a folder \(got '.*log\.csv'\)")
def test_a_file_for_the_folder_of_pictures(shop):
    return ["--images", shop.path("log.csv")]
