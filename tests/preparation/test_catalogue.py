from tests.preparation.shop import ITEMS, refused


@refused(r"items\.csv' has a header but no items \(got 0 rows\)")
def test_items_header_only(shop):
    shop.items = []
    shop.write()


@refused(r"items\.csv', line 6, column 'item_id': must not repeat .*line 2\)")
def test_an_item_twice(shop):
    shop.change_item(4, 0, ITEMS[0])


@refused(r"items\.csv', line 4, column 'item_id': must be an id \(got ' '\)")
def test_an_item_without_an_id(shop):
    shop.change_item(2, 0, " ")
