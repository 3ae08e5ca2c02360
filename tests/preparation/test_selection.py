from tests.preparation.shop import refused


@refused(r"log\.csv': no interactions are left \(got 36, .*36 of users or items with too few\)")
def test_all_filtered_away(shop):
    return ["--k-core", "7"]


@refused(r"log\.csv': no interactions are left \(got 36, .*36 rated below 9")
def test_all_rated_too_low(shop):
    return ["--min-rating", "9"]


@refused(r"log\.csv': the train split is empty.* \(got 36 interactions with the split 'time'\)")
def test_no_time_for_training(shop):
    for row in shop.rows:
        row[3] = "7"
    shop.write()
    return ["--split", "time"]


@refused(r"log\.csv' needs a column for the timestamp, for the split 'last'")
def test_no_column_for_the_split(shop):
    shop.log(b"".join(line.rsplit(b",", 1)[0] + b"\n" for line in shop.log_lines()))
    return ["--split", "last"]


@refused(r"The ratio must be three positive numbers \(got \[0\.9, 0\.1\]\)")
def test_two_shares(shop):
    return ["--ratio", "0.9,0.1"]
