"""The names of columns: in a data set's own files, and as other people's tables call them."""

USER, ITEM, LABEL = "userID", "itemID", "x_label"
RATING, TIMESTAMP = "rating", "timestamp"
INTERACTION_COLUMNS = (USER, ITEM, LABEL, RATING, TIMESTAMP)  # of an '.inter' file, in this order

# Of 'users.csv' and 'items.csv'; the last two of the latter, where they are known.
ORIGINAL_ID, TITLE, IMAGE = "original_id", "title", "image"


class Role:
    """What a column of somebody else's table may hold."""

    USER, ITEM, RATING, TIMESTAMP, LABEL = "user", "item", "rating", "timestamp", "label"
    IMAGE, TEXT = "image", "text"

    OF_INTERACTIONS = (USER, ITEM, RATING, TIMESTAMP, LABEL)


# By role; compared in lower case and without what is neither letter nor digit.
USUAL_NAMES = {
    Role.USER: {
        *("user", "userid", "uid", "reviewerid", "customer", "customerid", "visitorid", "member"),
    },
    Role.ITEM: {
        *("item", "itemid", "iid", "asin", "parentasin", "product", "productid", "sku"),
        *("movieid", "bookid", "articleid", "videoid", "trackid", "businessid", "isbn"),
    },
    Role.RATING: {"rating", "ratings", "overall", "score", "stars"},
    Role.TIMESTAMP: {
        *("timestamp", "time", "date", "datetime", "unixreviewtime", "unixtime", "createdat"),
    },
    Role.LABEL: {"xlabel", "split"},
    Role.IMAGE: {"image", "imagepath", "imagefile", "picture", "photo"},
    Role.TEXT: {
        *("title", "name", "description", "text", "brand", "category", "categories"),
        *("genre", "genres", "tags", "features", "overview", "summary", "author", "artist"),
    },
}
